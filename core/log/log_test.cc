#include "core/log/log.h"

#include <memory>
#include <string>

#include "gtest/gtest.h"

#include "core/testing/segment_bytes.h"
#include "tests/crash_kit/crash_file_system.h"
#include "tests/crash_kit/fault_file_system.h"

namespace rumcask {
namespace {

constexpr const char* kPath = "/crash";

// A writer that waits for the lock on writing while another thread closes gets it afterwards, when
// the database's lock is gone.
TEST(Log, NothingIsWrittenAfterACloseThatFailed) {
  CrashFileSystem disk;
  FaultFileSystem faults(&disk);
  Manifest manifest;
  manifest.uuid = {4, 7, 11};
  disk.WriteFile(std::string(kPath) + "/" + SegmentName(1),
                 SegmentBytes(manifest.uuid, 1).AddPut(1, "found", "after a kill").bytes());
  auto directory = faults.OpenDirectory(kPath);
  absl::StatusOr<RecoveredLog> log = Recover(directory->get(), manifest, /*read_only=*/false);
  ASSERT_TRUE(log.ok()) << log.status();

  Log::Config config{};
  config.segment_bytes = uint64_t{1} << 20;
  config.append_mapped = false;
  config.read_mapped = false;
  config.max_open_files = 16;
  config.mapping_budget = std::make_shared<MappingBudget>();
  Log segments(directory->get(), config, /*read_only=*/false);
  ASSERT_TRUE(segments.Open(*std::move(log)).ok());

  FaultPlan plan;
  plan.call = 1;
  plan.fault = Fault::kEnospc;
  plan.matches = [](const Call& call) { return call.kind == CallKind::kWrite; };
  faults.SetPlan(plan);
  EXPECT_TRUE(absl::IsResourceExhausted(segments.Close()));

  // There is room again.
  faults.SetPlan({});
  NewRecord record;
  record.header.kind = RecordKind::kPut;
  record.header.key_bytes = 1;
  record.key = "k";
  record.inner = InnerChecksum("k", "");
  EXPECT_TRUE(absl::IsFailedPrecondition(segments.BeginWriting()));
  {
    MutexLock lock(segments.write_mutex());
    const absl::Status late = segments.Append({&record, 1}, record.header.record_bytes());
    EXPECT_TRUE(absl::IsFailedPrecondition(late)) << late;
  }

  // The next process finds what this one found, and writes on.
  auto again = disk.OpenDirectory(kPath);
  log = Recover(again->get(), manifest, /*read_only=*/false);
  ASSERT_TRUE(log.ok()) << log.status();
  EXPECT_EQ(log->last_sequence, 1u);
  Log next(again->get(), config, /*read_only=*/false);
  ASSERT_TRUE(next.Open(*std::move(log)).ok());
  ASSERT_TRUE(next.BeginWriting().ok());
  {
    MutexLock lock(next.write_mutex());
    EXPECT_TRUE(next.Append({&record, 1}, record.header.record_bytes()).ok());
  }
  EXPECT_TRUE(next.Close().ok());
  // All of it is durable.
  CrashFileSystem after(disk.Cut(KeepPolicy::DropUnsynced()));
  auto last = after.OpenDirectory(kPath);
  const absl::StatusOr<DecodedManifest> written = ReadManifest(last->get());
  ASSERT_TRUE(written.ok()) << written.status();
  EXPECT_TRUE(written->manifest.clean);
  log = Recover(last->get(), written->manifest, /*read_only=*/false);
  ASSERT_TRUE(log.ok()) << log.status();
  EXPECT_EQ(log->last_sequence, record.header.sequence);
}

}  // namespace
}  // namespace rumcask
