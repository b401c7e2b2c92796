// Databases of many segments in processes that may have few descriptors and few mappings.
//
// Each step runs in a separate process, whose limit is set before it does anything else.
// RUMCASK_FULL=1 writes more segments than a process may have mappings.

#include "core/format/limits.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <initializer_list>
#include <memory>
#include <ostream>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"

#include "core/check/repair.h"
#include "core/check/verify.h"
#include "core/damage.h"
#include "core/db.h"
#include "core/stats.h"
#include "core/system/file_system.h"
#include "keystores/by_name.h"
#include "tests/crash_kit/fault_file_system.h"
#include "tests/limits/open_files.h"

namespace rumcask {
namespace {

namespace fs = std::filesystem;

constexpr rlim_t kFewDescriptors = 64;
constexpr uint64_t kFewMappings = 100;
// Four records fill a segment of the smallest size.
constexpr int kPutsPerSegment = 4;
constexpr size_t kValueBytes = 900;

std::string KeyOf(int i) { return absl::StrCat("key", 1000000 + i); }
std::string ValueOf(int i, int version) {
  std::string value = absl::StrCat(i, ".", version, " ");
  value.resize(kValueBytes, static_cast<char>('a' + i % 26));
  return value;
}

// Runs `body` in a process that may have `descriptors` descriptors. Returns its complaint, or how
// the process ended.
std::string InProcess(rlim_t descriptors, const std::function<std::string()>& body) {
  int complaints[2];
  if (::pipe2(complaints, O_CLOEXEC) != 0) return "no pipe";
  const pid_t child = ::fork();
  if (child == 0) {
    const rlimit limit = {descriptors, descriptors};
    const std::string complaint = ::setrlimit(RLIMIT_NOFILE, &limit) != 0 ? "setrlimit" : body();
    (void)!::write(complaints[1], complaint.data(), complaint.size());
    ::_exit(0);
  }
  ::close(complaints[1]);
  std::string complaint;
  char part[4096];
  for (ssize_t n; (n = ::read(complaints[0], part, sizeof(part))) > 0;) {
    complaint.append(part, static_cast<size_t>(n));
  }
  ::close(complaints[0]);
  int status = 0;
  ::waitpid(child, &status, 0);
  if (WIFSIGNALED(status) && complaint.empty()) return absl::StrCat("signal ", WTERMSIG(status));
  return complaint;
}

const std::string kKilled = absl::StrCat("signal ", SIGKILL);

// The real file system in a process that may have few mappings.
class FewMappings : public FileSystem {
 public:
  ProcessLimits Limits() const override { return {base_->Limits().descriptors, kFewMappings}; }

 protected:
  int DoOpenDirectory(const std::string& path, std::unique_ptr<Directory>* directory) override {
    auto opened = base_->OpenDirectory(path);
    if (!opened.ok()) return absl::IsNotFound(opened.status()) ? -ENOENT : -EIO;
    *directory = *std::move(opened);
    return 0;
  }
  int DoCreateDirectory(const std::string& path, uint32_t mode) override {
    return base_->CreateDirectory(path, mode).ok() ? 0 : -EIO;
  }
  int DoSyncParent(const std::string& path) override {
    return base_->SyncParent(path).ok() ? 0 : -EIO;
  }

 private:
  FileSystem* const base_ = PosixFileSystem();
};

struct Modes {
  std::string keystore;
  AppendMode append;
  ReadMode read;
};

std::string ToString(const Modes& modes) {
  return absl::StrCat(modes.keystore, modes.append == AppendMode::kMapped ? "_mapped" : "_write",
                      modes.read == ReadMode::kMapped ? "_mapped" : "_pread");
}

void PrintTo(const Modes& modes, std::ostream* out) { *out << ToString(modes); }

std::vector<Modes> AllModes() {
  std::vector<Modes> all;
  for (const std::string& keystore : KeystoreNames()) {
    for (const AppendMode append : {AppendMode::kMapped, AppendMode::kWrite}) {
      for (const ReadMode read : {ReadMode::kMapped, ReadMode::kPread}) {
        all.push_back({keystore, append, read});
      }
    }
  }
  return all;
}

class LimitsTest : public testing::TestWithParam<Modes> {
 protected:
  LimitsTest() {
    root_ = testing::TempDir() + "/limits_test.XXXXXX";
    if (::mkdtemp(root_.data()) == nullptr) std::abort();
    path_ = root_ + "/db";
    options_.create_if_missing = true;
    options_.segment_bytes = kMinSegmentBytes;
    SetModes(GetParam());
  }
  ~LimitsTest() override { fs::remove_all(root_); }

  void SetModes(const Modes& modes) {
    options_.keystore = *KeystoreByName(modes.keystore);
    options_.append_mode = modes.append;
    options_.read_mode = modes.read;
  }

  // ---- steps; each returns what is wrong, or "" ----

  using Step = std::function<std::string(DB*)>;

  // Opens the database, does `step`, and closes it.
  std::string WithOpen(const Step& step) {
    auto db = DB::Open(path_, options_);
    if (!db.ok()) return absl::StrCat("open: ", db.status().ToString());
    const std::string complaint = step(db->get());
    if (!complaint.empty()) return complaint;
    const absl::Status status = (*db)->Close();
    return status.ok() ? "" : absl::StrCat("close: ", status.ToString());
  }

  // The same in a separate process.
  void Run(const char* what, rlim_t descriptors, const Step& step,
           const std::string& expected = "") {
    const std::string ended = InProcess(descriptors, [&] { return WithOpen(step); });
    EXPECT_EQ(ended, expected) << what;
  }

  // An int that is shared with the processes started from here on.
  int* SharedInt() {
    void* const page =
        ::mmap(nullptr, sizeof(int), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (page == MAP_FAILED) std::abort();
    return static_cast<int*>(page);
  }

  // Puts keys [begin, end).
  static std::string PutAll(DB* db, int begin, int end, int version) {
    std::string value;
    for (int i = begin; i < end; ++i) {
      absl::Status status = db->Put(KeyOf(i), ValueOf(i, version));
      if (!status.ok()) return absl::StrCat("put ", i, ": ", status.ToString());
      if (i % 20 != 0) continue;
      const int earlier = begin + (i - begin) * 7 / 10;
      status = db->Get(KeyOf(earlier), &value);
      if (!status.ok()) return absl::StrCat("get ", earlier, ": ", status.ToString());
    }
    const absl::Status status = db->Sync();
    return status.ok() ? "" : absl::StrCat("sync: ", status.ToString());
  }

  static std::string CheckAll(DB* db, int begin, int end, int version) {
    std::string value;
    for (int i = begin; i < end; ++i) {
      const absl::Status status = db->Get(KeyOf(i), &value);
      if (!status.ok()) return absl::StrCat("get ", i, ": ", status.ToString());
      if (value != ValueOf(i, version)) return absl::StrCat("get ", i, ": ", value.substr(0, 20));
    }
    return "";
  }

  static std::string CheckCount(DB* db, int keys) {
    int found = 0;
    auto it = db->NewIterator();
    if (!it.ok()) return absl::StrCat("iterator: ", it.status().ToString());
    for (; (*it)->Valid(); (*it)->Next()) ++found;
    if (!(*it)->status().ok()) return absl::StrCat("iterator: ", (*it)->status().ToString());
    return found == keys ? "" : absl::StrCat(found, " keys, not ", keys);
  }

  static std::string Verify(DB* db) {
    const auto report = db->Verify();
    if (!report.ok()) return absl::StrCat("verify: ", report.status().ToString());
    return report->clean() ? "" : std::string(DamageStatus(report->damages[0]).message());
  }

  std::string VerifyClosed() const {
    const auto report = VerifyFiles(path_);
    if (!report.ok()) return absl::StrCat("verify: ", report.status().ToString());
    return report->clean() ? "" : std::string(DamageStatus(report->damages[0]).message());
  }

  // The first complaint that is not empty.
  static std::string First(std::initializer_list<std::string> complaints) {
    for (const std::string& complaint : complaints) {
      if (!complaint.empty()) return complaint;
    }
    return "";
  }

  std::string root_, path_;
  Options options_;
};

INSTANTIATE_TEST_SUITE_P(All, LimitsTest, testing::ValuesIn(AllModes()),
                         [](const auto& tested) { return ToString(tested.param); });

// ---- descriptors ----

constexpr int kSegments = 120;
constexpr int kKeys = kSegments * kPutsPerSegment;
// These keys were written since the last opening when the process is killed; MANIFEST does not know
// their segments.
constexpr int kUnlistedKeys = 100 * kPutsPerSegment;

TEST_P(LimitsTest, FewDescriptors) {
  Run("write", kFewDescriptors, [&](DB* db) {
    const std::string complaint = First(
        {PutAll(db, 0, kKeys, 1), CheckAll(db, 0, kKeys, 1), CheckCount(db, kKeys), Verify(db)});
    if (!complaint.empty()) return complaint;
    if (db->GetStats().segments.size() < kSegments) return std::string("too few segments");
    // A quarter of the process's descriptors, and those of the segments being written.
    const size_t open = SegmentDescriptors();
    return open <= kFewDescriptors / 4 + 2 ? "" : absl::StrCat(open, " descriptors");
  });
  Run(
      "write and die", kFewDescriptors,
      [&](DB* db) {
        const std::string complaint =
            First({CheckAll(db, 0, kKeys, 1), CheckCount(db, kKeys),
                   PutAll(db, 0, kUnlistedKeys, 2), CheckAll(db, 0, kUnlistedKeys, 2)});
        if (complaint.empty()) ::raise(SIGKILL);
        return complaint;
      },
      kKilled);
  EXPECT_EQ(InProcess(kFewDescriptors, [&] { return VerifyClosed(); }), "");
  EXPECT_EQ(InProcess(kFewDescriptors,
                      [&]() -> std::string {
                        const auto report = Repair(path_, root_ + "/repaired");
                        if (!report.ok()) return std::string(report.status().message());
                        return report->damages.empty() ? "" : report->damages[0].cause;
                      }),
            "");
  Run("recover", kFewDescriptors, [&](DB* db) {
    return First({CheckAll(db, 0, kUnlistedKeys, 2), CheckAll(db, kUnlistedKeys, kKeys, 1),
                  CheckCount(db, kKeys), PutAll(db, 0, kKeys / 2, 3), Verify(db)});
  });
  Run("open again", kFewDescriptors, [&](DB* db) { return CheckAll(db, 0, kKeys / 2, 3); });
}

std::vector<int> TakeAllDescriptors() {
  std::vector<int> taken;
  for (int fd; (fd = ::dup(0)) >= 0;) taken.push_back(fd);
  return taken;
}

void CloseAll(std::vector<int>* descriptors) {
  for (const int fd : *descriptors) ::close(fd);
  descriptors->clear();
}

// The host program has used up all descriptors. Open segments can still be read and written, and
// the database can be closed.
TEST_P(LimitsTest, NoDescriptorsLeft) {
  // RocksDB opens files of its own while it is being closed.
  const bool closes = GetParam().keystore != "rocksdb";
  constexpr int kFew = 40 * kPutsPerSegment;
  int* const written = SharedInt();
  std::vector<int> taken;
  Run("write", kFewDescriptors, [&](DB* db) {
    const std::string put = PutAll(db, 0, kFew, 1);
    if (!put.empty()) return put;
    taken = TakeAllDescriptors();
    // Writing continues as long as each full segment leaves its descriptor to the next one.
    absl::Status status;
    for (*written = kFew; *written < 2 * kFew; ++*written) {
      status = db->Put(KeyOf(*written), ValueOf(*written, 1));
      if (!status.ok()) break;
    }
    if (!status.ok() && !absl::IsResourceExhausted(status)) {
      return absl::StrCat("put: ", status.ToString());
    }
    status = db->Sync();
    if (!status.ok()) return absl::StrCat("sync: ", status.ToString());
    if (!db->BackgroundStatus().ok()) return std::string("read-only for good");
    if (!closes) CloseAll(&taken);
    return CheckAll(db, 0, *written, 1);
  });
  EXPECT_GE(*written, kFew);
  Run("open again", kFewDescriptors, [&](DB* db) {
    if (!db->GetStats().recovery.was_clean) return std::string("not closed");
    return First({CheckAll(db, 0, *written, 1), CheckCount(db, *written),
                  PutAll(db, *written, 2 * *written, 1), Verify(db)});
  });
}

// When descriptors are available again, writing continues in the same opening, as after a full
// disk.
TEST_P(LimitsTest, WritingGoesOnWhenThereAreDescriptorsAgain) {
  constexpr int kFew = 20 * kPutsPerSegment;
  Run("write", kFewDescriptors, [&](DB* db) {
    std::string complaint = PutAll(db, 0, kFew, 1);
    for (int round = 0; round < 3 && complaint.empty(); ++round) {
      std::vector<int> taken = TakeAllDescriptors();
      int i = 0;
      while (i < kFew && db->Put(KeyOf(i), ValueOf(i, 2)).ok()) ++i;
      CloseAll(&taken);
      complaint = First({CheckAll(db, 0, i, 2), PutAll(db, 0, kFew, 1), CheckAll(db, 0, kFew, 1)});
    }
    return complaint;
  });
  Run("open again", kFewDescriptors, [&](DB* db) {
    return First({CheckAll(db, 0, kFew, 1), Verify(db)});
  });
}

// ---- mappings ----

constexpr rlim_t kManyDescriptors = 1024;
// A quarter of the mappings, and those of segments that are only written to: the active segment,
// the next one, and the few that wait to be sealed.
constexpr size_t kMostMapped = kFewMappings / 4 + 2;
constexpr uint64_t kOpenFiles = 16;
constexpr size_t kMostUnsealed = kOpenFiles / 4 + 1;

TEST_P(LimitsTest, FewMappings) {
  FewMappings file_system;
  options_.file_system = &file_system;
  options_.max_open_files = kOpenFiles;
  Run("write", kManyDescriptors, [&](DB* db) {
    for (int i = 0; i < kKeys; i += kKeys / 8) {
      const std::string complaint = PutAll(db, i, i + kKeys / 8, 1);
      if (!complaint.empty()) return complaint;
      const size_t mapped = SegmentMappings();
      if (mapped > kMostMapped + kMostUnsealed) return absl::StrCat(mapped, " mappings");
    }
    // The sync waits for the seals of earlier segments.
    const std::string complaint =
        First({CheckAll(db, 0, kKeys, 1), CheckCount(db, kKeys), Verify(db)});
    if (!complaint.empty()) return complaint;
    const size_t mapped = SegmentMappings();
    return mapped <= kMostMapped ? "" : absl::StrCat(mapped, " mappings after a sync");
  });
  Run(
      "write and die", kManyDescriptors,
      [&](DB* db) {
        // Half of the mappings are kept for segments to come.
        const size_t found = SegmentMappings();
        if (found > kFewMappings / 8 + 1) return absl::StrCat(found, " mappings at first");
        const std::string complaint =
            First({CheckAll(db, 0, kKeys, 1), PutAll(db, 0, kUnlistedKeys, 2)});
        const size_t mapped = SegmentMappings();
        if (mapped > kMostMapped) return absl::StrCat(mapped, " mappings");
        if (complaint.empty()) ::raise(SIGKILL);
        return complaint;
      },
      kKilled);
  EXPECT_EQ(InProcess(kManyDescriptors, [&] { return VerifyClosed(); }), "");
  Run("recover", kManyDescriptors, [&](DB* db) {
    return First({CheckAll(db, 0, kUnlistedKeys, 2), CheckAll(db, kUnlistedKeys, kKeys, 1),
                  CheckCount(db, kKeys)});
  });
}

// Mappings belong to the process, whichever databases it has.
TEST_P(LimitsTest, DatabasesShareTheMappings) {
  constexpr int kFew = 30 * kPutsPerSegment;
  FewMappings file_system;
  options_.file_system = &file_system;
  options_.max_open_files = kOpenFiles;
  const std::string complaint = InProcess(kManyDescriptors, [&] {
    std::string wrong = WithOpen([&](DB* first) {
      auto second = DB::Open(root_ + "/second", options_);
      if (!second.ok()) return absl::StrCat("open: ", second.status().ToString());
      std::string put = First({PutAll(first, 0, kFew, 1), PutAll(second->get(), 0, kFew, 2)});
      if (!put.empty()) return put;
      const size_t mapped = SegmentMappings();
      if (mapped > kMostMapped + 2) return absl::StrCat(mapped, " mappings");
      return First({CheckAll(first, 0, kFew, 1), CheckAll(second->get(), 0, kFew, 2)});
    });
    // Mappings that one database gives back are available to the next.
    if (wrong.empty() && SegmentMappings() != 0) wrong = "mappings are left";
    if (wrong.empty() && file_system.mapping_budget()->left(kFewMappings) != kFewMappings / 4) {
      wrong = "mappings are not given back";
    }
    return wrong;
  });
  EXPECT_EQ(complaint, "");
}

// From some moment on no mapping succeeds, not even for the segment being written.
TEST_P(LimitsTest, MappingsFailAtSomeTime) {
  constexpr int kFew = 20 * kPutsPerSegment;
  for (const uint64_t works : {0, 1, 15}) {
    SCOPED_TRACE(works);
    fs::remove_all(path_);
    FaultFileSystem file_system(PosixFileSystem());
    FaultPlan plan;
    plan.call = works + 1;
    plan.for_ever = true;
    plan.fault = Fault::kEnospc;  // has the same code as ENOMEM
    plan.matches = [](const Call& call) { return call.kind == CallKind::kMap; };
    file_system.SetPlan(plan);
    options_.file_system = &file_system;
    Run("write", kManyDescriptors, [&](DB* db) {
      return First({PutAll(db, 0, kFew, 1), CheckAll(db, 0, kFew, 1)});
    });
    Run("open again", kManyDescriptors, [&](DB* db) {
      PinnedValue value;
      if (!db->Get(KeyOf(0), &value).ok() || value.value() != ValueOf(0, 1)) {
        return std::string("pinned value");
      }
      return First(
          {CheckAll(db, 0, kFew, 1), PutAll(db, 0, kFew, 2), CheckAll(db, 0, kFew, 2), Verify(db)});
    });
  }
}

// ---- what these limits are for ----

class ManySegmentsTest : public LimitsTest {};

INSTANTIATE_TEST_SUITE_P(Hash, ManySegmentsTest,
                         testing::Values(Modes{"hash", AppendMode::kMapped, ReadMode::kMapped}),
                         [](const auto& tested) { return ToString(tested.param); });

// Writes more segments in one opening than a process may have mappings. Without RUMCASK_FULL=1 it
// only writes more than it may have descriptors.
TEST_P(ManySegmentsTest, AreWrittenReadAndOpenedAgain) {
  constexpr rlim_t kDescriptors = 256;
  const bool full = std::getenv("RUMCASK_FULL") != nullptr;
  const int segments = full ? 70000 : 1000;
  const int keys = segments * kPutsPerSegment;
  const auto check = [&](DB* db) {
    return First({CheckAll(db, 0, keys, 1), CheckCount(db, keys)});
  };
  Run("write", kDescriptors, [&](DB* db) { return First({PutAll(db, 0, keys, 1), check(db)}); });
  Run("open again", kDescriptors, [&](DB* db) {
    const size_t mapped = SegmentMappings();
    if (mapped > PosixFileSystem()->Limits().mappings / 4) return std::string("too many mappings");
    return First({check(db), PutAll(db, 0, keys / 100, 1), check(db)});
  });
  EXPECT_EQ(InProcess(kDescriptors, [&] { return VerifyClosed(); }), "");
}

}  // namespace
}  // namespace rumcask
