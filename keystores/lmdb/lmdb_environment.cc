#include "keystores/lmdb/lmdb_environment.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstring>
#include <utility>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/str_cat.h"

#include "core/plugin/index_directory.h"
#include "core/system/file_system.h"
#include "core/system/text.h"

namespace rumcask {
namespace {

constexpr char kDataFile[] = "data.mdb";
constexpr char kNewDataFile[] = "data.mdb.new";
constexpr char kLockFile[] = "lock.mdb";

// Transactions of a pool do not belong to a thread. Reads are at random places of a file that may
// be larger than memory, where readahead by the system would evict useful pages.
constexpr unsigned kFlags = MDB_NOTLS | MDB_NORDAHEAD;

// How many bytes of addresses to ask for, and how few are too few to be useful.
constexpr uint64_t kMostMapBytes = uint64_t{256} << 30;
constexpr uint64_t kLeastMapBytes = uint64_t{64} << 20;

// The page sizes that LMDB uses.
constexpr uint32_t kLeastPageBytes = 512;
constexpr uint32_t kMostPageBytes = 32768;

// One of the two pages at the beginning of the file. The layout is that of LMDB's format 1 on a
// 64-bit machine, which all 0.9 releases have.
struct MetaPage {
  uint64_t number;
  uint16_t pad;
  uint16_t flags;
  uint32_t bounds;
  uint32_t magic;
  uint32_t version;
  uint64_t address;
  uint64_t map_bytes;
  struct {
    uint32_t pad;  // in the first map's entry: the page size
    uint16_t flags;
    uint16_t depth;
    uint64_t branch_pages;
    uint64_t leaf_pages;
    uint64_t overflow_pages;
    uint64_t entries;
    uint64_t root;
  } maps[2];
  uint64_t last_page;
  uint64_t transaction;
};
static_assert(sizeof(MetaPage) == 152, "LMDB's layout");

constexpr uint64_t kNoPage = ~uint64_t{0};
constexpr uint16_t kMetaFlag = 8;
constexpr uint32_t kMagic = 0xBEEFC0DE;
constexpr uint32_t kVersion = 1;

absl::Status Lost(const std::string& file, std::string_view why) {
  return absl::DataLossError(absl::StrCat(file, ": ", Text(why)));
}

absl::Status ReadMetaPage(int fd, const std::string& file, uint64_t offset, MetaPage* meta) {
  const ssize_t got = ::pread(fd, meta, sizeof *meta, static_cast<off_t>(offset));
  if (got < 0) return ErrnoStatus("read", file, errno);
  if (static_cast<size_t>(got) < sizeof *meta) return Lost(file, "too short for an LMDB file");
  if (meta->magic != kMagic || (meta->flags & kMetaFlag) == 0) {
    return Lost(file, "not an LMDB file");
  }
  if (meta->version != kVersion) {
    return Lost(file, absl::StrCat("LMDB's format ", meta->version, " is not known"));
  }
  const uint32_t page = meta->maps[0].pad;
  if (page < kLeastPageBytes || page > kMostPageBytes || (page & (page - 1)) != 0) {
    return Lost(file, absl::StrCat("pages of ", page, " bytes"));
  }
  return absl::OkStatus();
}

// Whether LMDB can open the file. LMDB divides by the page size that it finds and maps as much as
// the file says, and touching pages that do not exist ends the process. NotFound if there is no
// file, or only one that LMDB has just created.
absl::Status CheckFile(const std::string& file) {
  const int fd = ::open(file.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
  if (fd < 0) return ErrnoStatus("open", file, errno);
  absl::Cleanup close_file = [fd] { ::close(fd); };
  struct stat status;
  if (::fstat(fd, &status) != 0) return ErrnoStatus("stat", file, errno);
  if (status.st_size == 0) return absl::NotFoundError(absl::StrCat(file, ": empty"));

  MetaPage metas[2];
  absl::Status read = ReadMetaPage(fd, file, 0, &metas[0]);
  const uint64_t page_bytes = metas[0].maps[0].pad;
  if (read.ok()) read = ReadMetaPage(fd, file, page_bytes, &metas[1]);
  if (!read.ok()) return read;
  if (metas[1].maps[0].pad != page_bytes) return Lost(file, "two page sizes");
  const MetaPage& newest = metas[metas[1].transaction > metas[0].transaction ? 1 : 0];
  const uint64_t size = static_cast<uint64_t>(status.st_size);
  // Written without an addition, because last_page may be any number.
  if (newest.last_page < 1 || newest.last_page >= size / page_bytes) {
    return Lost(file, absl::StrCat("cut short: ", size, " bytes, but its last page is number ",
                                   newest.last_page, " of ", page_bytes, " bytes"));
  }
  for (const auto& map : newest.maps) {
    if (map.root != kNoPage && (map.root < 2 || map.root > newest.last_page)) {
      return Lost(file, absl::StrCat("a tree begins at page ", map.root));
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<LmdbEnvironment> OpenWithMap(const std::string& path, unsigned flags, unsigned maps,
                                            unsigned max_readers) {
  for (uint64_t map_bytes = kMostMapBytes;; map_bytes /= 2) {
    MDB_env* made = nullptr;
    int result = mdb_env_create(&made);
    if (result != MDB_SUCCESS) return LmdbStatus("mdb_env_create", path, result);
    LmdbEnvironment env(made);
    result = mdb_env_set_mapsize(env.get(), map_bytes);
    if (result == MDB_SUCCESS) result = mdb_env_set_maxdbs(env.get(), maps);
    if (result == MDB_SUCCESS) result = mdb_env_set_maxreaders(env.get(), max_readers);
    if (result != MDB_SUCCESS) return LmdbStatus("mdb_env_set", path, result);
    result = mdb_env_open(env.get(), path.c_str(), flags, 0600);
    if (result == MDB_SUCCESS) {
      // LMDB lets this one of its three files be inherited by programs that the process starts.
      int fd = -1;
      mdb_env_get_fd(env.get(), &fd);
      ::fcntl(fd, F_SETFD, FD_CLOEXEC);
      // Removes readers that died while another process had the file open; they would keep pages
      // from being reused.
      int dead = 0;
      if ((flags & MDB_NOLOCK) == 0) mdb_reader_check(env.get(), &dead);
      return env;
    }
    // mmap returns ENOMEM where the system limits addresses, and EINVAL where Valgrind does.
    if ((result != ENOMEM && result != EINVAL) || map_bytes / 2 < kLeastMapBytes) {
      return LmdbStatus("mdb_env_open", path, result);
    }
  }
}

// Counts the free pages and all pages of the file.
absl::Status CountPages(MDB_env* env, const std::string& path, uint64_t* free, uint64_t* all,
                        uint64_t* page_bytes) {
  MDB_txn* begun = nullptr;
  int result = mdb_txn_begin(env, nullptr, MDB_RDONLY, &begun);
  if (result != MDB_SUCCESS) return LmdbStatus("mdb_txn_begin", path, result);
  const LmdbTransaction txn(begun);
  // Map 0 holds, for each transaction, the pages that it freed: a count and as many page numbers.
  MDB_cursor* opened = nullptr;
  result = mdb_cursor_open(txn.get(), 0, &opened);
  if (result != MDB_SUCCESS) return LmdbStatus("mdb_cursor_open", path, result);
  const LmdbCursor cursor(opened);
  MDB_val key;
  MDB_val pages;
  *free = 0;
  while ((result = mdb_cursor_get(cursor.get(), &key, &pages, MDB_NEXT)) == MDB_SUCCESS) {
    size_t count = 0;
    if (pages.mv_size < sizeof count) return Lost(path, "a list of free pages is too short");
    std::memcpy(&count, pages.mv_data, sizeof count);
    *free += count;
  }
  if (result != MDB_NOTFOUND) return LmdbStatus("mdb_cursor_get", path, result);

  MDB_envinfo info;
  MDB_stat stat;
  mdb_env_info(env, &info);
  mdb_env_stat(env, &stat);
  *all = info.me_last_pgno + 1;
  *page_bytes = stat.ms_psize;
  return absl::OkStatus();
}

}  // namespace

absl::Status LmdbStatus(std::string_view call, std::string_view path, int result) {
  // Positive results are errno values.
  if (result > 0) return ErrnoStatus(call, path, result);
  const auto status = [&](absl::StatusCode code) {
    return absl::Status(code,
                        absl::StrCat(Text(call), " ", Text(path), ": ", mdb_strerror(result)));
  };
  switch (result) {
    case MDB_SUCCESS:
      return absl::OkStatus();
    case MDB_NOTFOUND:
      return absl::Status(absl::StatusCode::kNotFound, "");
    case MDB_CORRUPTED:
    case MDB_PAGE_NOTFOUND:
    case MDB_INVALID:
    case MDB_VERSION_MISMATCH:
      return status(absl::StatusCode::kDataLoss);
    case MDB_INCOMPATIBLE:
      return status(absl::StatusCode::kFailedPrecondition);
    case MDB_MAP_FULL:
    case MDB_READERS_FULL:
      return status(absl::StatusCode::kResourceExhausted);
    case MDB_BAD_VALSIZE:
      return status(absl::StatusCode::kInvalidArgument);
    default:
      return status(absl::StatusCode::kInternal);
  }
}

absl::StatusOr<LmdbEnvironment> OpenLmdbEnvironment(const std::string& path, bool read_only,
                                                    unsigned maps, unsigned max_readers) {
  absl::Status status = CheckIndexDirectory(path);
  if (!status.ok()) return status;
  const std::string file = absl::StrCat(path, "/", kDataFile);
  const std::string new_file = absl::StrCat(path, "/", kNewDataFile);
  status = CheckFile(file);
  if (!status.ok() && (read_only || !absl::IsNotFound(status))) return status;

  // core allows no writer beside read-only openings, so no lock is needed.
  if (read_only) return OpenWithMap(path, kFlags | MDB_RDONLY | MDB_NOLOCK, maps, max_readers);

  // The file of a rewriting that was interrupted.
  if (::unlink(new_file.c_str()) != 0 && errno != ENOENT) {
    return ErrnoStatus("unlink", new_file, errno);
  }
  absl::StatusOr<LmdbEnvironment> env = OpenWithMap(path, kFlags, maps, max_readers);
  if (!env.ok()) return env;
  uint64_t free = 0;
  uint64_t all = 0;
  uint64_t page_bytes = 0;
  status = CountPages(env->get(), path, &free, &all, &page_bytes);
  if (!status.ok()) return status;
  // If there is no room for a second file, the old one stays in use.
  if (all * page_bytes > kLmdbRewriteBytes && free > all / 2 &&
      ReplaceLmdbFile(env->get(), path).ok()) {
    status = UseReplacedLmdbFile(path, maps, max_readers, &*env);
    if (!status.ok()) return status;
  }
  // A file with durable data must also have a durable name.
  status = SyncLmdbDirectory(path);
  if (!status.ok()) return status;
  return env;
}

absl::Status SyncLmdbDirectory(const std::string& path) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return ErrnoStatus("open", path, errno);
  absl::Cleanup close_directory = [fd] { ::close(fd); };
  if (::fsync(fd) == 0) return absl::OkStatus();
  return absl::InternalError(ErrnoStatus("fsync", path, errno).message());
}

absl::Status ReplaceLmdbFile(MDB_env* env, const std::string& path) {
  const std::string file = absl::StrCat(path, "/", kNewDataFile);
  const int fd = ::open(file.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (fd < 0) return ErrnoStatus("create", file, errno);
  absl::Cleanup close_file = [fd] { ::close(fd); };
  absl::Status status;
  const int result = mdb_env_copyfd2(env, fd, MDB_CP_COMPACT);
  if (result != MDB_SUCCESS) {
    status = LmdbStatus("mdb_env_copyfd2", file, result);
  } else if (::fsync(fd) != 0) {
    status = ErrnoStatus("fsync", file, errno);
  } else {
    // Another program that has the old file open shares its numbers of transactions by the old lock
    // file. In the new one they begin anew.
    ::unlink(absl::StrCat(path, "/", kLockFile).c_str());
    if (::rename(file.c_str(), absl::StrCat(path, "/", kDataFile).c_str()) != 0) {
      status = ErrnoStatus("rename", file, errno);
    }
  }
  if (!status.ok()) ::unlink(file.c_str());
  return status;
}

absl::Status UseReplacedLmdbFile(const std::string& path, unsigned maps, unsigned max_readers,
                                 LmdbEnvironment* env) {
  // LMDB must not have a file open twice in one process.
  env->reset();
  absl::StatusOr<LmdbEnvironment> opened = OpenWithMap(path, kFlags, maps, max_readers);
  if (!opened.ok()) return opened.status();
  *env = *std::move(opened);
  return SyncLmdbDirectory(path);
}

void ExtendLmdbFile(MDB_env* env) {
  MDB_envinfo info;
  MDB_stat stat;
  int fd = -1;
  mdb_env_info(env, &info);
  mdb_env_stat(env, &stat);
  mdb_env_get_fd(env, &fd);
  const uint64_t bytes = (uint64_t{info.me_last_pgno} + 1) * stat.ms_psize;
  struct stat status;
  if (::fstat(fd, &status) != 0 || static_cast<uint64_t>(status.st_size) >= bytes) return;
  if (::ftruncate(fd, static_cast<off_t>(bytes)) == 0) ::fdatasync(fd);
}

int LmdbCommitResult(MDB_env* env, int result) {
  if (result != EIO) return result;
  // Somebody may have freed a little meanwhile.
  constexpr uint64_t kNearlyNothing = uint64_t{16} << 20;
  return LmdbDiskBytes(env) < kNearlyNothing ? ENOSPC : result;
}

uint64_t LmdbDiskBytes(MDB_env* env) {
  int fd = -1;
  mdb_env_get_fd(env, &fd);
  struct statvfs disk;
  if (::fstatvfs(fd, &disk) != 0) return UINT64_MAX;
  return uint64_t{disk.f_bavail} * disk.f_frsize;
}

}  // namespace rumcask
