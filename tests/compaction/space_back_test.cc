// What is not needed any more gives its space back, on every keystore.

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"

#include "core/check/verify.h"
#include "core/compaction/compaction.h"
#include "core/db.h"
#include "core/format/format.h"
#include "core/log/space.h"
#include "core/stats.h"
#include "core/store.h"
#include "keystores/by_name.h"
#include "tests/kill/scratch_directory.h"

namespace rumcask {

struct DbTestPeer {
  static uint64_t TombstoneBytes(const DB& db) {
    uint64_t bytes = 0;
    for (const std::shared_ptr<Segment>& segment : db.store_->log_.Segments()) {
      bytes += segment->tombstone_bytes.load();
    }
    return bytes;
  }
};

namespace {

class SpaceBackTest : public testing::TestWithParam<std::string> {
 protected:
  SpaceBackTest() {
    options_.keystore = *KeystoreByName(GetParam());
    options_.keystore->buffer_bytes = uint64_t{256} << 10;
    options_.create_if_missing = true;
  }
  void Open(const std::string& name = "db") {
    db_.reset();
    absl::StatusOr<std::unique_ptr<DB>> db = DB::Open(scratch_.Path(name), options_);
    ASSERT_TRUE(db.ok()) << db.status();
    db_ = *std::move(db);
  }
  void Put(uint64_t i, uint64_t value_bytes = 100) {
    const absl::Status status = db_->Put(absl::StrCat("key", i), std::string(value_bytes, 'v'));
    ASSERT_TRUE(status.ok()) << status;
  }
  void Delete(uint64_t i) {
    const absl::Status status = db_->Delete(absl::StrCat("key", i));
    ASSERT_TRUE(status.ok()) << status;
  }
  void ExpectSound() {
    const auto report = db_->Verify();
    ASSERT_TRUE(report.ok()) << report.status();
    EXPECT_TRUE(report->clean()) << report->damages[0].file << " " << report->damages[0].cause;
  }

  ScratchDirectory scratch_;
  Options options_;
  std::unique_ptr<DB> db_;
};

// In one segment of the default size, which is never full, and in many small ones.
TEST_P(SpaceBackTest, OfEverythingDeletedNextToNothingStays) {
  for (const uint64_t segment_bytes : {options_.segment_bytes, uint64_t{256} << 10}) {
    options_.segment_bytes = segment_bytes;
    Open();
    ASSERT_TRUE(db_->PauseCompaction().ok());
    constexpr uint64_t kKeys = 100000;
    for (uint64_t i = 0; i < kKeys; ++i) Put(i);
    for (uint64_t i = 0; i < kKeys; ++i) Delete(i);
    EXPECT_GT(db_->GetStats().file_bytes, uint64_t{1} << 20);
    CompactionReport report;
    const absl::Status status = db_->CompactAll(&report);
    ASSERT_TRUE(status.ok()) << status;
    const Stats stats = db_->GetStats();
    // But for the file that the next segment will be.
    EXPECT_LE(stats.file_bytes - stats.prepared_bytes, uint64_t{1} << 20);
    EXPECT_LE(stats.index_file_bytes, uint64_t{1} << 20);
    // The fences of many jobs may be reason to end a segment once more. Then nothing is left.
    ASSERT_TRUE(db_->CompactAll(&report).ok());
    const uint64_t last = db_->GetStats().segments.back().id;
    ASSERT_TRUE(db_->CompactAll(&report).ok());
    EXPECT_EQ(report.retired_segments, 0u);
    EXPECT_EQ(db_->GetStats().segments.back().id, last);
    ExpectSound();
    Open();
    const auto it = db_->NewIterator();
    ASSERT_TRUE(it.ok()) << it.status();
    EXPECT_FALSE((*it)->Valid());
    EXPECT_TRUE((*it)->status().ok());
    Put(1);
    Delete(1);
  }
}

// A window that slides over the keys, as of a queue: each put deletes the oldest key.
//
// A tombstone may go once the record that it hides has gone, which is about when the window has
// passed over that. It goes with its segment, of which the rest stays live until the window has
// passed over it, too. So tombstones take the share of the log that they take of what is written:
// one twentieth with values of 1,000 bytes, more with smaller ones.
TEST_P(SpaceBackTest, TombstonesOfASlidingWindowDoNotPileUp) {
  options_.segment_bytes = uint64_t{64} << 10;
  for (const uint64_t value_bytes : {100, 1000}) {
    const std::string path = absl::StrCat("window", value_bytes);
    Open(path);
    const uint64_t window = 2000000 / value_bytes;
    uint64_t most = 0;
    uint64_t log_then = 1;
    uint64_t memory = 0;
    for (uint64_t i = 0; i < 21 * window; ++i) {
      Put(i, value_bytes);
      if (i >= window) Delete(i - window);
      if (i == 3 * window) memory = db_->GetStats().index_bytes;
      if (i > 3 * window && i % (window / 4) == 0) {
        const uint64_t tombstones = DbTestPeer::TombstoneBytes(*db_);
        const uint64_t log = db_->GetStats().log_bytes;
        if (tombstones * log_then > most * log) {
          most = tombstones;
          log_then = log;
        }
      }
    }
    std::printf(
        "%s, %u-byte values: tombstones took at most %.1f %% of the log of %.1f MiB; index %.1f "
        "MiB, then %.1f\n",
        GetParam().c_str(), static_cast<unsigned>(value_bytes),
        100.0 * static_cast<double>(most) / static_cast<double>(log_then),
        static_cast<double>(log_then) / (1 << 20), static_cast<double>(memory) / (1 << 20),
        static_cast<double>(db_->GetStats().index_bytes) / (1 << 20));
    // Not much more of the log than of what was written.
    const size_t key_bytes = absl::StrCat("key", 21 * window).size();
    const uint64_t tombstone = RecordBytes(key_bytes, 0);
    const uint64_t pair = RecordBytes(key_bytes, value_bytes) + tombstone;
    EXPECT_LE(most * pair * 4, log_then * tombstone * 5);
    if (value_bytes == 1000) {
      EXPECT_LE(20 * most, log_then);
    }
    // RocksDB fills its memtable first.
    const uint64_t memtable = GetParam() == "rocksdb" ? uint64_t{64} << 20 : 0;
    EXPECT_LE(db_->GetStats().index_bytes, std::max(2 * memory, memtable * 5 / 4));
    std::string value;
    for (uint64_t i = 19 * window; i < 21 * window; ++i) {
      const absl::Status status = db_->Get(absl::StrCat("key", i), &value);
      ASSERT_EQ(status.ok(), i >= 20 * window) << i << ": " << status;
    }
    ExpectSound();
  }
}

INSTANTIATE_TEST_SUITE_P(Keystores, SpaceBackTest, testing::ValuesIn(KeystoreNames()),
                         [](const auto& param) { return param.param; });

}  // namespace
}  // namespace rumcask
