// What recovery makes of a device that cannot read, open or sync something.

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"

#include "core/log/live_set.h"
#include "core/log/recovery.h"
#include "tests/recovery_kit/recovery_fixture.h"

namespace rumcask {
namespace {

TEST_F(RecoveryTest, AFooterThatCannotBeReadIsNotTheEndOfTheLog) {
  SegmentBytes first(kUuid, 1);
  for (uint64_t i = 1; i <= 900; ++i) first.AddPut(i, absl::StrCat("key ", i), "v");
  const SegmentBytes second = SegmentBytes(first, 2, /*durable_sequence=*/900).AddPut(901, "c", "");
  const SegmentBytes elsewhere(SegmentBytes(first).AddPut(901, "x", "x"), 2, 900);
  first.Seal();
  Trailer trailer;
  ASSERT_TRUE(DecodeTrailer(first.bytes(), SegmentSeed(kUuid, 1), first.bytes().size(), &trailer));
  // Every sector that holds nothing but footer, and more than keys' filter.
  const uint64_t sectors = first.bytes().size() / 512;
  ASSERT_GT(sectors, (first.records_end() + 511) / 512 + 2);
  for (uint64_t sector = (first.records_end() + 511) / 512; sector <= sectors; ++sector) {
    SCOPED_TRACE(sector);
    if (sector * 512 >= trailer.filter_offset() && sector * 512 + 512 <= trailer.offset()) continue;
    device_.SetUnreadable(
        {{std::string(kPath) + "/" + SegmentName(1), sector * 512, sector * 512 + 512}});
    Write(1, first);
    Write(2, second);
    RecoveredLog log = MustFind();
    EXPECT_EQ(IdsOf(log), (Ids{1, 2}));
    EXPECT_EQ(log.last_sequence, 901u);
    EXPECT_EQ(log.segments[0].end, first.records_end());
    EXPECT_FALSE(log.segments[0].unreadable);
    // Only where the successor does not name that end, or is not there, may it hide records.
    Write(2, elsewhere);
    EXPECT_TRUE(absl::IsDataLoss(Find().status()));
    disk_.RemoveFile(std::string(kPath) + "/" + SegmentName(2));
    EXPECT_TRUE(absl::IsDataLoss(Find().status()));
    const absl::StatusOr<RecoveredLog> shown = Find(/*read_only=*/true);
    ASSERT_TRUE(shown.ok()) << shown.status();
    EXPECT_EQ(shown->last_sequence, 900u);
    EXPECT_TRUE(shown->segments[0].unreadable);
    EXPECT_EQ(shown->damages.size(), 1u);
  }
}

TEST_F(RecoveryTest, WhatCannotBeReadBehindTheEndOfTheLogRefusesWriting) {
  const std::string file = std::string(kPath) + "/" + SegmentName(2);
  SegmentBytes first = First();
  Write(1, first);
  // In the space that was reserved for more records, far behind what is read to find their end.
  SegmentBytes second = SegmentBytes(first, 2).AddPut(3, "c", "3");
  Write(2, second.bytes() + std::string(size_t{1} << 20, '\0'));
  device_.SetUnreadable({{file, 900 * 1024, 900 * 1024 + 512}});
  EXPECT_TRUE(absl::IsDataLoss(Find().status()));
  absl::StatusOr<RecoveredLog> shown = Find(/*read_only=*/true);
  ASSERT_TRUE(shown.ok()) << shown.status();
  EXPECT_EQ(shown->last_sequence, 3u);
  // In a file that does not belong to the log.
  const SegmentBytes stranger = SegmentBytes(SegmentBytes(first).AddPut(3, "x", ""), 2);
  Write(2, SegmentBytes(stranger).AddPut(4, "d", kLarge));
  device_.SetUnreadable({{file, 4096, 4608}});
  EXPECT_TRUE(absl::IsDataLoss(Find().status()));
  EXPECT_TRUE(Find(/*read_only=*/true).ok());
  // Among the records: those behind are offered.
  Write(2, SegmentBytes(first, 2).AddPut(3, "c", kLarge).AddPut(4, "d", kLarge));
  device_.SetUnreadable({{file, 1024, 1536}});
  EXPECT_TRUE(absl::IsDataLoss(Find().status()));
  shown = Find(/*read_only=*/true);
  ASSERT_TRUE(shown.ok()) << shown.status();
  EXPECT_EQ(shown->last_sequence, 4u);
}

TEST_F(RecoveryTest, ReadOnlyAFileThatCannotBeOpenedCostsItsRecordsOnly) {
  const SegmentBytes first = First();
  Write(1, first);
  Write(2, SegmentBytes(first, 2).AddPut(3, "c", "3").Seal());
  const std::string second = std::string(kPath) + "/" + SegmentName(2);
  FaultPlan plan;
  plan.call = 1;
  plan.matches = [&](const Call& call) {
    return call.kind == CallKind::kOpen && call.name == second;
  };
  for (const bool sealed : {false, true}) {
    SCOPED_TRACE(sealed);
    if (sealed) {
      manifest_.Append(1, Stream::kUser, /*sealed=*/false, 0);
      manifest_.Append(2, Stream::kUser, /*sealed=*/true, 0);
    }
    // An error that passes is none.
    plan.for_ever = false;
    device_.SetPlan(plan);
    EXPECT_TRUE(Find(/*read_only=*/true)->damages.empty());
    EXPECT_EQ(device_.fault_count(), 1u);
    plan.for_ever = true;
    device_.SetPlan(plan);
    // What has failed now may work the next time.
    EXPECT_TRUE(absl::IsInternal(Find().status()));
    const absl::StatusOr<RecoveredLog> shown = Find(/*read_only=*/true);
    ASSERT_TRUE(shown.ok()) << shown.status();
    ASSERT_EQ(shown->damages.size(), 1u);
    EXPECT_EQ(shown->damages[0].file, SegmentName(2));
    EXPECT_EQ(IdsOf(*shown), Ids{1});
  }
}

TEST_F(RecoveryTest, CommittingSyncsOnlyTheFootersThatMayNotBeDurable) {
  SegmentBytes first = First();
  SegmentBytes second = SegmentBytes(first, 2, /*durable_sequence=*/2).AddPut(3, "c", "3");
  SegmentBytes third = SegmentBytes(second, 3, /*durable_sequence=*/3).AddPut(4, "d", "4");
  Write(1, first.Seal());
  Write(2, second.Seal());
  Write(3, third);
  RecoveredLog log = MustFind();
  ASSERT_TRUE(log.segments[0].vouched_for && log.segments[1].vouched_for);
  auto directory = device_.OpenDirectory(kPath);
  std::vector<std::string> synced;
  device_.SetHook([&](const Call& call) {
    if (call.kind == CallKind::kSync) synced.push_back(call.name.substr(call.name.size() - 20));
  });
  LiveSet live_set(directory->get());
  live_set.Begin(std::move(log), /*made_in=*/nullptr);
  bool final = false;
  ASSERT_TRUE(live_set.CommitRecovery(&final).ok());
  device_.SetHook(nullptr);
  EXPECT_EQ(std::count(synced.begin(), synced.end(), SegmentName(1)), 0);
  EXPECT_EQ(std::count(synced.begin(), synced.end(), SegmentName(2)), 1);
  EXPECT_GT(std::count(synced.begin(), synced.end(), SegmentName(3)), 0);
}

}  // namespace
}  // namespace rumcask
