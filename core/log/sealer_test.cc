#include "core/log/sealer.h"

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "gtest/gtest.h"

#include "core/log/segment_factory.h"
#include "core/segment/descriptor_cache.h"
#include "core/segment/segment_file.h"
#include "tests/crash_kit/crash_file_system.h"
#include "tests/crash_kit/fault_file_system.h"

namespace rumcask {
namespace {

constexpr const char* kPath = "/crash";
constexpr Uuid kUuid = {4, 7, 11};

class SealerTest : public testing::Test {
 protected:
  SealerTest() : directory_(*faults_.OpenDirectory(kPath)) {
    factory_.Begin(kUuid);
    sealer_.Begin(kUuid);
  }

  // A full segment with one record.
  Sealer::Job Full(uint64_t id) {
    std::shared_ptr<SegmentWriter> writer = *factory_.Create(id, 1 << 16);
    NewRecord record;
    record.header.kind = RecordKind::kPut;
    record.header.sequence = id;
    record.header.key_bytes = 1;
    record.key = "k";
    record.inner = InnerChecksum("k", "");
    SegmentHeader header;
    header.uuid = kUuid;
    header.id = id;
    bool broken = false;
    EXPECT_TRUE(writer->Begin(header, {&record, 1}, record.header.record_bytes(), &broken).ok());
    const uint64_t end = writer->end();
    return {std::move(writer), nullptr, end, id};
  }

  bool HasFooterAfterAPowerCut(uint64_t id) {
    CrashFileSystem after(disk_.Cut(KeepPolicy::DropUnsynced()));
    auto directory = after.OpenDirectory(kPath);
    auto file = SegmentFile::Open(directory->get(), kUuid, id);
    return file.ok() && (*(*file)->ReadTrailer()).has_value();
  }

  CrashFileSystem disk_;
  FaultFileSystem faults_{&disk_};
  const std::unique_ptr<Directory> directory_;
  LogStatus status_{directory_.get(), nullptr};
  SpaceReserve reserve_{directory_.get()};
  SegmentTable table_;
  SegmentFactory factory_{directory_.get(),
                          &table_,
                          std::make_shared<DescriptorCache>(directory_.get(), 16),
                          {1 << 16, false, false, 1000, std::make_shared<MappingBudget>()}};
  std::vector<uint64_t> durable_;
  std::function<void(const Sealer::Job&)> on_durable_;
  Sealer sealer_{directory_.get(), &status_, &reserve_, [this](const Sealer::Job& job) {
                   durable_.push_back(job.last_sequence);
                   if (on_durable_) on_durable_(job);
                 }};
};

TEST_F(SealerTest, SegmentsAreSealedInTheirOrderAndThenSaidToBeDurable) {
  on_durable_ = [this](const Sealer::Job& job) {
    EXPECT_TRUE(HasFooterAfterAPowerCut(job.full->segment()->id()));
  };
  for (uint64_t id = 1; id <= 3; ++id) sealer_.Enqueue(Full(id));
  EXPECT_EQ(sealer_.waiting(), 3u);
  ASSERT_TRUE(sealer_.SealAll().ok());
  EXPECT_EQ(durable_, (std::vector<uint64_t>{1, 2, 3}));
  EXPECT_EQ(sealer_.waiting(), 0u);
  EXPECT_EQ(sealer_.sealed(), 3u);
}

TEST_F(SealerTest, AWriterSealsOnlyWhatIsTooMuch) {
  for (uint64_t id = 1; id <= 3; ++id) sealer_.Enqueue(Full(id));
  sealer_.SealDownTo(2);
  EXPECT_EQ(durable_, (std::vector<uint64_t>{1}));
  sealer_.SealDownTo(2);
  EXPECT_EQ(durable_, (std::vector<uint64_t>{1}));
}

TEST_F(SealerTest, WithoutRoomForItTheFooterIsLeftOut) {
  const Sealer::Job job = Full(1);
  Segment* const segment = job.full->segment();
  sealer_.Enqueue(job);
  FaultPlan plan;
  plan.call = 1;
  plan.fault = Fault::kEnospc;
  plan.for_ever = true;
  plan.matches = [](const Call& call) { return call.kind == CallKind::kWrite; };
  faults_.SetPlan(plan);
  ASSERT_TRUE(sealer_.SealAll().ok());
  EXPECT_EQ(durable_, (std::vector<uint64_t>{1}));
  EXPECT_FALSE(segment->sealed.load());
  EXPECT_EQ(segment->allocated_bytes.load(), job.end);
  EXPECT_FALSE(HasFooterAfterAPowerCut(1));
  // The record is durable all the same.
  CrashFileSystem after(disk_.Cut(KeepPolicy::DropUnsynced()));
  EXPECT_EQ(after.Contents(kPath)[SegmentName(1)].size(), job.end);
}

TEST_F(SealerTest, AFailedSyncEndsWritingAndNothingBehindItIsSealed) {
  for (uint64_t id = 1; id <= 3; ++id) sealer_.Enqueue(Full(id));
  FaultPlan plan;
  plan.call = 2;
  plan.matches = [](const Call& call) { return call.kind == CallKind::kSync; };
  faults_.SetPlan(plan);
  EXPECT_FALSE(sealer_.SealAll().ok());
  EXPECT_EQ(durable_, (std::vector<uint64_t>{1}));
  EXPECT_TRUE(status_.failed());
  faults_.SetPlan({});
  EXPECT_FALSE(sealer_.SealAll().ok());
  sealer_.SealDownTo(0);
  EXPECT_EQ(durable_, (std::vector<uint64_t>{1}));
  EXPECT_EQ(sealer_.waiting(), 2u);
}

TEST_F(SealerTest, ARecordThatNoLongerVerifiesIsNotSealed) {
  const Sealer::Job job = Full(1);
  sealer_.Enqueue(job);
  const std::string path = std::string(kPath) + "/" + SegmentName(1);
  std::string bytes = disk_.Contents(kPath)[SegmentName(1)];
  bytes[job.end - 1] ^= 1;
  bytes[kSegmentHeaderBytes + kRecordHeaderBytes] ^= 1;
  ASSERT_TRUE(job.full->segment()->file()->Write(0, bytes).ok());
  const absl::Status status = sealer_.SealAll();
  EXPECT_TRUE(absl::IsDataLoss(status)) << status;
  EXPECT_TRUE(durable_.empty());
}

}  // namespace
}  // namespace rumcask
