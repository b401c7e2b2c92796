#include "core/segment/segment_scanner.h"

#include <cerrno>
#include <memory>
#include <string>
#include <vector>

#include "gtest/gtest.h"

#include "core/testing/segment_bytes.h"
#include "tests/crash_kit/crash_file_system.h"
#include "tests/crash_kit/fault_file_system.h"

namespace rumcask {
namespace {

using Step = SegmentScanner::Step;

constexpr Uuid kUuid = {4, 7, 11};
constexpr uint64_t kId = 7;

class SegmentScannerTest : public testing::Test {
 protected:
  // Scans a file with those bytes from the first record to `end`.
  SegmentScanner* Scan(const std::string& bytes, uint64_t end) {
    disk_.WriteFile("/crash/file", bytes);
    directory_ = *faults_.OpenDirectory("/crash");
    file_ = *directory_->Open("file", OpenMode::kReadOnly);
    reader_ = std::make_unique<SectorReader>(file_.get());
    scanner_ = std::make_unique<SegmentScanner>(reader_.get(), SegmentSeed(kUuid, kId),
                                                kSegmentHeaderBytes, end);
    return scanner_.get();
  }

  CrashFileSystem disk_;
  FaultFileSystem faults_{&disk_};
  std::unique_ptr<Directory> directory_;
  std::unique_ptr<File> file_;
  std::unique_ptr<SectorReader> reader_;
  std::unique_ptr<SegmentScanner> scanner_;
};

TEST_F(SegmentScannerTest, EachRecordComesOnceUpToTheEnd) {
  SegmentBytes segment(kUuid, kId);
  segment.AddPut(1, "one", "value").AddMark(1).AddPut(2, "two", std::string(3000000, 'v'));
  SegmentScanner* const scanner = Scan(segment.bytes(), segment.bytes().size());
  ASSERT_EQ(scanner->Next(), Step::kRecord);
  EXPECT_EQ(scanner->offset(), segment.offset(0));
  EXPECT_EQ(scanner->key(), "one");
  EXPECT_EQ(scanner->header().sequence, 1u);
  EXPECT_EQ(scanner->next_offset(), segment.offset(1));
  ASSERT_EQ(scanner->Next(), Step::kRecord);
  EXPECT_FALSE(scanner->header().has_own_sequence());
  // Larger than what is read at once.
  ASSERT_EQ(scanner->Next(), Step::kRecord);
  EXPECT_EQ(scanner->key(), "two");
  EXPECT_EQ(scanner->header().value_bytes, 3000000u);
  EXPECT_EQ(scanner->Next(), Step::kEnd);
  EXPECT_EQ(scanner->Next(), Step::kEnd);
}

TEST_F(SegmentScannerTest, ARecordThatReachesBeyondTheEndIsNone) {
  SegmentBytes segment(kUuid, kId);
  segment.AddPut(1, "k", "v").AddPut(2, "k", "longer value");
  SegmentScanner* const scanner = Scan(segment.bytes(), segment.bytes().size() - 8);
  EXPECT_EQ(scanner->Next(), Step::kRecord);
  EXPECT_EQ(scanner->Next(), Step::kInvalid);
  EXPECT_EQ(scanner->offset(), segment.offset(1));
  EXPECT_EQ(scanner->Next(), Step::kInvalid) << "it stays where it is";
  EXPECT_EQ(scanner->Resync(), Step::kEnd);
}

TEST_F(SegmentScannerTest, AnEndBeforeTheBeginningHoldsNothing) {
  EXPECT_EQ(Scan(std::string(50, 'x'), 50)->Next(), Step::kEnd);
}

TEST_F(SegmentScannerTest, ResyncFindsTheNextRecordBehindDamage) {
  for (const uint64_t bytes : {uint64_t{10}, uint64_t{2000000}}) {
    SegmentBytes segment(kUuid, kId);
    segment.AddPut(1, "a", "first").AddPut(2, "b", std::string(bytes, 'v')).AddPut(3, "c", "last");
    segment.bytes()[segment.offset(1) + 25] ^= 1;
    SegmentScanner* const scanner = Scan(segment.bytes(), segment.bytes().size());
    EXPECT_EQ(scanner->Next(), Step::kRecord);
    EXPECT_EQ(scanner->Next(), Step::kInvalid);
    ASSERT_EQ(scanner->Resync(), Step::kRecord);
    EXPECT_EQ(scanner->offset(), segment.offset(2));
    EXPECT_EQ(scanner->key(), "c");
    EXPECT_FALSE(scanner->gave_up());
    EXPECT_EQ(scanner->Next(), Step::kEnd);
  }
}

TEST_F(SegmentScannerTest, ARecordOfAnotherPlaceSegmentOrDatabaseIsNone) {
  SegmentBytes segment(kUuid, kId);
  segment.AddPut(1, "k", "v");
  const std::string record = segment.bytes().substr(kSegmentHeaderBytes);
  std::string moved = segment.bytes().substr(0, kSegmentHeaderBytes) + std::string(8, '\0');
  moved += record;
  EXPECT_EQ(Scan(moved, moved.size())->Next(), Step::kInvalid);
  EXPECT_EQ(scanner_->Resync(), Step::kEnd);
  SegmentBytes other_segment(kUuid, kId + 1);
  other_segment.AddPut(1, "k", "v");
  EXPECT_EQ(Scan(other_segment.bytes(), other_segment.bytes().size())->Next(), Step::kInvalid);
  SegmentBytes other_database({1}, kId);
  other_database.AddPut(1, "k", "v");
  EXPECT_EQ(Scan(other_database.bytes(), other_database.bytes().size())->Next(), Step::kInvalid);
}

TEST_F(SegmentScannerTest, PaddingIsLookedAt) {
  SegmentBytes segment(kUuid, kId);
  segment.AddPut(1, "k", "v").AddPut(2, "k", "v");
  segment.bytes()[segment.offset(1) - 1] = 1;
  SegmentScanner* const scanner = Scan(segment.bytes(), segment.bytes().size());
  ASSERT_EQ(scanner->Next(), Step::kRecord);
  EXPECT_FALSE(scanner->padding_is_zero());
  ASSERT_EQ(scanner->Next(), Step::kRecord);
  EXPECT_TRUE(scanner->padding_is_zero());
}

// Each of its offsets is the header of a large record, so that all would be checksummed again and
// again.
TEST_F(SegmentScannerTest, AFileMadeToBeExpensiveIsGivenUp) {
  constexpr uint64_t kBytes = 16 << 20;
  std::string bytes(kBytes, '\0');
  for (uint64_t at = kSegmentHeaderBytes; at + kRecordHeaderBytes <= kBytes; at += 8) {
    StoreU64(bytes.data() + at, 0x0001000800080001);  // of any three of these, one is a header
  }
  SegmentScanner* const scanner = Scan(bytes, kBytes);
  EXPECT_EQ(scanner->Next(), Step::kInvalid);
  EXPECT_EQ(scanner->Resync(), Step::kEnd);
  EXPECT_TRUE(scanner->gave_up());
}

TEST_F(SegmentScannerTest, AnErrorThatSaysNothingOfTheFileEndsIt) {
  SegmentBytes segment(kUuid, kId);
  segment.AddPut(1, "k", "v");
  SegmentScanner* const scanner = Scan(segment.bytes(), segment.bytes().size());
  FaultPlan plan;
  plan.call = 1;
  plan.fault = Fault::kEmfile;
  plan.error = ENOMEM;
  plan.for_ever = true;
  plan.matches = [](const Call& call) { return call.kind == CallKind::kRead; };
  faults_.SetPlan(plan);
  EXPECT_EQ(scanner->Next(), Step::kError);
  EXPECT_FALSE(scanner->status().ok());
}

TEST_F(SegmentScannerTest, AnUnreadableSectorIsDamageOfItsOwnRange) {
  SegmentBytes segment(kUuid, kId);
  segment.AddPut(1, "a", std::string(1500, 'v')).AddPut(2, "b", std::string(1500, 'v'));
  segment.AddPut(3, "c", "last");
  SegmentScanner* const scanner = Scan(segment.bytes(), segment.bytes().size());
  faults_.SetUnreadable({{"/crash/file", 2048, 2560}});
  EXPECT_EQ(scanner->Next(), Step::kRecord);
  EXPECT_EQ(scanner->Next(), Step::kInvalid);
  ASSERT_EQ(scanner->Resync(), Step::kRecord);
  EXPECT_EQ(scanner->key(), "c");
}

}  // namespace
}  // namespace rumcask
