// A table of tails: directories as kills, power cuts, failed calls, rot and an interrupted
// compaction leave them, and what recovery makes of each.

#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "gtest/gtest.h"

#include "core/log/recovery.h"
#include "tests/recovery_kit/recovery_fixture.h"

namespace rumcask {
namespace {

class Files;

struct Tail {
  const char* name;
  void (*write)(Files* files);
  // The segments that make up the log, and its last number.
  Ids kept;
  uint64_t last;
  // The files that are removed, and those of them that count as lost.
  Ids doomed = {};
  Ids dropped = {};
  // Whether bytes are reported as dropped.
  bool drops_bytes = false;
  // Not empty: opening for writing is refused by an error that has this, and a read-only one notes
  // so many damages.
  const char* damage = "";
  size_t damages = 1;
};

std::string NameOf(const testing::TestParamInfo<Tail>& info) { return info.param.name; }

class Files : public RecoveryTest, public testing::WithParamInterface<Tail> {
 public:
  using RecoveryTest::Write;
  Manifest& manifest() { return manifest_; }

  // Two records, then a segment for each further one.
  SegmentBytes first = First();
  SegmentBytes second = SegmentBytes(first, 2).AddPut(3, "c", "3");
  SegmentBytes third = SegmentBytes(second, 3).AddPut(4, "d", "4");

  void WriteAll() {
    Write(1, first);
    Write(2, second);
    Write(3, third);
  }
  // With the first segment sealed and listed, survivors may have copies of its records.
  void WriteWithSealed() {
    first.Seal();
    manifest_.Append(1, Stream::kUser, /*sealed=*/true, 0);
    manifest_.durable_sequence = 2;
    manifest_.next_sequence = 3;
    Write(1, first);
  }
  static SegmentBytes Survivor(uint64_t id) {
    return SegmentBytes(kUuid, id).AsSurvivor(2).AddPut(1, "a", "1").AddPut(2, "b", "2");
  }
  // The user's segments on both sides of the survivor with id 2.
  void WriteAround() {
    WriteWithSealed();
    Write(3, SegmentBytes(first, 3).AddPut(3, "c", "3").AddMark(3).AddPut(4, "d", "4"));
  }

  static std::string WithFlippedByte(std::string bytes, size_t at) {
    bytes[at] = static_cast<char>(bytes[at] ^ 0x55);
    return bytes;
  }
};

TEST_P(Files, AreWhatTheTableSays) {
  const Tail& tail = GetParam();
  tail.write(this);
  const absl::StatusOr<RecoveredLog> log = Find();
  if (*tail.damage != '\0') {
    EXPECT_TRUE(absl::IsDataLoss(log.status())) << log.status();
    EXPECT_TRUE(absl::StrContains(log.status().message(), tail.damage)) << log.status();
    // Read-only it is told, and what is not there is not made up.
    const absl::StatusOr<RecoveredLog> shown = Find(/*read_only=*/true);
    ASSERT_TRUE(shown.ok()) << shown.status();
    EXPECT_EQ(shown->damages.size(), tail.damages);
    EXPECT_EQ(shown->dropped, tail.dropped);
    EXPECT_EQ(IdsOf(*shown), tail.kept);
    return;
  }
  ASSERT_TRUE(log.ok()) << log.status();
  EXPECT_EQ(IdsOf(*log), tail.kept);
  EXPECT_EQ(log->last_sequence, tail.last);
  EXPECT_EQ(log->doomed, tail.doomed);
  EXPECT_EQ(log->dropped, tail.dropped);
  EXPECT_EQ(log->report.dropped_segments, tail.dropped.size());
  EXPECT_EQ(log->report.dropped_bytes > 0, tail.drops_bytes) << log->report.dropped_bytes;
  EXPECT_GT(log->next_sequence, log->last_sequence);
}

const Tail kTails[] = {
    // ---- the chain ----
    {"AWholeChain", [](Files* f) { f->WriteAll(); }, {1, 2, 3}, 4},
    {"ASegmentWithoutRecordsContinuesTheChain",
     [](Files* f) {
       const SegmentBytes empty(f->first, 2);
       f->Write(1, f->first);
       f->Write(2, empty);
       f->Write(3, SegmentBytes(empty, 3).AddPut(3, "c", kLarge));
     },
     {1, 2, 3},
     3},
    {"ASegmentWithoutRecordsIsPassedByOneThatLinksToTheTail",
     [](Files* f) {
       f->Write(1, f->first);
       f->Write(2, SegmentBytes(f->first, 2));
       f->Write(3, SegmentBytes(f->first, 3));
       f->Write(4, SegmentBytes(f->first, 4).AddPut(3, "c", kLarge));
     },
     {1, 4},
     3,
     {2, 3},
     {2, 3}},
    {"SegmentsWithoutRecordsAtTheEndGo",
     [](Files* f) {
       const SegmentBytes empty(f->first, 2);
       f->Write(1, f->first);
       f->Write(2, empty);
       f->Write(3, SegmentBytes(empty, 3));
     },
     {1},
     2,
     {3, 2},
     {3, 2}},
    {"APreparedFileIsNotCounted",
     [](Files* f) {
       f->Write(1, f->first);
       f->Write(2, std::string(65536, '\0'));
     },
     {1},
     2,
     {2}},
    {"ASegmentIsMissing",
     [](Files* f) {
       f->Write(1, f->first);
       f->Write(3, f->third);
     },
     {1},
     2,
     {3},
     {3},
     true},
    {"ASegmentEndsBeforeTheLinkToIt",
     [](Files* f) {
       f->WriteAll();
       f->Write(2, Files::WithFlippedByte(f->second.bytes(), f->second.offset(0) + 25));
     },
     {1},
     2,
     {3, 2},
     {3, 2},
     true},
    {"ALinkNamesTheLastChecksumToo",
     [](Files* f) {
       // Another history of the same length: the last record differs.
       const SegmentBytes other = SegmentBytes(kUuid, 1).AddPut(1, "a", "1").AddPut(2, "b", "3");
       ASSERT_EQ(f->first.records_end(), other.records_end());
       f->Write(1, f->first);
       f->Write(2, SegmentBytes(other, 2).AddPut(3, "c", "3"));
     },
     {1},
     2,
     {2},
     {2},
     true},

    // ---- torn ----
    {"AHeaderTornAtItsBeginning",
     [](Files* f) {
       f->Write(1, f->first);
       f->Write(2, Files::WithFlippedByte(f->second.bytes(), 0));
       f->Write(3, SegmentBytes(f->first, 3).AddPut(3, "c", "3"));
     },
     {1, 3},
     3,
     {2},
     {2},
     true},
    {"AHeaderTornInTheMiddle",
     [](Files* f) {
       f->Write(1, f->first);
       f->Write(2, Files::WithFlippedByte(f->second.bytes(), 40));
       f->Write(3, SegmentBytes(f->first, 3).AddPut(3, "c", "3"));
     },
     {1, 3},
     3,
     {2},
     {2},
     true},
    {"AHeaderTornAtItsEnd",
     [](Files* f) {
       f->Write(1, f->first);
       f->Write(2, Files::WithFlippedByte(f->second.bytes(), 127));
       f->Write(3, SegmentBytes(f->first, 3).AddPut(3, "c", "3"));
     },
     {1, 3},
     3,
     {2},
     {2},
     true},
    {"ABatchWithoutItsLastPart",
     [](Files* f) {
       f->first.Add(RecordKind::kPut, 3, "c", "3", BatchPart::kFirst);
       f->Write(1, f->first.Add(RecordKind::kPut, 4, "d", "4", BatchPart::kMiddle));
     },
     {1},
     2,
     {},
     {},
     true},
    {"AZeroedFirstBlockThatWasNotPromised",
     [](Files* f) {
       SegmentBytes segment = SegmentBytes(kUuid, 1).AddPut(1, "a", kLarge);
       f->Write(1, segment.bytes().replace(0, 4096, 4096, '\0'));
     },
     {},
     0,
     {1},
     {1},
     true},
    {"AFooterAloneVouchesForNothing",
     [](Files* f) {
       f->first.Seal();
       f->Write(1, Files::WithFlippedByte(f->first.bytes(), f->first.offset(1) + 25));
       f->Write(2, f->second);
     },
     {1},
     1,
     {2},
     {2},
     true},

    // ---- promised ----
    {"AZeroedFirstBlockWithAMarkBehindIt",
     [](Files* f) {
       SegmentBytes segment = SegmentBytes(kUuid, 1).AddPut(1, "a", kLarge).AddMark(1);
       f->Write(1, segment.AddPut(2, "b", "2").bytes().replace(0, 4096, 4096, '\0'));
     },
     {},
     0,
     {1},
     {1},
     false,
     "all versions through 1 were durable"},
    {"AMarkInAFileWithATornHeader",
     [](Files* f) {
       f->Write(1, f->first);
       f->second.AddMark(3).AddPut(4, "d", "4");
       f->Write(2, Files::WithFlippedByte(f->second.bytes(), 50));
     },
     {1},
     0,
     {2},
     {2},
     false,
     "all versions through 3 were durable"},
    {"AHeaderThatVouchesForMoreThanIsThere",
     [](Files* f) {
       f->Write(1, f->first);
       f->Write(2, SegmentBytes(f->first, 2, /*durable_sequence=*/9));
     },
     {1},
     0,
     {2},
     {2},
     false,
     "all versions through 9 were durable"},

    // ---- survivors ----
    {"ASurvivorThatIsListed",
     [](Files* f) {
       f->WriteAround();
       SegmentBytes survivor = Files::Survivor(2);
       f->manifest().Append(2, Stream::kSurvivor, /*sealed=*/true, survivor.records_end());
       f->Write(2, survivor.Seal());
     },
     {1, 2, 3},
     4},
    {"AHalfWrittenSurvivorEndsNothing",
     [](Files* f) {
       f->WriteAround();
       f->Write(2, Files::Survivor(2));
     },
     {1, 3},
     4,
     {2}},
    {"AWholeSurvivorThatIsNotListedIsNotTaken",
     [](Files* f) {
       f->WriteAround();
       f->Write(2, Files::Survivor(2).Seal());
     },
     {1, 3},
     4,
     {2}},
    {"ASurvivorWithoutAHeaderEndsNothing",
     [](Files* f) {
       f->WriteAround();
       f->Write(2, Files::Survivor(2).Seal().bytes().replace(0, 128, 128, '\0'));
     },
     {1, 3},
     4,
     {2},
     {2},
     true},
    {"AHalfWrittenSurvivorOnTop",
     [](Files* f) {
       f->WriteAround();
       f->Write(4, Files::Survivor(4).bytes().substr(0, 170));
     },
     {1, 3},
     4,
     {4}},
    {"AListedSurvivorThatIsMissing",
     [](Files* f) {
       f->WriteAround();
       f->manifest().Append(2, Stream::kSurvivor, /*sealed=*/true, 200);
     },
     {1, 3},
     0,
     {},
     {},
     false,
     "listed in MANIFEST is missing"},
    {"AListedSurvivorThatIsTooShort",
     [](Files* f) {
       f->WriteAround();
       SegmentBytes survivor = Files::Survivor(2);
       f->manifest().Append(2, Stream::kSurvivor, /*sealed=*/true, survivor.records_end() + 8);
       f->Write(2, survivor);
     },
     {1, 2, 3},
     0,
     {},
     {},
     false,
     "the file ends here",
     /*damages=*/2},
    {"ASurvivorAheadOfTheLog",
     [](Files* f) {
       f->WriteWithSealed();
       SegmentBytes survivor = Files::Survivor(2).AddPut(9, "z", "9");
       f->manifest().Append(2, Stream::kSurvivor, /*sealed=*/true, survivor.records_end());
       f->Write(2, survivor.Seal());
     },
     {1, 2},
     0,
     {},
     {},
     false,
     "has records up to version 9, but the log ends with version 2"},
};

INSTANTIATE_TEST_SUITE_P(Recovery, Files, testing::ValuesIn(kTails), NameOf);

// What the table has no column for.

TEST_F(RecoveryTest, TheLogEndsBeforeABatchWithoutItsLastPart) {
  SegmentBytes first = First();
  const uint64_t end = first.records_end();
  first.Add(RecordKind::kPut, 3, "c", "3", BatchPart::kFirst);
  Write(1, first.Add(RecordKind::kPut, 4, "d", "4", BatchPart::kMiddle));
  EXPECT_EQ(MustFind().segments.at(0).end, end);
}

TEST_F(RecoveryTest, AFooterAloneVouchesForNothing) {
  SegmentBytes first = First();
  const SegmentBytes second = SegmentBytes(first, 2).AddPut(3, "c", "3");
  first.Seal();
  first.bytes()[first.offset(1) + 25] ^= 1;
  Write(1, first);
  Write(2, second);
  EXPECT_FALSE(MustFind().segments.at(0).vouched_for);
}

TEST_F(RecoveryTest, AllOfWhatIsDroppedIsCounted) {
  SegmentBytes unpromised = SegmentBytes(kUuid, 1).AddPut(1, "a", kLarge);
  unpromised.bytes().replace(0, 4096, 4096, '\0');
  Write(1, unpromised);
  EXPECT_GT(MustFind().report.dropped_bytes, 5000u);
  const SegmentBytes first = First();
  std::string second = SegmentBytes(first, 2).AddPut(3, "lost", "x").bytes();
  second[40] = static_cast<char>(second[40] ^ 0x55);
  Write(1, first);
  Write(2, second);
  EXPECT_GT(MustFind().report.dropped_bytes, kSegmentHeaderBytes);
}

class SurvivorOnTopTest : public RecoveryTest {};

// What goes on is the last of the user's segments, whatever the ids.
TEST_F(SurvivorOnTopTest, IsNotContinued) {
  const SegmentBytes first = First();
  SegmentBytes sealed = First().Seal();
  const SegmentBytes second = SegmentBytes(first, 2).AddPut(3, "c", "3");
  SegmentBytes survivor = SegmentBytes(kUuid, 3).AsSurvivor(2).AddPut(1, "a", "1");
  manifest_.clean = true;
  manifest_.durable_sequence = 3;
  manifest_.next_sequence = 4;
  manifest_.Append(1, Stream::kUser, /*sealed=*/true, 0);
  manifest_.Append(2, Stream::kUser, /*sealed=*/false, second.records_end());
  manifest_.Append(3, Stream::kSurvivor, /*sealed=*/true, survivor.records_end());
  Write(1, sealed);
  Write(2, second);
  Write(3, survivor.Seal());
  const RecoveredLog log = MustFind();
  EXPECT_EQ(IdsOf(log), (Ids{1, 2, 3}));
  EXPECT_TRUE(log.continues_last);
  ASSERT_NE(log.LastUser(), nullptr);
  EXPECT_EQ(log.LastUser()->id, 2u);
}

// Its footer saves time and no more.
TEST_F(SurvivorOnTopTest, EndsWhereManifestSaysIfItsFooterIsDamaged) {
  const SegmentBytes first = First();
  SegmentBytes sealed = First().Seal();
  SegmentBytes survivor = SegmentBytes(kUuid, 2).AsSurvivor(2).AddPut(1, "a", "1");
  const uint64_t end = survivor.records_end();
  manifest_.durable_sequence = 2;
  manifest_.next_sequence = 3;
  manifest_.Append(1, Stream::kUser, /*sealed=*/true, 0);
  manifest_.Append(2, Stream::kSurvivor, /*sealed=*/true, end);
  Write(1, sealed);
  survivor.Seal();
  survivor.bytes().back() ^= 1;
  Write(2, survivor);
  const RecoveredLog log = MustFind();
  EXPECT_EQ(IdsOf(log), (Ids{1, 2}));
  EXPECT_FALSE(log.segments[1].has_footer);
  EXPECT_EQ(log.segments[1].end, end);
  EXPECT_EQ(log.report.damaged_footers, 1u);
}

}  // namespace
}  // namespace rumcask
