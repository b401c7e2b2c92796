// The common fixture of the holes tests: a database on a simulated disk whose power can be cut.
//
// A hole is a way in which a log with a separate index could lose data. Each test replays one crash
// or interleaving step by step and checks the outcome. tests/README.md describes the holes by
// number.

#ifndef RUMCASK_TESTS_CRASH_HOLES_FIXTURE_H_
#define RUMCASK_TESTS_CRASH_HOLES_FIXTURE_H_

#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <thread>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"

#include "core/check/verify.h"
#include "core/db.h"
#include "core/format/limits.h"
#include "core/testing/map_keystore.h"
#include "tests/crash_kit/crash_file_system.h"

namespace rumcask {

inline constexpr const char* kPath = "/crash/db";

inline std::string SegmentPath(int id) {
  return absl::StrCat(kPath, "/000000000000000", id, ".seg");
}
inline std::string Key(int i) { return "key" + std::to_string(i); }

class HolesTest : public testing::TestWithParam<AppendMode> {
 protected:
  HolesTest() : disk_(std::make_unique<CrashFileSystem>()) { options_ = MakeOptions(disk_.get()); }
  ~HolesTest() override { db_.reset(); }

  static Options MakeOptions(FileSystem* file_system) {
    Options options;
    options.keystore = TestKeystore();
    options.create_if_missing = true;
    options.segment_bytes = kMinSegmentBytes;
    options.append_mode = GetParam();
    options.background_threads = 0;
    options.file_system = file_system;
    return options;
  }

  absl::Status TryOpen() {
    db_.reset();
    auto db = DB::Open(kPath, options_);
    if (db.ok()) db_ = std::move(*db);
    return db.status();
  }
  void Open() {
    const absl::Status status = TryOpen();
    ASSERT_TRUE(status.ok()) << status;
  }
  void Put(const std::string& key, const std::string& value, bool sync = false) {
    const absl::Status status = db_->Put(key, value, {sync});
    ASSERT_TRUE(status.ok()) << status;
  }
  std::string Get(const std::string& key) {
    auto value = db_->Get(key);
    return value.ok() ? *value : absl::StrCat("<", value.status().ToString(), ">");
  }
  bool Has(const std::string& key) { return db_->Get(key).ok(); }

  // Cuts the power: only what `policy` lets the disk keep remains.
  void CutPower(const KeepPolicy& policy) { StartFrom(disk_->Cut(policy)); }
  // Kills the process. A later power cut can still lose what it did not sync.
  void Kill() { GoOnWith(disk_->AfterKill()); }
  void StartFrom(const CrashImage& image) { GoOnWith(std::make_unique<CrashFileSystem>(image)); }
  void GoOnWith(std::unique_ptr<CrashFileSystem> disk) {
    disk_->SetObserver(nullptr);
    db_.reset();
    disk_ = std::move(disk);
    options_.file_system = disk_.get();
  }
  // All files but LOCK, which only names the process that has the database open.
  std::map<std::string, std::string> Files() {
    std::map<std::string, std::string> files = disk_->Contents(kPath);
    files.erase("LOCK");
    return files;
  }
  bool FileExists(int id) { return Files().count(absl::StrCat("000000000000000", id, ".seg")) > 0; }

  // Checks that the database holds Key(0) to Key(i-1) and nothing else. Returns i.
  int PrefixLength() {
    int found = 0;
    while (Has(Key(found))) ++found;
    EXPECT_EQ(db_->KeyCount(), static_cast<uint64_t>(found)) << "the writes found have holes";
    auto report = db_->Verify();
    EXPECT_TRUE(report.ok() && report->clean());
    return found;
  }

  std::unique_ptr<CrashFileSystem> disk_;
  Options options_;
  std::unique_ptr<DB> db_;
};

// Blocks the first file operation that `matches` until Release.
class Stall {
 public:
  using Matcher = std::function<bool(const std::string& what, const std::string& name)>;

  Stall(CrashFileSystem* disk, Matcher matches) {
    disk->SetObserver([state = state_, matches = std::move(matches)](
                          uint64_t, const char* what, const std::string& name, bool after) {
      if (after || !matches(what, name) || state->reached.exchange(true)) return;
      while (!state->released.load()) std::this_thread::yield();
    });
  }

  void AwaitReached() {
    while (!state_->reached.load()) std::this_thread::yield();
  }
  void Release() { state_->released.store(true); }

 private:
  struct State {
    std::atomic<bool> reached{false};
    std::atomic<bool> released{false};
  };

  // Shared, because the disk's observer may outlive this object.
  const std::shared_ptr<State> state_ = std::make_shared<State>();
};

inline bool IsSegmentSync(const std::string& what, const std::string& name) {
  return what == "sync" && absl::EndsWith(name, ".seg");
}

}  // namespace rumcask

#endif  // RUMCASK_TESTS_CRASH_HOLES_FIXTURE_H_
