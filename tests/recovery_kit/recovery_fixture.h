// What the tests of recovery share: a directory of segments on a device that may fail.

#ifndef RUMCASK_TESTS_RECOVERY_KIT_RECOVERY_FIXTURE_H_
#define RUMCASK_TESTS_RECOVERY_KIT_RECOVERY_FIXTURE_H_

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "gtest/gtest.h"

#include "core/log/recovery.h"
#include "core/testing/segment_bytes.h"
#include "tests/crash_kit/crash_file_system.h"
#include "tests/crash_kit/fault_file_system.h"

namespace rumcask {

inline constexpr const char* kPath = "/crash";
inline const Uuid kUuid = {4, 7, 11};
inline const std::string kLarge(5000, 'v');

class RecoveryTest : public testing::Test {
 protected:
  RecoveryTest() { manifest_.uuid = kUuid; }

  void Write(uint64_t id, const SegmentBytes& segment) { Write(id, segment.bytes()); }
  void Write(uint64_t id, const std::string& bytes) {
    disk_.WriteFile(std::string(kPath) + "/" + SegmentName(id), bytes);
  }
  absl::StatusOr<RecoveredLog> Find(bool read_only = false) {
    auto directory = device_.OpenDirectory(kPath);
    return Recover(directory->get(), manifest_, read_only);
  }
  RecoveredLog MustFind() {
    absl::StatusOr<RecoveredLog> log = Find();
    EXPECT_TRUE(log.ok()) << log.status();
    return log.ok() ? *std::move(log) : RecoveredLog();
  }
  static std::vector<uint64_t> IdsOf(const RecoveredLog& log) {
    std::vector<uint64_t> ids;
    for (const RecoveredSegment& segment : log.segments) ids.push_back(segment.id);
    return ids;
  }

  CrashFileSystem disk_;
  FaultFileSystem device_{&disk_};
  Manifest manifest_;
};

using Ids = std::vector<uint64_t>;

inline SegmentBytes First() {
  return SegmentBytes(kUuid, 1).AddPut(1, "a", "1").AddPut(2, "b", "2");
}

}  // namespace rumcask

#endif  // RUMCASK_TESTS_RECOVERY_KIT_RECOVERY_FIXTURE_H_
