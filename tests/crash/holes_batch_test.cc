// Holes about batches: H19.

#include <string>

#include "gtest/gtest.h"

#include "core/stats.h"
#include "tests/crash/holes_fixture.h"

namespace rumcask {
namespace {

// H19. The last operation of a batch on a key wins, whether the index comes from the write, from a
// clean reopening or from recovery.
TEST_P(HolesTest, H19_TheLastOfABatchsDuplicatesWins) {
  Open();
  WriteBatch batch;
  batch.Put("k", "1");
  batch.Delete("k");
  batch.Put("k", "2");
  batch.Put("gone", "1");
  batch.Delete("gone");
  WriteResult result;
  ASSERT_TRUE(db_->Write(batch, {}, &result).ok());
  EXPECT_EQ(result.version, 5u);
  for (const bool clean : {false, true, false}) {
    std::string value;
    uint64_t version = 0;
    ASSERT_TRUE(db_->Get("k", &value, {}, &version).ok());
    EXPECT_EQ(value, "2");
    EXPECT_EQ(version, 3u);
    EXPECT_FALSE(Has("gone"));
    if (clean) {
      ASSERT_TRUE(db_->Close().ok());
      Open();
    } else {
      Kill();
      Open();
      // The first write after a kill gives the segment its footer.
      Put("another", "write");
    }
  }
}

// A batch torn at any byte is dropped as a whole.
TEST_P(HolesTest, H19_ABatchTornAnywhereIsGoneWhole) {
  Open();
  Put("before", "v");
  const uint64_t begin = db_->GetStats().log_bytes + 128;
  WriteBatch batch;
  for (int i = 0; i < 5; ++i) batch.Put(Key(i), std::string(100, 'v'));
  ASSERT_TRUE(db_->Write(batch).ok());
  const uint64_t end = db_->GetStats().log_bytes + 128;
  const CrashImage whole = disk_->Cut(KeepPolicy::KeepEverything());
  for (uint64_t at = begin; at < end; at += 8) {
    StartFrom(whole);
    disk_->TruncateFile(SegmentPath(1), at);
    Open();
    ASSERT_TRUE(Has("before"));
    ASSERT_EQ(db_->KeyCount(), 1u) << "cut at " << at;
    // The footer that the next write gives the segment must not bring it back either.
    Put("after", "v", true);
    ASSERT_TRUE(db_->Close().ok());
    Open();
    ASSERT_EQ(db_->KeyCount(), 2u) << "cut at " << at;
  }
}

// A batch that does not fit begins a new segment. A batch larger than segment_bytes gets a segment
// of its own size.
TEST_P(HolesTest, H19_ABatchLiesInOneSegment) {
  Open();
  Put("before", std::string(2000, 'v'));
  WriteBatch batch;
  for (int i = 0; i < 100; ++i) batch.Put(Key(i), std::string(500, 'v'));
  ASSERT_TRUE(db_->Write(batch).ok());
  const Stats stats = db_->GetStats();
  ASSERT_EQ(stats.segments.size(), 2u);
  EXPECT_EQ(stats.segments[1].records, 100u);
  Put("after", "v");
  Kill();
  Open();
  EXPECT_EQ(db_->KeyCount(), 102u);
}

}  // namespace
}  // namespace rumcask
