// How repair handles odd sources and unusable paths.

#include <string>

#include "absl/strings/match.h"
#include "gtest/gtest.h"

#include "core/check/repair.h"
#include "tests/crash_kit/fault_file_system.h"
#include "tests/recovery_kit/repair_fixture.h"

namespace rumcask {
namespace {

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
  // Verify reports both: the number too high for MANIFEST, and the number too low for its place.
  const absl::StatusOr<VerifyReport> found = VerifyFiles(kOld, &disk_);
  ASSERT_TRUE(found.ok()) << found.status();
  ASSERT_EQ(found->damages.size(), 2u);
  EXPECT_EQ(found->damages[0].cause, "has version 669, but MANIFEST gives out versions from 3 on");
  EXPECT_EQ(found->damages[1].cause, "has version 1 after version 670");
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

TEST_F(RepairTest, H25_SurvivorsStaySurvivors) {
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
