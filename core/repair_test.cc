// What a repair keeps, loses and counts, case by case. tests/corruption damages whole databases.

#include "core/repair.h"

#include <memory>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "gtest/gtest.h"

#include "core/db.h"
#include "core/manifest.h"
#include "core/map_keystore.h"
#include "core/segment_bytes.h"
#include "tests/crash_kit/crash_file_system.h"
#include "tests/crash_kit/fault_file_system.h"

namespace rumcask {
namespace {

constexpr char kOld[] = "/crash/old";
constexpr char kNew[] = "/crash/new";
const Uuid kUuid = {5, 8, 13};
constexpr uint64_t kBlock = uint64_t{1} << 40;

std::string PathOf(uint64_t id) { return std::string(kOld) + "/" + SegmentName(id); }

class RepairTest : public testing::Test {
 protected:
  RepairTest() {
    EXPECT_TRUE(disk_.CreateDirectory(kOld).ok());
    manifest_.uuid = kUuid;
    manifest_.keystore = "hash";
  }

  void Write(uint64_t id, const SegmentBytes& segment) {
    disk_.WriteFile(PathOf(id), segment.bytes());
  }
  void WriteManifestFile() {
    disk_.WriteFile(std::string(kOld) + "/MANIFEST", EncodeManifest(manifest_));
  }
  // Lists the segment as cleanly closed where it ends now.
  void List(uint64_t id, const SegmentBytes& segment, uint64_t last, bool sealed) {
    manifest_.Append(id, Stream::kUser, sealed, segment.records_end());
    manifest_.durable_sequence = last;
    manifest_.next_sequence = last + 1;
    WriteManifestFile();
  }

  RepairReport MustRepair() {
    absl::StatusOr<RepairReport> report = Repair(kOld, kNew, &disk_);
    EXPECT_TRUE(report.ok()) << report.status();
    if (!report.ok()) return RepairReport();
    const absl::StatusOr<VerifyReport> verified = VerifyFiles(kNew, &disk_);
    EXPECT_TRUE(verified.ok() && verified->clean()) << verified.status();
    return *std::move(report);
  }

  Options TheOptions() {
    Options options;
    options.keystore = TestKeystore();
    options.keystore->traits.name = "hash";
    options.segment_bytes = kMinSegmentBytes;
    options.background_threads = 0;
    options.file_system = &disk_;
    return options;
  }
  // The value, "-" if there is none, "lost" if reading it is DataLoss.
  std::string Read(const std::string& key) {
    Options options = TheOptions();
    auto db = DB::OpenReadOnly(kNew, options);
    EXPECT_TRUE(db.ok()) << db.status();
    if (!db.ok()) return "";
    std::string value;
    const absl::Status status = (*db)->Get(key, &value);
    if (absl::IsNotFound(status)) return "-";
    if (absl::IsDataLoss(status)) return "lost";
    EXPECT_TRUE(status.ok()) << status;
    return value;
  }
  Manifest NewManifest() {
    auto directory = disk_.OpenDirectory(kNew);
    const absl::StatusOr<DecodedManifest> decoded = ReadManifest(directory->get());
    EXPECT_TRUE(decoded.ok()) << decoded.status();
    return decoded.ok() ? decoded->manifest : Manifest();
  }

  CrashFileSystem disk_;
  Manifest manifest_;
};

SegmentBytes First() { return SegmentBytes(kUuid, 1).AddPut(1, "a", "1").AddPut(2, "b", "2"); }

void FlipValue(SegmentBytes* segment, size_t record) {
  segment->bytes()[segment->offset(record) + kRecordHeaderBytes + 1] ^= 1;
}

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
  // Dropped by the opening that then wrote the third.
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
  // Neither half of the batch nor what was before.
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
  EXPECT_EQ(Read("a"), "1");  // nothing tells that it was changed
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

// ---- odd sources ----

TEST_F(RepairTest, RecordsThatWereNumberedFromTheBeginningAgainAreKeptInTheirOrder) {
  SegmentBytes first = SegmentBytes(kUuid, 1).AddPut(669, "a", "old").AddPut(670, "b", "old");
  SegmentBytes second = SegmentBytes(first, 2).AddPut(1, "a", "new").AddPut(2, "c", "new");
  Write(1, first.Seal());
  Write(2, second.Seal());
  manifest_.Append(1, Stream::kUser, /*sealed=*/true, 0);
  manifest_.Append(2, Stream::kUser, /*sealed=*/true, 0);
  manifest_.durable_sequence = 2;
  manifest_.next_sequence = 3;
  WriteManifestFile();
  // Verify tells of both: too high for MANIFEST, and too low to come behind them.
  const absl::StatusOr<VerifyReport> found = VerifyFiles(kOld, &disk_);
  ASSERT_TRUE(found.ok()) << found.status();
  ASSERT_EQ(found->damages.size(), 2u);
  EXPECT_EQ(found->damages[0].cause, "has version 669, but MANIFEST gives out versions from 3 on");
  EXPECT_EQ(found->damages[1].cause, "has version 1 behind version 670");
  const RepairReport report = MustRepair();
  EXPECT_EQ(report.records_renumbered, 2u);
  EXPECT_TRUE(report.complete());
  EXPECT_EQ(Read("a"), "new");
  EXPECT_GT(NewManifest().next_sequence, 672u);
}

TEST_F(RepairTest, NumbersAndIdsThatLeaveNoneAreNotCarriedOver) {
  SegmentBytes first = First();
  first.AddPut(kEndOfNumbers - 1, "a", "forged");
  Write(1, first);
  Write(kEndOfNumbers - 1, SegmentBytes(first, kEndOfNumbers - 1).AddPut(3, "c", "forged"));
  WriteManifestFile();
  const RepairReport report = MustRepair();
  EXPECT_EQ(report.records_kept, 2u);
  EXPECT_EQ(report.records_dropped, 2u);
  EXPECT_EQ(Read("a"), "1");
  auto db = DB::Open(kNew, TheOptions());
  ASSERT_TRUE(db.ok()) << db.status();
  EXPECT_TRUE((*db)->Put("a", "new").ok());
}

TEST_F(RepairTest, SurvivorsStaySurvivors) {
  SegmentBytes first = SegmentBytes(kUuid, 1).AddPut(3, "a", "3");
  SegmentBytes survivors(kUuid, 2);
  // A header of the other stream.
  SegmentHeader header;
  header.uuid = kUuid;
  header.id = 2;
  header.stream = Stream::kSurvivor;
  EncodeSegmentHeader(header, survivors.bytes().data());
  survivors.AddPut(1, "b", "1").AddPut(2, "c", "2");
  SegmentBytes third = SegmentBytes(first, 3).AddPut(4, "d", "4");
  Write(1, first.Seal());
  Write(2, survivors.Seal());
  Write(3, third);
  const RepairReport report = MustRepair();
  EXPECT_EQ(report.records_kept, 4u);
  EXPECT_EQ(report.records_renumbered, 0u);
  const Manifest made = NewManifest();
  ASSERT_EQ(made.live.size(), 3u);
  EXPECT_EQ(made.live[1].stream, Stream::kSurvivor);
  EXPECT_EQ(made.live[2].stream, Stream::kUser);
}

TEST_F(RepairTest, WhatIsNoFileIsPassedOver) {
  Write(1, First());
  EXPECT_TRUE(disk_.CreateDirectory(PathOf(2)).ok());
  EXPECT_EQ(MustRepair().records_kept, 2u);
}

// ---- paths ----

TEST_F(RepairTest, TheNewDirectoryMustNotExist) {
  Write(1, First());
  EXPECT_TRUE(disk_.CreateDirectory(kNew).ok());
  const absl::Status status = Repair(kOld, kNew, &disk_).status();
  EXPECT_TRUE(absl::IsAlreadyExists(status));
  EXPECT_EQ(status.message(), "/crash/new exists; a repaired database needs a new directory");
  EXPECT_TRUE(absl::IsAlreadyExists(Repair(kOld, kOld, &disk_).status()));
}

TEST_F(RepairTest, ItsParentMustExist) {
  Write(1, First());
  const absl::Status status = Repair(kOld, "/crash/nowhere/new", &disk_).status();
  EXPECT_TRUE(absl::IsNotFound(status));
  EXPECT_TRUE(absl::StrContains(status.message(), "its parent directory is missing"));
}

TEST_F(RepairTest, AnEmptyPathIsToldInASentence) {
  const std::string told = "the path of the database is empty";
  Options options = TheOptions();
  options.create_if_missing = true;
  for (const absl::Status& status :
       {DB::Open("", options).status(), DB::OpenReadOnly("", options).status(),
        DB::StoredKeystore("", &disk_).status(), VerifyFiles("", &disk_).status(),
        Repair("", kNew, &disk_).status(), Repair(kOld, "", &disk_).status()}) {
    EXPECT_TRUE(absl::IsInvalidArgument(status)) << status;
    EXPECT_EQ(status.message(), told);
  }
}

TEST(WriteManifest, NeverGivesOutNumbersThatDurableRecordsHave) {
  CrashFileSystem disk;
  auto directory = disk.OpenDirectory("/crash");
  Manifest manifest;
  manifest.keystore = "hash";
  manifest.durable_sequence = 7;
  for (const uint64_t next : {uint64_t{0}, uint64_t{1}, uint64_t{7}, kEndOfNumbers}) {
    manifest.next_sequence = next;
    EXPECT_TRUE(absl::IsInternal(WriteManifest(directory->get(), manifest))) << next;
    EXPECT_TRUE(disk.Contents("/crash").empty());
  }
  manifest.next_sequence = 8;
  EXPECT_TRUE(WriteManifest(directory->get(), manifest).ok());
}

TEST_F(RepairTest, AManifestThatCannotBeOpenedIsLost) {
  SegmentBytes first(kUuid, 1);
  first.AddPut(1, "a", "1");
  Write(1, first);
  List(1, first, 1, /*sealed=*/false);
  FaultFileSystem device(&disk_);
  FaultPlan plan;
  plan.call = 1;
  plan.for_ever = true;
  plan.matches = [](const Call& call) {
    return call.kind == CallKind::kOpen && call.name == std::string(kOld) + "/MANIFEST";
  };
  device.SetPlan(plan);
  const absl::StatusOr<VerifyReport> verified = VerifyFiles(kOld, &device);
  ASSERT_TRUE(verified.ok()) << verified.status();
  ASSERT_EQ(verified->damages.size(), 1u);
  EXPECT_EQ(verified->damages[0].file, kManifestName);
  const absl::StatusOr<RepairReport> report = Repair(kOld, kNew, &device);
  ASSERT_TRUE(report.ok()) << report.status();
  EXPECT_TRUE(report->manifest_lost);
  EXPECT_EQ(report->records_kept, 1u);
  EXPECT_EQ(Read("a"), "1");
}

}  // namespace
}  // namespace rumcask
