#include "core/index/buffered_index.h"

#include <atomic>
#include <memory>
#include <string>
#include <utility>

#include "gtest/gtest.h"

#include "core/plugin/disk_index.h"
#include "core/plugin/keystore.h"
#include "core/versions/past_versions.h"
#include "tests/crash_kit/crash_file_system.h"

namespace rumcask {
namespace {

// An index all of whose entries are damaged.
class RottenIndex : public DiskIndex {
 public:
  absl::Status Get(std::string_view /*key*/, std::string* value) const override {
    *value = "no entry";
    return absl::OkStatus();
  }
  absl::Status Scan(const KeyRange& /*range*/, size_t /*limit*/, IndexRows* rows) const override {
    rows->Clear();
    return absl::OkStatus();
  }
  absl::Status Commit(IndexBatch* /*batch*/) override { return absl::OkStatus(); }
  absl::Status Flush() override { return absl::OkStatus(); }
  absl::Status GetNote(std::string_view /*name*/, bool /*durable*/,
                       std::string* /*value*/) const override {
    return absl::NotFoundError("");
  }
  uint64_t KeyCount() const override { return 1; }
  uint64_t MemoryBytes() const override { return 0; }
  uint64_t FileBytes() const override { return 0; }
  bool counts_exactly() const override { return true; }
  bool reports_replaced() const override { return true; }
};

class BufferedIndexTest : public testing::TestWithParam<bool> {
 protected:
  BufferedIndexTest() : directory_(*disk_.OpenDirectory("/crash")) {
    Log::Config log = {};
    log.segment_bytes = uint64_t{1} << 20;
    log.max_open_files = 16;
    log.mapping_budget = std::make_shared<MappingBudget>();
    log_ = std::make_unique<Log>(directory_.get(), log, /*read_only=*/false);
    EXPECT_TRUE(log_->Open(RecoveredLog()).ok());
    BufferedIndex::Config config = {};
    config.path = "index";
    config.buffer_bytes = 4096;
    config.replay_bytes = uint64_t{1} << 20;
    config.background = GetParam();
    keystore_ = std::make_unique<BufferedIndex>(std::make_unique<RottenIndex>(), log_.get(),
                                                std::move(config), [this] {
                                                  // As writing MANIFEST does.
                                                  MutexLock lock(log_->write_mutex());
                                                  ++abandoned_;
                                                });
  }

  CrashFileSystem disk_;
  const std::unique_ptr<Directory> directory_;
  std::unique_ptr<Log> log_;
  std::atomic<int> abandoned_{0};
  std::unique_ptr<BufferedIndex> keystore_;
};

INSTANTIATE_TEST_SUITE_P(Background, BufferedIndexTest, testing::Bool(), [](const auto& param) {
  return param.param ? "Background" : "NoBackground";
});

TEST_P(BufferedIndexTest, DamageMetUnderTheWriteLockAbandonsTheIndexLater) {
  PreparedKey key("key");
  keystore_->Digest(&key);
  {
    MutexLock lock(log_->write_mutex());
    EXPECT_FALSE(
        keystore_->Relocate(key, Location::Make(0, 4096, 64), Location::Make(1, 4096, 64)));
    EXPECT_EQ(abandoned_.load(), 0);
  }
  EXPECT_TRUE(absl::IsFailedPrecondition(keystore_->WaitForRoom()));
  if (!GetParam()) {
    keystore_->AfterWrite();
    EXPECT_EQ(abandoned_.load(), 1);
  }
  (void)keystore_->Close();
  EXPECT_EQ(abandoned_.load(), 1);
}

}  // namespace
}  // namespace rumcask
