#include "tests/power_cut/cut_mount.h"

#define FUSE_USE_VERSION 34
#include <fcntl.h>
#include <fuse3/fuse_lowlevel.h>
#include <sched.h>
#include <spawn.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"

namespace rumcask {
namespace {

// The kernel may cache attributes forever, because only it changes the files.
constexpr double kForEver = 1e6;  // seconds

constexpr uint64_t kBlockBytes = 4096;
constexpr uint32_t kMostWritten = 1 << 20;  // bytes in one request
constexpr uint64_t kBlocks = uint64_t{1} << 28;

CutDisk* DiskOf(fuse_req_t request) { return static_cast<CutDisk*>(fuse_req_userdata(request)); }

int Stat(CutDisk* disk, fuse_ino_t id, struct stat* info) {
  CutDisk::Attributes attributes;
  const int error = disk->Stat(id, &attributes);
  *info = {};
  info->st_ino = id;
  info->st_mode = attributes.mode;
  info->st_nlink = 1;
  info->st_uid = ::getuid();
  info->st_gid = ::getgid();
  info->st_size = static_cast<off_t>(attributes.size);
  info->st_blocks = static_cast<blkcnt_t>((attributes.size + 511) / 512);
  info->st_blksize = static_cast<blksize_t>(kBlockBytes);
  return error;
}

int MakeEntry(CutDisk* disk, CutDisk::Id id, fuse_entry_param* entry) {
  *entry = {};
  entry->ino = id;
  entry->attr_timeout = entry->entry_timeout = kForEver;
  return Stat(disk, id, &entry->attr);
}

// ---- requests, named as in FUSE ----

void Init(void* /*disk*/, fuse_conn_info* connection) {
  // The page cache is never stale, so it need not be invalidated. Write-back caching is off, so
  // that each write reaches the disk when it is made and a cut can lose unsynced writes.
  connection->want &= ~(FUSE_CAP_AUTO_INVAL_DATA | FUSE_CAP_WRITEBACK_CACHE);
  // The kernel sends O_TRUNC as an ordinary change of the size.
  connection->want &= ~FUSE_CAP_ATOMIC_O_TRUNC;
  connection->max_write = kMostWritten;
}

void Lookup(fuse_req_t request, fuse_ino_t parent, const char* name) {
  CutDisk::Id id = 0;
  fuse_entry_param entry;
  int error = DiskOf(request)->Lookup(parent, name, &id);
  if (error == 0) error = MakeEntry(DiskOf(request), id, &entry);
  error == 0 ? fuse_reply_entry(request, &entry) : fuse_reply_err(request, error);
}

void ReplyAttributes(fuse_req_t request, fuse_ino_t id, int error) {
  struct stat info;
  if (error == 0) error = Stat(DiskOf(request), id, &info);
  error == 0 ? fuse_reply_attr(request, &info, kForEver) : fuse_reply_err(request, error);
}

void GetAttributes(fuse_req_t request, fuse_ino_t id, fuse_file_info* /*file*/) {
  ReplyAttributes(request, id, 0);
}

void SetAttributes(fuse_req_t request, fuse_ino_t id, struct stat* info, int what,
                   fuse_file_info* /*file*/) {
  int error = 0;
  if ((what & FUSE_SET_ATTR_SIZE) != 0) {
    error = DiskOf(request)->Truncate(id, static_cast<uint64_t>(info->st_size));
  }
  ReplyAttributes(request, id, error);
}

void Create(fuse_req_t request, fuse_ino_t parent, const char* name, mode_t mode,
            fuse_file_info* file) {
  CutDisk::Id id = 0;
  fuse_entry_param entry;
  int error = DiskOf(request)->Create(parent, name, S_IFREG | (mode & 07777), &id);
  if (error == 0) error = MakeEntry(DiskOf(request), id, &entry);
  file->keep_cache = 1;
  error == 0 ? fuse_reply_create(request, &entry, file) : fuse_reply_err(request, error);
}

void MakeDirectory(fuse_req_t request, fuse_ino_t parent, const char* name, mode_t mode) {
  CutDisk::Id id = 0;
  fuse_entry_param entry;
  int error = DiskOf(request)->Create(parent, name, S_IFDIR | (mode & 07777), &id);
  if (error == 0) error = MakeEntry(DiskOf(request), id, &entry);
  error == 0 ? fuse_reply_entry(request, &entry) : fuse_reply_err(request, error);
}

void Unlink(fuse_req_t request, fuse_ino_t parent, const char* name) {
  fuse_reply_err(request, DiskOf(request)->Remove(parent, name, /*is_directory=*/false));
}

void RemoveDirectory(fuse_req_t request, fuse_ino_t parent, const char* name) {
  fuse_reply_err(request, DiskOf(request)->Remove(parent, name, /*is_directory=*/true));
}

void Rename(fuse_req_t request, fuse_ino_t parent, const char* name, fuse_ino_t new_parent,
            const char* new_name, unsigned flags) {
  // No program here needs other kinds of rename.
  const bool simple = parent == new_parent && flags == 0;
  fuse_reply_err(request, simple ? DiskOf(request)->Rename(parent, name, new_name) : EXDEV);
}

void Open(fuse_req_t request, fuse_ino_t /*id*/, fuse_file_info* file) {
  file->keep_cache = 1;
  fuse_reply_open(request, file);
}

void Read(fuse_req_t request, fuse_ino_t id, size_t size, off_t offset, fuse_file_info* /*file*/) {
  std::string bytes;
  const int error = DiskOf(request)->Read(id, static_cast<uint64_t>(offset), size, &bytes);
  error == 0 ? fuse_reply_buf(request, bytes.data(), bytes.size()) : fuse_reply_err(request, error);
}

void Write(fuse_req_t request, fuse_ino_t id, const char* bytes, size_t size, off_t offset,
           fuse_file_info* file) {
  CutDisk* const disk = DiskOf(request);
  int error = disk->Write(id, static_cast<uint64_t>(offset), {bytes, size});
  // Pages of a mapping are written through any open file, so its O_DSYNC does not apply to them.
  if (error == 0 && (file->flags & O_DSYNC) != 0 && file->writepage == 0) error = disk->Sync(id);
  error == 0 ? fuse_reply_write(request, size) : fuse_reply_err(request, error);
}

void Flush(fuse_req_t request, fuse_ino_t /*id*/, fuse_file_info* /*file*/) {
  fuse_reply_err(request, 0);
}

void Sync(fuse_req_t request, fuse_ino_t id, int /*data_only*/, fuse_file_info* /*file*/) {
  fuse_reply_err(request, DiskOf(request)->Sync(id));
}

void Allocate(fuse_req_t request, fuse_ino_t /*id*/, int mode, off_t /*offset*/, off_t /*length*/,
              fuse_file_info* /*file*/) {
  // There is always room, so only the mode that keeps the size is supported, and it does nothing.
  fuse_reply_err(request, mode == FALLOC_FL_KEEP_SIZE ? 0 : EOPNOTSUPP);
}

void OpenDirectory(fuse_req_t request, fuse_ino_t id, fuse_file_info* file) {
  // Copies the entries, so that a caller that removes files while it reads misses none.
  auto entries = std::make_unique<CutDisk::Entries>();
  const int error = DiskOf(request)->List(id, entries.get());
  if (error != 0) {
    fuse_reply_err(request, error);
    return;
  }
  file->fh = reinterpret_cast<uintptr_t>(entries.release());
  fuse_reply_open(request, file);
}

CutDisk::Entries* EntriesOf(const fuse_file_info* file) {
  return reinterpret_cast<CutDisk::Entries*>(static_cast<uintptr_t>(file->fh));
}

void ReadDirectory(fuse_req_t request, fuse_ino_t /*id*/, size_t size, off_t offset,
                   fuse_file_info* file) {
  std::vector<char> buffer(size);
  size_t used = 0;
  off_t next = 0;
  for (const auto& [name, id] : *EntriesOf(file)) {
    if (next++ < offset) continue;
    struct stat info = {};
    info.st_ino = id;
    const size_t added =
        fuse_add_direntry(request, buffer.data() + used, size - used, name.c_str(), &info, next);
    if (added > size - used) break;
    used += added;
  }
  fuse_reply_buf(request, buffer.data(), used);
}

void ReleaseDirectory(fuse_req_t request, fuse_ino_t /*id*/, fuse_file_info* file) {
  delete EntriesOf(file);
  fuse_reply_err(request, 0);
}

void StatFileSystem(fuse_req_t request, fuse_ino_t /*id*/) {
  struct statvfs info = {};
  info.f_bsize = info.f_frsize = kBlockBytes;
  info.f_blocks = info.f_bfree = info.f_bavail = kBlocks;
  info.f_namemax = 255;
  fuse_reply_statfs(request, &info);
}

fuse_lowlevel_ops Operations() {
  fuse_lowlevel_ops operations = {};
  operations.init = Init;
  operations.lookup = Lookup;
  operations.getattr = GetAttributes;
  operations.setattr = SetAttributes;
  operations.create = Create;
  operations.mkdir = MakeDirectory;
  operations.unlink = Unlink;
  operations.rmdir = RemoveDirectory;
  operations.rename = Rename;
  operations.open = Open;
  operations.read = Read;
  operations.write = Write;
  operations.flush = Flush;
  operations.fsync = Sync;
  operations.fsyncdir = Sync;
  operations.fallocate = Allocate;
  operations.opendir = OpenDirectory;
  operations.readdir = ReadDirectory;
  operations.releasedir = ReleaseDirectory;
  operations.statfs = StatFileSystem;
  return operations;
}

// Serves requests until the unmount. Unlike fuse_session_loop, it prints nothing at the end.
void Serve(fuse_session* session) {
  // Room for the largest request and its header.
  std::vector<char> bytes(kMostWritten + 2 * kBlockBytes);
  while (true) {
    const ssize_t got = ::read(fuse_session_fd(session), bytes.data(), bytes.size());
    if (got > 0) {
      fuse_buf request = {};
      request.size = static_cast<size_t>(got);
      request.mem = bytes.data();
      fuse_session_process_buf(session, &request);
    } else if (got == 0 || (errno != EINTR && errno != EAGAIN && errno != ENOENT)) {
      return;  // ENOENT only means that a request was withdrawn
    }
  }
}

// Unmounts by fusermount3, for users who may not call umount.
void UnmountByHelper(std::string path) {
  std::string program = "fusermount3", unmount = "-u", lazily = "-z";
  char* const arguments[] = {program.data(), unmount.data(), lazily.data(), path.data(), nullptr};
  pid_t helper;
  if (::posix_spawnp(&helper, arguments[0], nullptr, nullptr, arguments, environ) != 0) return;
  while (::waitpid(helper, nullptr, 0) < 0 && errno == EINTR) {
  }
}

}  // namespace

void CutMount::KeepPrivate() {
  if (::unshare(CLONE_NEWNS) != 0) return;
  (void)::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr);
}

absl::StatusOr<std::unique_ptr<CutMount>> CutMount::Mount(CutDisk* disk, const std::string& path) {
  if (::access("/dev/fuse", R_OK | W_OK) != 0) {
    return absl::UnavailableError("/dev/fuse is missing or not ours to use");
  }
  char program[] = "cut_mount";
  char* arguments[] = {program, nullptr};
  fuse_args args = FUSE_ARGS_INIT(1, arguments);
  static const fuse_lowlevel_ops operations = Operations();
  fuse_session* const session = fuse_session_new(&args, &operations, sizeof operations, disk);
  fuse_opt_free_args(&args);
  if (session == nullptr) return absl::UnavailableError("libfuse refuses");
  if (fuse_session_mount(session, path.c_str()) != 0) {
    fuse_session_destroy(session);
    return absl::UnavailableError(absl::StrCat("mounting at ", path, " is refused"));
  }
  return std::unique_ptr<CutMount>(new CutMount(session, path));
}

CutMount::CutMount(fuse_session* session, std::string path)
    : session_(session), path_(std::move(path)), server_([session] { Serve(session); }) {}

CutMount::~CutMount() {
  // Unmounting ends the loop in Serve.
  if (::umount2(path_.c_str(), MNT_DETACH) != 0) UnmountByHelper(path_);
  server_.join();
  fuse_session_destroy(session_);
}

}  // namespace rumcask
