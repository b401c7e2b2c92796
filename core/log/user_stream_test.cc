#include "core/log/user_stream.h"

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "gtest/gtest.h"

#include "core/segment/descriptor_cache.h"
#include "core/segment/segment_file.h"
#include "tests/crash_kit/crash_file_system.h"
#include "tests/crash_kit/fault_file_system.h"

namespace rumcask {
namespace {

constexpr const char* kPath = "/crash";
constexpr Uuid kUuid = {4, 7, 11};
constexpr uint64_t kSegmentBytes = 64 << 10;

class UserStreamTest : public testing::TestWithParam<bool> {
 protected:
  UserStreamTest() : directory_(*faults_.OpenDirectory(kPath)) { factory_.Begin(kUuid); }

  // Appends one record, rolling over if it does not fit.
  absl::Status Put(uint64_t value_bytes, bool* rolled = nullptr, bool* broken = nullptr) {
    const std::string value(value_bytes, 'v');
    NewRecord record;
    record.header.kind = RecordKind::kPut;
    record.header.sequence = next_;
    record.header.key_bytes = 1;
    record.header.value_bytes = static_cast<uint32_t>(value.size());
    record.key = "k";
    record.value = value;
    record.inner = InnerChecksum("k", value);
    const uint64_t bytes = record.header.record_bytes();
    bool fatal = false;
    absl::Status status;
    if (stream_.HasRoom(bytes, /*keeps_free=*/true)) {
      status = stream_.active()->Append({&record, 1}, bytes, &fatal);
    } else {
      SegmentHeader header;
      header.uuid = kUuid;
      header.base_sequence = next_;
      std::shared_ptr<SegmentWriter> full;
      status = stream_.Roll(header, {&record, 1}, bytes, &full, &fatal);
      if (rolled != nullptr) *rolled = true;
    }
    if (status.ok()) ++next_;
    if (broken != nullptr) *broken = fatal;
    return status;
  }

  void PrepareAhead() {
    const UserStream::Help help = stream_.BeginHelp();
    ASSERT_NE(help.active, nullptr);
    absl::Status failure;
    std::shared_ptr<SegmentWriter> prepared;
    if (help.id != 0) {
      prepared = UserStream::MakePrepared(factory_, help.id, kSegmentBytes, &failure);
      EXPECT_TRUE(failure.ok()) << failure;
    }
    stream_.EndHelp(help, std::move(prepared));
  }

  SegmentHeader HeaderOf(uint64_t id) {
    auto file = SegmentFile::Open(directory_.get(), kUuid, id);
    SegmentHeader header;
    EXPECT_EQ(*(*file)->ReadHeader(&header), HeaderState::kValid) << id;
    return header;
  }

  void FailWrites() {
    FaultPlan plan;
    plan.call = 1;
    plan.fault = Fault::kEnospc;
    plan.for_ever = true;
    plan.matches = [](const Call& call) { return call.kind == CallKind::kWrite; };
    faults_.SetPlan(plan);
  }

  size_t Files() { return disk_.Contents(kPath).size(); }

  CrashFileSystem disk_;
  FaultFileSystem faults_{&disk_};
  const std::unique_ptr<Directory> directory_;
  SegmentTable table_;
  SegmentFactory factory_{directory_.get(),
                          &table_,
                          std::make_shared<DescriptorCache>(directory_.get(), 16),
                          {kSegmentBytes, /*append_mapped=*/GetParam(), /*read_mapped=*/GetParam(),
                           1000, std::make_shared<MappingBudget>()}};
  UserStream stream_{&factory_, &table_, kSegmentBytes};
  uint64_t next_ = 1;
};

INSTANTIATE_TEST_SUITE_P(Appends, UserStreamTest, testing::Bool(),
                         [](const auto& param) { return param.param ? "Mapped" : "Written"; });

TEST_P(UserStreamTest, TheFirstRecordBeginsTheFirstSegmentBehindWhatWasThere) {
  stream_.Begin({3, 500, 77}, /*next_id=*/5);
  EXPECT_EQ(stream_.active(), nullptr);
  EXPECT_EQ(Files(), 0u);
  ASSERT_TRUE(Put(10).ok());
  const SegmentHeader header = HeaderOf(5);
  EXPECT_EQ(header.predecessor_id, 3u);
  EXPECT_EQ(header.predecessor_end, 500u);
  EXPECT_EQ(header.predecessor_checksum, 77u);
  EXPECT_EQ(stream_.next_id(), 6u);
}

TEST_P(UserStreamTest, EachSegmentNamesTheOneBeforeIt) {
  uint64_t end = 0, checksum = 0;
  for (uint64_t id = 1; id <= 3; ++id) {
    bool rolled = false;
    while (!rolled) {
      if (stream_.active() != nullptr) {
        end = stream_.active()->end();
        checksum = stream_.active()->last_checksum();
      }
      ASSERT_TRUE(Put(5000, &rolled).ok());
    }
    const SegmentHeader header = HeaderOf(id);
    EXPECT_EQ(header.predecessor_id, id - 1);
    EXPECT_EQ(header.predecessor_end, end);
    EXPECT_EQ(header.predecessor_checksum, checksum);
  }
}

TEST_P(UserStreamTest, APreparedSegmentIsTakenAndOneThatIsTooSmallGoes) {
  ASSERT_TRUE(Put(40000).ok());
  PrepareAhead();
  EXPECT_EQ(Files(), 2u);
  ASSERT_TRUE(Put(40000).ok());
  EXPECT_EQ(stream_.active()->segment()->id(), 2u);
  EXPECT_EQ(Files(), 2u);
  PrepareAhead();
  EXPECT_EQ(Files(), 3u);
  // Too large for a usual segment: ids only grow, so that the prepared one can't be used later.
  ASSERT_TRUE(Put(100000).ok());
  EXPECT_EQ(stream_.active()->segment()->id(), 4u);
  EXPECT_EQ(Files(), 3u);
  EXPECT_EQ(HeaderOf(4).predecessor_id, 2u);
}

TEST_P(UserStreamTest, OneThatIsPreparedTooLateIsDiscarded) {
  ASSERT_TRUE(Put(40000).ok());
  const UserStream::Help help = stream_.BeginHelp();
  ASSERT_EQ(help.id, 2u);
  absl::Status failure;
  auto prepared = UserStream::MakePrepared(factory_, help.id, kSegmentBytes, &failure);
  ASSERT_NE(prepared, nullptr);
  // The writer could not wait.
  ASSERT_TRUE(Put(40000).ok());
  EXPECT_EQ(stream_.active()->segment()->id(), 3u);
  stream_.EndHelp(help, std::move(prepared));
  EXPECT_EQ(disk_.Contents(kPath).count(SegmentName(2)), 0u);
  EXPECT_TRUE(stream_.WantsHelp());
}

TEST_P(UserStreamTest, HelpIsWantedOnceUntilItWasGiven) {
  ASSERT_TRUE(Put(10).ok());
  EXPECT_TRUE(stream_.WantsHelp());
  EXPECT_FALSE(stream_.WantsHelp());
  PrepareAhead();
  EXPECT_EQ(Files(), 1u);
  // At half of the segment at the latest.
  while (stream_.active()->end() < kSegmentBytes / 2) {
    ASSERT_TRUE(Put(1000).ok());
  }
  EXPECT_TRUE(stream_.WantsHelp());
  PrepareAhead();
  EXPECT_EQ(Files(), 2u);
}

TEST_P(UserStreamTest, ARollThatFailsChangesNothingAndIsTriedAgain) {
  ASSERT_TRUE(Put(40000).ok());
  const uint64_t end = stream_.active()->end();
  FailWrites();
  bool broken = false;
  EXPECT_TRUE(absl::IsResourceExhausted(Put(40000, nullptr, &broken)));
  EXPECT_FALSE(broken);
  EXPECT_EQ(stream_.active()->segment()->id(), 1u);
  EXPECT_EQ(stream_.active()->end(), end);
  EXPECT_EQ(table_.All().size(), 1u);
  // One that is larger than usual leaves no file.
  EXPECT_FALSE(Put(200000).ok());
  EXPECT_EQ(Files(), 2u);
  faults_.SetPlan({});
  ASSERT_TRUE(Put(40000).ok());
  const SegmentHeader header = HeaderOf(stream_.active()->segment()->id());
  EXPECT_EQ(header.predecessor_id, 1u);
  EXPECT_EQ(header.predecessor_end, end);
  EXPECT_EQ(header.base_sequence, 2u);
}

TEST_P(UserStreamTest, TheDirectorysEntryIsDurableForTheActiveSegmentOnly) {
  ASSERT_TRUE(Put(40000).ok());
  const Segment* const first = stream_.active()->segment();
  EXPECT_FALSE(stream_.entry_durable());
  stream_.EntryIsDurable(first);
  EXPECT_TRUE(stream_.entry_durable());
  ASSERT_TRUE(Put(40000).ok());
  EXPECT_FALSE(stream_.entry_durable());
  stream_.EntryIsDurable(first);
  EXPECT_FALSE(stream_.entry_durable());
}

TEST_P(UserStreamTest, EachSegmentKeepsRoomForHeaders) {
  ASSERT_TRUE(Put(10).ok());
  const uint64_t left = kSegmentBytes - stream_.active()->end();
  const uint64_t kept = std::min<uint64_t>(kSegmentBytes / 16, 4096);
  EXPECT_GE(kept, 4 * kRecordHeaderBytes);
  EXPECT_TRUE(stream_.HasRoom(left - kept, /*keeps_free=*/true));
  EXPECT_FALSE(stream_.HasRoom(left - kept + 1, /*keeps_free=*/true));
  // That is for fences.
  EXPECT_TRUE(stream_.HasRoom(left, /*keeps_free=*/false));
  EXPECT_FALSE(stream_.HasRoom(left + 1, /*keeps_free=*/false));
}

}  // namespace
}  // namespace rumcask
