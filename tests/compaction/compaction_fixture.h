// A database on a simulated disk, for the tests of compaction.

#ifndef RUMCASK_TESTS_COMPACTION_COMPACTION_FIXTURE_H_
#define RUMCASK_TESTS_COMPACTION_COMPACTION_FIXTURE_H_

#include <atomic>
#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"

#include "core/check/verify.h"
#include "core/compaction/compaction.h"
#include "core/db.h"
#include "core/format/format.h"
#include "core/format/limits.h"
#include "core/listener.h"
#include "core/stats.h"
#include "core/store.h"
#include "core/system/reader_epoch.h"
#include "keystores/btree/btree_keystore.h"
#include "keystores/flat/flat_keystore.h"
#include "keystores/hash/hash_keystore.h"
#include "tests/crash_kit/adversarial_index.h"
#include "tests/crash_kit/crash_file_system.h"
#include "tests/crash_kit/fault_file_system.h"

namespace rumcask {

inline constexpr char kPath[] = "/crash/db";

class DamageNotes : public Listener {
 public:
  void OnDamage(const absl::Status& status) override { messages.emplace_back(status.message()); }
  void OnSegmentSealed(uint64_t /*segment_id*/, uint64_t /*bytes*/) override {
    if (on_sealed) on_sealed();
  }
  std::vector<std::string> messages;
  std::function<void()> on_sealed;
};

struct DbTestPeer {
  static Compactor* CompactorOf(DB* db) { return db->store_->compactor_.get(); }
  static HeldLocations* HeldOf(DB* db) { return &db->store_->held_locations_; }
  static absl::Status AppendFence(DB* db) {
    CompactionParts parts = {};
    parts.log = &db->store_->log_;
    parts.index = &db->store_->index_;
    NewRecord fence;
    return ::rumcask::AppendFence(parts, &fence, /*ends_segment=*/false);
  }
};

class CompactorTest : public testing::Test {
 protected:
  CompactorTest() {
    options_.keystore = HashKeystore();
    options_.create_if_missing = true;
    options_.segment_bytes = kMinSegmentBytes;
    options_.background_threads = 0;
    options_.compaction.automatic = false;
    options_.read_mode = ReadMode::kPread;
    options_.file_system = &faults_;
    options_.listener = notes_;
  }
  ~CompactorTest() override {
    faults_.SetHook(nullptr);
    index_->SetObserver(nullptr);
  }

  void Open() {
    db_.reset();
    auto db = DB::Open(path_, options_);
    ASSERT_TRUE(db.ok()) << db.status();
    db_ = *std::move(db);
  }
  void PutIndexOnDisk() {
    options_.keystore = index_->Keystore("adversarial", /*reports_replaced=*/true);
  }
  void Put(const std::string& key, const std::string& value) {
    const absl::Status status = db_->Put(key, value);
    ASSERT_TRUE(status.ok()) << status;
  }
  // Ten keys with long values, so that a segment holds four of them.
  void PutTen(const std::string& what) {
    for (int i = 0; i < 10; ++i) Put(absl::StrCat("key", i), Value(what, i));
  }
  static std::string Value(const std::string& what, int i) {
    return absl::StrCat(what, i, std::string(900, '.'));
  }
  std::string Get(const std::string& key) {
    std::string value;
    const absl::Status status = db_->Get(key, &value);
    return status.ok() ? value : status.ToString();
  }
  CompactionReport CompactAll() {
    CompactionReport report;
    const absl::Status status = db_->CompactAll(&report);
    EXPECT_TRUE(status.ok()) << status;
    return report;
  }
  // Fills the active segment with one record and fences, so that nothing fits behind them, not even
  // a fence, which takes `fence_bytes`: twice its own where each comes with a sync mark.
  void FillActive(uint64_t fence_bytes = kRecordHeaderBytes) {
    const uint64_t kept = kMinSegmentBytes / 16;
    const uint64_t left =
        kMinSegmentBytes - kept - kSegmentHeaderBytes - db_->GetStats().segments.back().log_bytes;
    ASSERT_GT(left, kRecordHeaderBytes + 8);
    Put("last", std::string(left - kRecordHeaderBytes - 4, 'l'));
    const size_t segments = Segments();
    const uint64_t fits = kMinSegmentBytes - kSegmentHeaderBytes - fence_bytes;
    while (db_->GetStats().segments.back().log_bytes <= fits) {
      ASSERT_TRUE(DbTestPeer::AppendFence(db_.get()).ok());
      // What is kept free is for them.
      ASSERT_EQ(Segments(), segments);
    }
  }
  size_t Segments() { return db_->GetStats().segments.size(); }
  void ExpectSound() {
    const auto report = db_->Verify();
    ASSERT_TRUE(report.ok()) << report.status();
    EXPECT_TRUE(report->clean()) << report->damages[0].file << " " << report->damages[0].cause;
  }

  // Compacts on another thread, once, when the calling thread reads a segment.
  void CompactWhenASegmentIsRead(CompactionReport* report) {
    faults_.SetHook([this, report, reader = std::this_thread::get_id()](const Call& call) {
      if (call.kind != CallKind::kRead || !absl::EndsWith(call.name, ".seg") ||
          std::this_thread::get_id() != reader || std::exchange(compacted_, true)) {
        return;
      }
      std::thread([this, report] { *report = CompactAll(); }).join();
    });
  }

  std::string path_ = kPath;
  CrashFileSystem disk_;
  FaultFileSystem faults_{&disk_};
  std::shared_ptr<AdversarialDisk> index_ = AdversarialDisk::Make();
  std::shared_ptr<DamageNotes> notes_ = std::make_shared<DamageNotes>();
  Options options_;
  std::unique_ptr<DB> db_;
  bool compacted_ = false;
};

}  // namespace rumcask

#endif  // RUMCASK_TESTS_COMPACTION_COMPACTION_FIXTURE_H_
