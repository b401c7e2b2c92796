// A writer that waits for an index on disk, and a log that fails just when it begins to wait.

#include <dlfcn.h>
#include <pthread.h>

#include <atomic>
#include <chrono>
#include <future>
#include <memory>
#include <string>
#include <string_view>
#include <thread>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"

#include "core/db.h"
#include "core/system/mutex.h"
#include "tests/crash_kit/adversarial_index.h"
#include "tests/crash_kit/crash_file_system.h"
#include "tests/crash_kit/fault_file_system.h"

// ThreadSanitizer stands in the place of these functions itself, and sees what they order.
#ifndef RUMCASK_THREAD_SANITIZER

namespace {

// What the thread does when it is about to wait: it has looked at what it waits for, and holds the
// lock.
thread_local bool is_the_writer = false;
std::atomic<pthread_cond_t*> watched{nullptr};
std::atomic<bool> writer_waits{false};
std::atomic<bool> was_notified{false};

}  // namespace

// In the place of the C library's, which std::condition_variable calls.
extern "C" int pthread_cond_wait(pthread_cond_t* condition, pthread_mutex_t* mutex) {
  static const auto next = reinterpret_cast<int (*)(pthread_cond_t*, pthread_mutex_t*)>(
      ::dlsym(RTLD_NEXT, "pthread_cond_wait"));
  if (is_the_writer && watched.load() == nullptr) {
    watched = condition;
    writer_waits = true;
    // A notification that does not take the lock comes now, and one that does can't: half a second
    // of patience tells the first.
    for (int i = 0; i < 50 && !was_notified; ++i) {
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
  }
  return next(condition, mutex);
}

extern "C" int pthread_cond_broadcast(pthread_cond_t* condition) {
  static const auto next =
      reinterpret_cast<int (*)(pthread_cond_t*)>(::dlsym(RTLD_NEXT, "pthread_cond_broadcast"));
  const int result = next(condition);
  if (condition == watched.load()) was_notified = true;
  return result;
}

namespace rumcask {
namespace {

TEST(AdmitTest, ALogThatFailsBetweenTheLookAndTheWaitWakesTheWriter) {
  CrashFileSystem disk;
  FaultFileSystem faults(&disk);
  const std::shared_ptr<AdversarialDisk> index = AdversarialDisk::Make();
  Options options;
  options.keystore = index->Keystore("disk", /*reports_replaced=*/true);
  options.keystore->buffer_bytes = 4096;
  options.create_if_missing = true;
  options.file_system = &faults;
  auto opened = DB::Open("/crash/db", options);
  ASSERT_TRUE(opened.ok()) << opened.status();
  const std::unique_ptr<DB> db = *std::move(opened);
  // The log's sync is held up until the writer is about to wait, and then fails.
  FaultPlan plan;
  plan.call = 1;
  plan.for_ever = true;
  plan.matches = [](const Call& call) {
    return call.kind == CallKind::kSync && absl::EndsWith(call.name, ".seg");
  };
  plan.on_fault = [](const Call&) {
    while (!writer_waits) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  };
  ASSERT_TRUE(db->Put("key", "value").ok());
  faults.SetPlan(plan);
  std::future<absl::Status> writer = std::async(std::launch::async, [&] {
    is_the_writer = true;
    absl::Status status;
    for (int i = 0; status.ok(); ++i) status = db->Put(absl::StrCat("key", i), "value");
    return status;
  });
  // Closing the database would free it.
  if (writer.wait_for(std::chrono::minutes(1)) != std::future_status::ready) {
    ADD_FAILURE() << "the writer waits for ever";
    (void)db->Close();
  }
  const absl::Status status = writer.get();
  EXPECT_TRUE(writer_waits);
  EXPECT_TRUE(absl::StrContains(status.message(), "read-only after")) << status;
}

}  // namespace
}  // namespace rumcask

#endif
