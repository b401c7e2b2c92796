// The common fixture of the tests for holes between the log and an index on disk. Both are on
// simulated disks whose power can be cut.

#ifndef RUMCASK_TESTS_CRASH_INDEX_HOLES_FIXTURE_H_
#define RUMCASK_TESTS_CRASH_INDEX_HOLES_FIXTURE_H_

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <thread>
#include <utility>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"

#include "core/db.h"
#include "core/format/manifest.h"
#include "core/stats.h"
#include "tests/crash/holes_fixture.h"
#include "tests/crash_kit/adversarial_index.h"
#include "tests/crash_kit/crash_file_system.h"

namespace rumcask {

// The parameter: whether the index reports what a change replaces.
class IndexHolesTest : public testing::TestWithParam<bool> {
 protected:
  IndexHolesTest()
      : disk_(std::make_unique<CrashFileSystem>()), index_disk_(AdversarialDisk::Make()) {
    options_.create_if_missing = true;
    options_.segment_bytes = uint64_t{4} << 20;
    options_.background_threads = 0;
    UseDisks();
    options_.keystore->buffer_bytes = 4096;
  }
  ~IndexHolesTest() override { index_disk_->SetObserver(nullptr); }

  void UseDisks() {
    const uint64_t buffer_bytes = options_.keystore ? options_.keystore->buffer_bytes : 0;
    options_.keystore = index_disk_->Keystore("adversarial", GetParam());
    options_.keystore->buffer_bytes = buffer_bytes;
    options_.file_system = disk_.get();
  }

  void Open() {
    db_.reset();
    auto db = DB::Open(kPath, options_);
    ASSERT_TRUE(db.ok()) << db.status();
    db_ = *std::move(db);
  }
  void Put(const std::string& key, const std::string& value, bool sync = false) {
    const absl::Status status = db_->Put(key, value, {sync});
    ASSERT_TRUE(status.ok()) << status;
  }
  std::string Get(const std::string& key, const Snapshot* snapshot = nullptr) {
    std::string value;
    const absl::Status status = db_->Get(key, &value, {snapshot});
    return status.ok() ? value : absl::StrCat("<", status.ToString(), ">");
  }
  bool Has(const std::string& key) { return db_->Get(key).ok(); }

  // Writes other keys until all earlier writes are in the index and in no buffer.
  void PushOut() {
    Put("push", "out");
    const uint64_t version = db_->GetStats().last_version;
    for (int i = 0; db_->GetStats().index_version < version; ++i) {
      ASSERT_LT(i, 10000) << "nothing reaches the index";
      Put(absl::StrCat("pushed", i), "out");
    }
  }

  // Calls `act` in another thread at the next lookup in the index: before it ("get") or after it
  // ("got").
  void AtNextLook(const char* when, std::function<void()> act) {
    index_disk_->SetObserver([this, when, act = std::move(act)](const char* what) {
      if (std::string_view(what) != when) return;
      index_disk_->SetObserver(nullptr);
      std::thread(act).join();
    });
  }

  void Crash(const KeepPolicy& policy, IndexFate fate, uint64_t seed = 0) {
    const std::shared_ptr<AdversarialDisk> index = index_disk_->Cut(fate, seed);
    StartFrom(disk_->Cut(policy), index);
  }
  void StartFrom(const CrashImage& image, const std::shared_ptr<AdversarialDisk>& index) {
    auto disk = std::make_unique<CrashFileSystem>(image);
    disk_->SetObserver(nullptr);
    index_disk_->SetObserver(nullptr);
    db_.reset();
    disk_ = std::move(disk);
    index_disk_ = index;
    UseDisks();
  }
  Manifest StoredManifest() {
    auto manifest = ReadManifest(disk_->OpenDirectory(kPath)->get());
    EXPECT_TRUE(manifest.ok()) << manifest.status();
    return manifest->manifest;
  }

  std::unique_ptr<CrashFileSystem> disk_;
  std::shared_ptr<AdversarialDisk> index_disk_;
  Options options_;
  std::unique_ptr<DB> db_;
};

}  // namespace rumcask

#endif  // RUMCASK_TESTS_CRASH_INDEX_HOLES_FIXTURE_H_
