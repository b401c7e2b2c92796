// What the tests of repair share: a database in the making, and the one that is made of it.

#ifndef RUMCASK_TESTS_RECOVERY_KIT_REPAIR_FIXTURE_H_
#define RUMCASK_TESTS_RECOVERY_KIT_REPAIR_FIXTURE_H_

#include <memory>
#include <string>
#include <utility>

#include "gtest/gtest.h"

#include "core/check/repair.h"
#include "core/check/verify.h"
#include "core/db.h"
#include "core/format/limits.h"
#include "core/format/manifest.h"
#include "core/testing/map_keystore.h"
#include "core/testing/segment_bytes.h"
#include "tests/crash_kit/crash_file_system.h"

namespace rumcask {

inline constexpr char kOld[] = "/crash/old";
inline constexpr char kNew[] = "/crash/new";
inline const Uuid kUuid = {5, 8, 13};
inline constexpr uint64_t kBlock = uint64_t{1} << 40;

inline std::string PathOf(uint64_t id) { return std::string(kOld) + "/" + SegmentName(id); }

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

inline SegmentBytes First() {
  return SegmentBytes(kUuid, 1).AddPut(1, "a", "1").AddPut(2, "b", "2");
}

void FlipValue(SegmentBytes* segment, size_t record) {
  segment->bytes()[segment->offset(record) + kRecordHeaderBytes + 1] ^= 1;
}

}  // namespace rumcask

#endif  // RUMCASK_TESTS_RECOVERY_KIT_REPAIR_FIXTURE_H_
