// How many writers share a sync.

#include <chrono>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "gtest/gtest.h"

#include "core/db.h"
#include "core/stats.h"
#include "core/testing/map_keystore.h"
#include "tests/crash_kit/crash_file_system.h"
#include "tests/crash_kit/fault_file_system.h"

namespace rumcask {
namespace {

class GroupCommitTest : public testing::Test {
 protected:
  GroupCommitTest() {
    // Long enough for all writers to run meanwhile, on a busy machine too.
    faults_.SetHook([](const Call& call) {
      if (call.kind == CallKind::kSync) std::this_thread::sleep_for(kSync);
    });
    Options options;
    options.create_if_missing = true;
    options.file_system = &faults_;
    options.keystore = TestKeystore();
    db_ = *DB::Open("/crash/db", options);
  }

  void PutSynced(int writer, int count) {
    for (int i = 0; i < count; ++i) {
      const std::string key = std::to_string(writer) + "." + std::to_string(i);
      EXPECT_TRUE(db_->Put(key, "value", {/*sync=*/true}).ok());
    }
  }

  static constexpr std::chrono::milliseconds kSync{50};
  CrashFileSystem disk_;
  FaultFileSystem faults_{&disk_};
  std::unique_ptr<DB> db_;
};

TEST_F(GroupCommitTest, WritersThatComeAgainShareOneSync) {
  constexpr int kWriters = 8;
  constexpr int kPuts = 12;
  std::vector<std::thread> writers;
  for (int i = 0; i < kWriters; ++i) {
    writers.emplace_back([this, i] { PutSynced(i, kPuts); });
  }
  for (std::thread& writer : writers) writer.join();
  // In two halves that take turns they would need twice as many as puts of one writer.
  EXPECT_LE(db_->GetStats().syncs, kPuts * 3 / 2);
}

}  // namespace
}  // namespace rumcask
