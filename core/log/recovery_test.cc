// What recovery believes, which numbers follow, and what committing it changes. The table of what
// it makes of all kinds of tails is recovery_tails_test.cc.

#include "core/log/recovery.h"

#include "absl/strings/match.h"
#include "gtest/gtest.h"

#include "core/log/live_set.h"
#include "tests/recovery_kit/recovery_fixture.h"

namespace rumcask {
namespace {

// The header says what was durable when the segment was born, and that is what sealed segments are
// trusted by which MANIFEST does not list.
TEST_F(RecoveryTest, WhatAHeaderVouchesForIsNotReadAgain) {
  SegmentBytes first = First();
  SegmentBytes second(first, 2, /*durable_sequence=*/2);
  second.AddPut(3, "c", "3");
  first.Seal();
  first.bytes()[first.offset(0) + 25] ^= 1;
  Write(1, first);
  Write(2, second);
  const RecoveredLog log = MustFind();
  EXPECT_EQ(IdsOf(log), (Ids{1, 2}));
  EXPECT_TRUE(log.segments[0].vouched_for);
  EXPECT_FALSE(log.segments[1].vouched_for);
  EXPECT_EQ(log.report.scanned_segments, 1u);
  EXPECT_EQ(log.durable_sequence, 2u);
}

TEST_F(RecoveryTest, AMarkBehindItVouchesForASegmentWithARottenRecord) {
  SegmentBytes first = First();
  // Born before the sealing of the first, so that its header vouches for nothing.
  SegmentBytes second = SegmentBytes(first, 2).AddPut(3, "c", "3");
  const SegmentBytes unmarked = second;
  first.Seal();
  first.bytes()[first.offset(1) + 25] ^= 1;
  Write(1, first);
  Write(2, second.AddMark(2).AddPut(4, "d", "4"));
  RecoveredLog log = MustFind();
  EXPECT_EQ(IdsOf(log), (Ids{1, 2}));
  EXPECT_TRUE(log.segments[0].vouched_for);
  EXPECT_EQ(log.last_sequence, 4u);
  // Also from further behind.
  Write(2, unmarked);
  Write(3, SegmentBytes(unmarked, 3).AddPut(4, "d", "4").AddMark(3));
  log = MustFind();
  EXPECT_EQ(IdsOf(log), (Ids{1, 2, 3}));
  EXPECT_TRUE(log.segments[0].vouched_for);
  // Without a mark it is a torn tail that was never promised.
  disk_.RemoveFile(std::string(kPath) + "/" + SegmentName(3));
  log = MustFind();
  EXPECT_EQ(IdsOf(log), Ids{1});
  EXPECT_EQ(log.last_sequence, 1u);
}

TEST_F(RecoveryTest, ATornFooterOfWhatWasDurableIsReadRecordByRecord) {
  SegmentBytes first = First();
  const SegmentBytes second = SegmentBytes(first, 2, /*durable_sequence=*/2).AddPut(3, "c", "3");
  first.Seal();
  first.bytes()[first.records_end()] ^= 1;
  Write(1, first);
  Write(2, second);
  const RecoveredLog log = MustFind();
  EXPECT_EQ(IdsOf(log), (Ids{1, 2}));
  EXPECT_FALSE(log.segments[0].vouched_for);
  EXPECT_FALSE(log.segments[0].has_footer);
  EXPECT_EQ(log.report.dropped_bytes, 0u);
}

TEST_F(RecoveryTest, TheHighestNumberIsThatOfAllThatIsSeen) {
  // More than an unclean end leaves behind.
  constexpr uint64_t kHigh = 3 * kSequenceBlock + 500;
  SegmentBytes sealed = SegmentBytes(kUuid, 1).AddPut(kHigh, "a", "1").Seal();
  Write(1, sealed);
  manifest_.clean = true;
  manifest_.Append(1, Stream::kUser, /*sealed=*/true, 0);
  RecoveredLog log = MustFind();
  EXPECT_EQ(log.last_sequence, kHigh);
  EXPECT_GT(log.next_sequence, kHigh);
  // The same without a footer: told by the records...
  sealed.bytes().resize(sealed.bytes().size() - 8);
  Write(1, sealed);
  log = MustFind();
  EXPECT_EQ(log.last_sequence, kHigh);
  EXPECT_GT(log.next_sequence, kHigh);
  // ... or by the successor.
  SegmentBytes whole = SegmentBytes(kUuid, 1).AddPut(kHigh, "a", "1");
  Write(2, SegmentBytes(whole, 2).Seal());
  manifest_.Append(2, Stream::kUser, /*sealed=*/true, 0);
  EXPECT_GT(MustFind().next_sequence, kHigh);
}

TEST_F(RecoveryTest, ACleanManifestFromBeforeTheLastWritesIsNotClean) {
  manifest_.clean = true;
  manifest_.durable_sequence = 1;
  Write(1, SegmentBytes(kUuid, 1).AddPut(1, "a", "1").AddPut(2, "b", "2"));
  const RecoveredLog log = MustFind();
  EXPECT_EQ(log.last_sequence, 2u);
  EXPECT_FALSE(log.report.was_clean);
  EXPECT_FALSE(log.continues_last);
  EXPECT_GT(log.next_sequence, 3u);
}

TEST_F(RecoveryTest, NumbersAreLeftBehindAfterEveryUncleanEnd) {
  // Nothing at all is left, yet numbers may have been given out.
  EXPECT_GT(MustFind().next_sequence, uint64_t{1} << 40);
  manifest_.clean = true;
  EXPECT_EQ(MustFind().next_sequence, 1u);
}

TEST_F(RecoveryTest, OnlyWhatManifestKnowsIsContinued) {
  SegmentBytes first = First();
  Write(1, first);
  manifest_.clean = true;
  manifest_.durable_sequence = 2;
  manifest_.Append(1, Stream::kUser, /*sealed=*/false, first.records_end());
  EXPECT_TRUE(MustFind().continues_last);
  // After an unclean end not even what ends where MANIFEST says.
  manifest_.clean = false;
  EXPECT_FALSE(MustFind().continues_last);
  manifest_.clean = true;
  // Somebody has written on: a copy of MANIFEST from before.
  first.AddPut(3, "c", "3");
  Write(1, first);
  const RecoveredLog log = MustFind();
  EXPECT_FALSE(log.continues_last);
  EXPECT_EQ(log.last_sequence, 3u);
}

TEST_F(RecoveryTest, ALastSealedSegmentThatIsTooShortIsDamage) {
  SegmentBytes sealed = First().Seal();
  manifest_.clean = true;
  manifest_.durable_sequence = 2;
  manifest_.Append(1, Stream::kUser, /*sealed=*/true, 0);
  Write(1, sealed.bytes().substr(0, sealed.offset(1)));
  EXPECT_TRUE(absl::IsDataLoss(Find().status()));
  Write(1, sealed.bytes().substr(0, sealed.records_end()));
  EXPECT_TRUE(Find().ok());
}

TEST_F(RecoveryTest, WhatManifestDoesNotListIsDead) {
  const SegmentBytes first = First();
  Write(1, first);
  Write(2, SegmentBytes(first, 2).AddPut(9, "old", "x").AddMark(9));
  manifest_.clean = true;
  manifest_.durable_sequence = 2;
  manifest_.highest_id = 2;
  manifest_.Append(1, Stream::kUser, /*sealed=*/false, first.records_end());
  manifest_.highest_id = 2;
  const RecoveredLog log = MustFind();
  EXPECT_EQ(IdsOf(log), Ids{1});
  EXPECT_EQ(log.doomed, Ids{2});
  EXPECT_EQ(log.durable_sequence, 2u);
}

TEST_F(RecoveryTest, ADirectoryNamedLikeASegmentIsLeftAlone) {
  Write(1, First());
  ASSERT_TRUE(disk_.CreateDirectory(std::string(kPath) + "/" + SegmentName(7)).ok());
  const RecoveredLog log = MustFind();
  EXPECT_EQ(IdsOf(log), Ids{1});
  EXPECT_TRUE(log.doomed.empty());
  EXPECT_EQ(log.highest_id, 7u);
  // One by the last name there is uses up no ids.
  ASSERT_TRUE(disk_.CreateDirectory(std::string(kPath) + "/" + SegmentName(kEndOfNumbers)).ok());
  EXPECT_EQ(MustFind().highest_id, 7u);
  // Where MANIFEST lists a segment it is damage.
  manifest_.Append(7, Stream::kUser, /*sealed=*/true, 0);
  const absl::Status status = Find().status();
  EXPECT_TRUE(absl::IsDataLoss(status)) << status;
  EXPECT_TRUE(absl::StrContains(status.message(), "regular file")) << status;
}

TEST_F(RecoveryTest, CommittingKeepsTheEvidence) {
  SegmentBytes first = First();
  first.AddMark(2).AddPut(3, "c", "3");
  Write(1, first);
  const uint64_t next_sequence = MustFind().next_sequence;
  auto directory = disk_.OpenDirectory(kPath);
  LiveSet live_set(directory->get());
  live_set.Begin(MustFind(), /*made_in=*/nullptr);
  bool final = false;
  ASSERT_TRUE(live_set.CommitRecovery(&final).ok());
  const auto written = ReadManifest(directory->get());
  ASSERT_TRUE(written.ok());
  EXPECT_EQ(written->manifest.durable_sequence, 3u);
  EXPECT_EQ(written->manifest.next_sequence, next_sequence);
  EXPECT_FALSE(written->manifest.clean);
}

TEST_F(RecoveryTest, CommittingReadsNothingThatWasVouchedFor) {
  SegmentBytes first = First();
  SegmentBytes second = SegmentBytes(first, 2, /*durable_sequence=*/2).AddPut(3, "c", "3");
  first.Seal();
  first.bytes()[first.offset(0) + 25] ^= 1;
  Write(1, first);
  Write(2, second);
  auto directory = disk_.OpenDirectory(kPath);
  LiveSet live_set(directory->get());
  live_set.Begin(MustFind(), /*made_in=*/nullptr);
  bool final = false;
  const absl::Status status = live_set.CommitRecovery(&final);
  ASSERT_TRUE(status.ok()) << status;
  const RecoveredLog& log = live_set.recovered();
  EXPECT_TRUE(log.segments[0].listed_sealed);
  EXPECT_TRUE(log.segments[1].has_footer);
  // The footer may have been in the page cache only. Now it is durable.
  CrashFileSystem after(disk_.Cut(KeepPolicy::DropUnsynced()));
  EXPECT_EQ(after.Contents(kPath)[SegmentName(1)], first.bytes());
  const ManifestRange* const range = live_set.manifest().Find(1);
  ASSERT_NE(range, nullptr);
  EXPECT_TRUE(range->sealed);
}

}  // namespace
}  // namespace rumcask
