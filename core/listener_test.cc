// What a listener may wait for: it is told without any lock of the database.

#include "core/listener.h"

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <utility>

#include "gtest/gtest.h"

#include "core/db.h"
#include "core/format/limits.h"
#include "core/testing/map_keystore.h"
#include "tests/crash_kit/adversarial_index.h"
#include "tests/crash_kit/crash_file_system.h"
#include "tests/crash_kit/fault_file_system.h"

namespace rumcask {
namespace {

// When it is told something for the first time, another thread calls the database, and this one
// waits for it.
class WaitingListener : public Listener {
 public:
  void OnSegmentSealed(uint64_t /*segment_id*/, uint64_t /*bytes*/) override { Wait(); }
  void OnBackgroundError(const absl::Status& /*status*/) override { Wait(); }
  void Wait() {
    if (told.exchange(true)) return;
    std::thread(meanwhile).join();
  }

  std::function<void()> meanwhile;
  std::atomic<bool> told{false};
};

class ListenerTest : public testing::Test {
 protected:
  ListenerTest() {
    options_.create_if_missing = true;
    options_.segment_bytes = kMinSegmentBytes;
    options_.background_threads = 0;
    options_.file_system = &files_;
    options_.listener = listener_;
  }

  void Open(KeystoreFactory keystore) {
    options_.keystore = std::move(keystore);
    auto db = DB::Open("/crash/db", options_);
    ASSERT_TRUE(db.ok()) << db.status();
    db_ = *std::move(db);
  }
  void FailTheNextSync() {
    FaultPlan plan;
    plan.call = 1;
    plan.matches = [](const Call& call) { return call.kind == CallKind::kSync; };
    files_.SetPlan(plan);
  }
  void Put(int i) { ASSERT_TRUE(db_->Put("key" + std::to_string(i), std::string(500, 'v')).ok()); }

  const std::shared_ptr<WaitingListener> listener_ = std::make_shared<WaitingListener>();
  CrashFileSystem disk_;
  FaultFileSystem files_{&disk_};
  Options options_;
  std::unique_ptr<DB> db_;
};

TEST_F(ListenerTest, AnotherThreadMayCloseWhileAListenerIsToldWhyACloseFails) {
  Open(TestKeystore());
  absl::Status closed = absl::InternalError("not called");
  listener_->meanwhile = [&] { closed = db_->Close(); };
  Put(1);
  ASSERT_FALSE(listener_->told);
  FailTheNextSync();
  const absl::Status first = db_->Close();
  EXPECT_FALSE(first.ok());
  EXPECT_TRUE(listener_->told);
  EXPECT_EQ(closed, first);
}

TEST_F(ListenerTest, AnotherThreadMayCloseWhileAListenerIsToldByWhoeverAppliesChanges) {
  const std::shared_ptr<AdversarialDisk> index = AdversarialDisk::Make();
  KeystoreFactory keystore = index->Keystore("adversarial", /*reports_replaced=*/true);
  keystore.buffer_bytes = 1000;
  options_.segment_bytes = 1 << 20;
  Open(std::move(keystore));
  absl::Status closed;
  listener_->meanwhile = [&] { closed = db_->Close(); };
  Put(1);
  FailTheNextSync();
  // The first buffer is full long before the segment is. Its writer applies it, and makes the log
  // durable before.
  for (int i = 0; i < 1000 && !listener_->told; ++i) {
    (void)db_->Put("key" + std::to_string(i), std::string(500, 'v'));
  }
  EXPECT_TRUE(listener_->told);
  EXPECT_FALSE(closed.ok());
}

}  // namespace
}  // namespace rumcask
