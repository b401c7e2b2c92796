// What a repair keeps, loses and counts, case by case. tests/corruption damages whole databases.

#include "core/check/repair.h"

#include <string>

#include "absl/strings/match.h"
#include "gtest/gtest.h"

#include "tests/recovery_kit/repair_fixture.h"

namespace rumcask {
namespace {

// ---- without MANIFEST ----

TEST_F(RepairTest, WithoutManifestTheSegmentsTell) {
  SegmentBytes first = First();
  SegmentBytes second = SegmentBytes(first, 2).AddPut(3, "a", "3");
  Write(1, first.Seal());
  Write(2, second);
  const RepairReport report = MustRepair();
  EXPECT_EQ(report.records_kept, 3u);
  EXPECT_TRUE(report.manifest_lost);
  EXPECT_FALSE(report.complete());
  EXPECT_EQ(report.records_dropped + report.bytes_dropped + report.bytes_unreadable, 0u);
  EXPECT_EQ(Read("a"), "3");
  EXPECT_EQ(Read("b"), "2");
}

TEST_F(RepairTest, NumbersGoOnAboveEverythingSeen) {
  Write(1, SegmentBytes(kUuid, 1).AddPut(669, "a", "old").AddPut(670, "b", "old").Seal());
  MustRepair();
  EXPECT_EQ(NewManifest().durable_sequence, 670u);
  auto db = DB::Open(kNew, TheOptions());
  ASSERT_TRUE(db.ok()) << db.status();
  for (const uint64_t version : {1u, 2u, 3u, 669u, 671u}) {
    EXPECT_FALSE((*db)->CompareAndPut("b", "wrong", version).ok());
  }
  WriteResult result;
  ASSERT_TRUE((*db)->Put("a", "new", {/*sync=*/true}, &result).ok());
  EXPECT_GT(result.version, 670u);
  CrashFileSystem killed(disk_.Cut(KeepPolicy::DropUnsynced()));
  Options options = TheOptions();
  options.file_system = &killed;
  auto again = DB::Open(kNew, options);
  ASSERT_TRUE(again.ok()) << again.status();
  std::string value;
  uint64_t version = 0;
  ASSERT_TRUE((*again)->Get("a", &value, {}, &version).ok());
  EXPECT_EQ(value, "new");
  EXPECT_EQ(version, result.version);
}

TEST_F(RepairTest, NumbersThatWereSeenOnlyInWhatIsDroppedAreNotGivenOutAgain) {
  SegmentBytes first = First();
  first.AddPut(3, "torn", "x").AddPut(4, "c", "never promised").AddPut(7 * kBlock, "d", "nor this");
  FlipValue(&first, 2);
  Write(1, first);
  WriteManifestFile();
  EXPECT_EQ(MustRepair().records_dropped, 2u);
  EXPECT_GT(NewManifest().next_sequence, 8 * kBlock);
}

TEST_F(RepairTest, OfTwoThatGoOnBehindOneSegmentTheLaterOneDoes) {
  SegmentBytes first = First();
  const SegmentBytes torn = SegmentBytes(first).AddPut(3, "a", "torn");
  // This segment was dropped by the opening that then wrote the third one.
  Write(2, SegmentBytes(torn, 2).AddPut(4, "a", "dropped").AddPut(5, "c", "dropped"));
  SegmentBytes third = SegmentBytes(first, 3).AddPut(2 * kBlock, "b", "new").AddMark(2 * kBlock);
  Write(1, first.Seal());
  Write(3, third.AddPut(2 * kBlock + 1, "d", "new"));
  RepairReport report = MustRepair();
  EXPECT_EQ(report.records_kept, 4u);
  EXPECT_EQ(report.records_dropped, 0u);
  EXPECT_EQ(Read("a"), "1");
  EXPECT_EQ(Read("b"), "new");
  EXPECT_EQ(Read("c"), "-");
}

TEST_F(RepairTest, OfTwoThatGoOnBehindOneSegmentTheLaterOneDoesThoughItIsDamaged) {
  SegmentBytes first = First();
  const SegmentBytes torn = SegmentBytes(first).AddPut(3, "a", "torn");
  Write(2, SegmentBytes(torn, 2).AddPut(4, "a", "dropped").AddPut(5, "c", "dropped"));
  SegmentBytes third = SegmentBytes(first, 3).AddPut(2 * kBlock, "b", "new").AddMark(2 * kBlock);
  third.AddPut(2 * kBlock + 1, "d", "new");
  FlipValue(&third, 0);
  Write(1, first.Seal());
  Write(3, third);
  EXPECT_GT(MustRepair().bytes_unreadable, 0u);
  EXPECT_EQ(Read("a"), "1");
  EXPECT_EQ(Read("c"), "-");
  EXPECT_EQ(Read("d"), "new");
}

TEST_F(RepairTest, WithoutManifestWhatFollowsAMissingSegmentIsKept) {
  SegmentBytes first = First();
  const SegmentBytes second = SegmentBytes(first, 2).AddPut(3, "a", "3");
  Write(1, first.Seal());
  Write(3, SegmentBytes(second, 3).AddPut(4, "c", "4"));
  const RepairReport report = MustRepair();
  EXPECT_EQ(report.segments_missing, 1u);
  EXPECT_EQ(report.records_kept, 3u);
  EXPECT_EQ(Read("c"), "4");
}

TEST_F(RepairTest, WithoutManifestAndHeaderTheNumbersTellWhatIsMissing) {
  SegmentBytes first = First();
  const SegmentBytes second = SegmentBytes(first, 2).AddPut(3, "a", "3");
  SegmentBytes third = SegmentBytes(second, 3).AddPut(4, "c", "4");
  third.bytes().replace(0, kSegmentHeaderBytes, kSegmentHeaderBytes, '\0');
  Write(1, first.Seal());
  Write(3, third);
  const RepairReport report = MustRepair();
  EXPECT_EQ(report.segments_missing, 1u);
  EXPECT_EQ(report.headers_damaged, 1u);
  EXPECT_EQ(Read("c"), "4");
}

TEST_F(RepairTest, ADamagedHeaderStillTellsTheDatabase) {
  SegmentBytes first = First();
  first.bytes()[50] ^= 1;
  Write(1, first);
  const RepairReport report = MustRepair();
  EXPECT_EQ(report.records_kept, 2u);
  EXPECT_EQ(report.headers_damaged, 1u);
  EXPECT_EQ(report.segments_missing, 0u);
}

TEST_F(RepairTest, WhereNothingTellsTheDatabaseThatIsSaid) {
  SegmentBytes first = First();
  first.bytes().replace(0, kSegmentHeaderBytes, kSegmentHeaderBytes, '\0');
  Write(1, first);
  EXPECT_TRUE(absl::IsDataLoss(Repair(kOld, kNew, &disk_).status()));
  EXPECT_TRUE(absl::IsNotFound(disk_.OpenDirectory(kNew).status()));
}

TEST_F(RepairTest, SegmentsOfTwoDatabasesAreRefused) {
  Write(1, First());
  Write(2, SegmentBytes(Uuid{1}, 2).AddPut(3, "c", "3"));
  EXPECT_TRUE(absl::IsFailedPrecondition(Repair(kOld, kNew, &disk_).status()));
}

// ---- the end of the log ----

TEST_F(RepairTest, BehindATearNothingIsTaken) {
  SegmentBytes first = First();
  first.AddPut(3, "a", "torn").AddPut(4, "b", "never promised").AddPut(5, "c", "nor this");
  FlipValue(&first, 2);
  Write(1, first);
  WriteManifestFile();
  const RepairReport report = MustRepair();
  EXPECT_EQ(report.records_kept, 2u);
  EXPECT_EQ(report.records_dropped, 2u);
  EXPECT_EQ(report.bytes_dropped, first.records_end() - first.offset(2));
  EXPECT_FALSE(report.complete());
  EXPECT_EQ(Read("b"), "2");
  EXPECT_EQ(Read("c"), "-");
}

TEST_F(RepairTest, BehindDamageWhatWasPromisedIsTakenAndWhatGoesOnFromThere) {
  SegmentBytes first = First();
  first.AddPut(3, "a", "rot").AddPut(4, "b", "4").AddPut(5, "c", "5").AddMark(5);
  first.AddPut(6, "d", "6").AddPut(7, "e", "7").AddPut(8, "a", "torn").AddPut(9, "f", "no more");
  FlipValue(&first, 2);
  FlipValue(&first, 8);
  Write(1, first);
  WriteManifestFile();
  const RepairReport report = MustRepair();
  EXPECT_EQ(report.records_kept, 6u);
  EXPECT_EQ(report.records_dropped, 1u);
  EXPECT_EQ(report.bytes_unreadable, first.offset(3) - first.offset(2));
  EXPECT_EQ(Read("c"), "5");
  EXPECT_EQ(Read("e"), "7");
  EXPECT_EQ(Read("f"), "-");
}

TEST_F(RepairTest, ADroppedSegmentIsSearchedForWhatWasPromised) {
  SegmentBytes first = First();
  SegmentBytes second = SegmentBytes(first, 2).AddPut(3, "a", "3").AddPut(4, "b", "4").AddMark(4);
  second.AddPut(5, "c", "5");
  FlipValue(&first, 1);
  Write(1, first);
  Write(2, second);
  WriteManifestFile();
  const RepairReport report = MustRepair();
  EXPECT_EQ(report.records_kept, 4u);
  EXPECT_GT(report.bytes_unreadable, 0u);
  EXPECT_EQ(Read("a"), "3");
  EXPECT_EQ(Read("b"), "4");
}

TEST_F(RepairTest, TheEndOfWhatWasPromisedIsMissed) {
  SegmentBytes first = First();
  Write(1, first);
  manifest_.Append(1, Stream::kUser, /*sealed=*/true, 0);
  manifest_.durable_sequence = 4;
  manifest_.next_sequence = 5;
  WriteManifestFile();
  const RepairReport report = MustRepair();
  EXPECT_EQ(report.records_kept, 2u);
  EXPECT_EQ(report.versions_missing, 2u);
  EXPECT_FALSE(report.complete());
}

TEST_F(RepairTest, NumbersThatNobodyGotAreNotMissing) {
  SegmentBytes first(kUuid, 1);
  first.AddPut(1, "a", "1").AddPut(2, "b", "2");
  Write(1, first);
  // The next opening, after an unclean end, wrote two records, which are gone.
  List(1, first, 2 * kBlock + 1, /*sealed=*/false);
  EXPECT_EQ(MustRepair().versions_missing, 2u);
}

TEST_F(RepairTest, AFileThatIsTooShortIsMissed) {
  SegmentBytes first = First();
  List(1, first, 2, /*sealed=*/false);
  first.bytes().resize(first.offset(1));
  Write(1, first);
  const RepairReport report = MustRepair();
  EXPECT_EQ(report.records_kept, 1u);
  EXPECT_EQ(report.bytes_unreadable, first.records_end() - first.offset(1));
}

// ---- batches ----

SegmentBytes WithBatches() {
  SegmentBytes first = First();
  first.Add(RecordKind::kPut, 3, "a", "half", BatchPart::kFirst);
  first.Add(RecordKind::kPut, 4, "c", "half", BatchPart::kLast);
  first.Add(RecordKind::kPut, 5, "d", "whole", BatchPart::kFirst);
  first.Add(RecordKind::kPut, 6, "e", "whole", BatchPart::kLast);
  return first.AddPut(7, "f", "7");
}

TEST_F(RepairTest, OfAnUnfinishedBatchNothingIsKeptWhenANewOneBegins) {
  SegmentBytes first = WithBatches();
  FlipValue(&first, 3);
  List(1, first, 7, /*sealed=*/false);
  Write(1, first);
  const RepairReport report = MustRepair();
  EXPECT_EQ(report.incomplete_batches, 1u);
  EXPECT_EQ(report.records_kept, 5u);
  // Neither the half of the batch nor the value before it is shown.
  EXPECT_EQ(Read("a"), "lost");
  EXPECT_EQ(report.values_lost, 1u);
  EXPECT_EQ(Read("d"), "whole");
  EXPECT_EQ(Read("e"), "whole");
  EXPECT_EQ(Read("f"), "7");
}

TEST_F(RepairTest, OfABatchWhoseBeginningIsDamagedNothingIsKept) {
  SegmentBytes first = WithBatches();
  FlipValue(&first, 2);
  List(1, first, 7, /*sealed=*/false);
  Write(1, first);
  const RepairReport report = MustRepair();
  EXPECT_EQ(report.incomplete_batches, 1u);
  EXPECT_EQ(Read("a"), "1");  // the damaged change of the key is not known
  EXPECT_GT(report.bytes_unreadable, 0u);
  EXPECT_EQ(Read("c"), "lost");
  EXPECT_EQ(Read("d"), "whole");
}

TEST_F(RepairTest, ABatchThatTheEndOfTheLogTornIsAsIfItHadNotBeen) {
  SegmentBytes first = First();
  Write(1, first.Add(RecordKind::kPut, 3, "a", "half", BatchPart::kFirst));
  WriteManifestFile();
  const RepairReport report = MustRepair();
  EXPECT_EQ(report.incomplete_batches, 1u);
  EXPECT_EQ(report.records_dropped, 1u);
  EXPECT_EQ(Read("a"), "1");
}

// ---- headers ----

TEST_F(RepairTest, WhatGoesOnByItsNumbersNeedsNoHeader) {
  SegmentBytes first = First();
  SegmentBytes second = SegmentBytes(first, 2).AddPut(3, "c", "3").AddPut(4, "d", "4");
  Write(3, SegmentBytes(second, 3).AddPut(5, "e", "5"));
  second.bytes().replace(0, kSegmentHeaderBytes, kSegmentHeaderBytes, '\0');
  Write(1, first);
  Write(2, second);
  WriteManifestFile();
  const RepairReport report = MustRepair();
  EXPECT_EQ(report.records_kept, 5u);
  EXPECT_EQ(report.headers_damaged, 1u);
  EXPECT_TRUE(report.complete());
}

TEST_F(RepairTest, TheFirstOfAnOpeningNeedsNoHeader) {
  SegmentBytes first = First();
  SegmentBytes second = SegmentBytes(first, 2).AddPut(2 * kBlock, "c", "3");
  second.bytes()[8] ^= 1;
  manifest_.Append(1, Stream::kUser, /*sealed=*/true, 0);
  manifest_.durable_sequence = 2;
  manifest_.next_sequence = 2 * kBlock;
  WriteManifestFile();
  Write(1, first.Seal());
  Write(2, second);
  const RepairReport report = MustRepair();
  EXPECT_EQ(report.records_kept, 3u);
  EXPECT_TRUE(report.complete());
}

TEST_F(RepairTest, WhatDoesNotGoOnNeedsOne) {
  SegmentBytes first = First();
  SegmentBytes second = SegmentBytes(first, 2).AddPut(9, "c", "9");
  second.bytes()[8] ^= 1;
  Write(1, first);
  Write(2, second);
  WriteManifestFile();
  const RepairReport report = MustRepair();
  EXPECT_EQ(report.records_kept, 2u);
  EXPECT_EQ(report.records_dropped, 1u);
}

}  // namespace
}  // namespace rumcask
