// What compaction does while it holds the write lock, for which every writer waits.

#include <sys/syscall.h>

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"

#include "core/compaction/compaction.h"
#include "core/db.h"
#include "core/format/format.h"
#include "core/stats.h"
#include "core/store.h"
#include "keystores/by_name.h"
#include "tests/compaction/lock_watch.h"
#include "tests/crash_kit/fault_file_system.h"

namespace rumcask {

struct DbTestPeer {
  static Compactor* CompactorOf(DB* db) { return db->store_->compactor_.get(); }
  static const Mutex& WriteMutexOf(DB* db) { return db->store_->log_.write_mutex(); }
};

namespace {

namespace fs = std::filesystem;

constexpr uint64_t kSegmentBytes = 16384;
// Some ten segments, of whose records every second one dies.
constexpr int kKeys = 1000;
constexpr size_t kValueBytes = 100;
// Fills a segment, so that the next record goes into another.
constexpr size_t kFillingBytes = 12000;
// One job gains more.
constexpr uint64_t kGain = 12000;
// Keys moved under one hold of the lock, at most.
constexpr uint64_t kMovedAtOnce = 64;

class WriteLockTest : public testing::TestWithParam<std::string> {
 protected:
  ~WriteLockTest() override {
    Remove();
    faults_.SetHook(nullptr);
  }
  void Remove() {
    if (db_ != nullptr) (void)db_->Close();
    db_.reset();
    if (!directory_.empty()) fs::remove_all(directory_);
  }

  static bool IsInMemory() { return GetParam() != "lmdb" && GetParam() != "rocksdb"; }

  // A database of `keys` keys that nothing happens to, each in a segment of its own if `filling`,
  // and of those that are to be compacted.
  void Make(int keys, bool filling) {
    Remove();
    // In memory where that is possible, as each segment is synced.
    const fs::path parent = fs::exists("/dev/shm") ? "/dev/shm" : testing::TempDir();
    std::string name = (parent / "write_lock.XXXXXX").string();
    ASSERT_NE(::mkdtemp(name.data()), nullptr);
    directory_ = name;
    Options options;
    options.keystore = *KeystoreByName(GetParam());
    options.create_if_missing = true;
    options.segment_bytes = kSegmentBytes;
    options.compaction.automatic = false;
    options.file_system = &faults_;
    auto db = DB::Open((directory_ / "db").string(), options);
    ASSERT_TRUE(db.ok()) << db.status();
    db_ = *std::move(db);
    for (int i = 0; i < keys; ++i) {
      // So that each of them has something to correct, where what is dead is counted.
      Put("dying", 0);
      Put(absl::StrCat("other", i), filling ? kFillingBytes : 0);
    }
    for (int i = 0; i < kKeys; ++i) Put(Key(i), kValueBytes);
    for (int i = 0; i < kKeys; i += 2) Put(Key(i), kValueBytes);
    // Ends the segment that has the last of them, and leaves room for fences.
    Put("end", kFillingBytes);
    Put("active", 2 * kFillingBytes / 3);
    ASSERT_TRUE(db_->Sync().ok());
    if (filling) {
      ASSERT_GE(db_->GetStats().segments.size(), static_cast<size_t>(keys));
    }
  }
  static std::string Key(int i) { return absl::StrCat("key", 1000 + i); }
  void Put(const std::string& key, size_t value_bytes) {
    const absl::Status status = db_->Put(key, std::string(value_bytes, 'v'));
    ASSERT_TRUE(status.ok()) << status;
  }
  CompactionReport Compact() {
    CompactionReport report;
    const absl::Status status = db_->CompactSome(kGain, &report);
    EXPECT_TRUE(status.ok()) << status;
    return report;
  }
  const Mutex& WriteMutex() { return DbTestPeer::WriteMutexOf(db_.get()); }
  void SetStepHook(std::function<void(std::string_view)> hook) {
    DbTestPeer::CompactorOf(db_.get())->SetStepHook(std::move(hook));
  }

  FaultFileSystem faults_{PosixFileSystem()};
  fs::path directory_;
  std::unique_ptr<DB> db_;
};

INSTANTIATE_TEST_SUITE_P(Keystores, WriteLockTest, testing::ValuesIn(KeystoreNames()),
                         [](const auto& param) { return param.param; });

// Beside a writer. A fence is a record as any other, and may begin the next segment. With one a job
// ends, and so does the active segment.
TEST_P(WriteLockTest, NoCallOfTheFileSystem) {
  Make(0, /*filling=*/false);
  const Mutex& mutex = WriteMutex();
  EXPECT_FALSE(HoldsLock(mutex));
  const std::thread::id compacts = std::this_thread::get_id();
  std::string at;
  std::vector<std::string> wrong;
  uint64_t calls = 0;
  faults_.SetHook([&](const Call& call) {
    if (std::this_thread::get_id() != compacts) return;
    ++calls;
    if (!HoldsLock(mutex) || at == "end" || at == "fence") return;
    wrong.push_back(absl::StrCat(at, ": ", CallKindName(call.kind), " ", call.name));
  });
  SetStepHook([&](std::string_view step) { at = std::string(step); });
  std::atomic<bool> done{false};
  std::thread writer([&] {
    while (!done.load(std::memory_order_relaxed)) {
      for (int i = 0; i < 50; ++i) Put(Key(i), kValueBytes);
      std::this_thread::yield();
    }
  });
  uint64_t retired = 0;
  while (retired < 20) {
    at = "call";
    CompactionReport report;
    const absl::Status status = db_->CompactAll(&report);
    EXPECT_TRUE(status.ok()) << status;
    if (!status.ok()) break;
    retired += report.retired_segments;
  }
  done.store(true);
  writer.join();
  SetStepHook(nullptr);
  EXPECT_TRUE(wrong.empty()) << wrong.size() << ", as " << wrong[0];
  EXPECT_GT(calls, 100u);
  faults_.SetHook(nullptr);
}

// What is in the survivors, counted in keys.
TEST_P(WriteLockTest, AtMost64KeysAreMovedAtOnce) {
  Make(0, /*filling=*/false);
  const uint64_t record_bytes = RecordBytes(Key(0).size(), kValueBytes);
  const uint64_t newest = db_->GetStats().segments.back().id;
  const auto moved = [&] {
    uint64_t bytes = 0;
    for (const SegmentStats& segment : db_->GetStats().segments) {
      if (segment.id > newest) bytes += segment.live_bytes;
    }
    EXPECT_EQ(bytes % record_bytes, 0u);
    return bytes / record_bytes;
  };
  uint64_t before = 0;
  uint64_t most = 0;
  SetStepHook([&](std::string_view step) {
    if (step != "slice" && step != "held") return;
    // Between two of these the lock is held once.
    const uint64_t now = moved();
    most = std::max(most, now - before);
    before = now;
  });
  const CompactionReport report = Compact();
  SetStepHook(nullptr);
  EXPECT_EQ(moved(), report.copied_records);
  EXPECT_GT(report.copied_records, 2 * kMovedAtOnce);
  EXPECT_LE(most, kMovedAtOnce);
  EXPECT_GT(most, 0u);
}

#ifdef RUMCASK_LOCK_WATCH

// Wakes a background thread.
constexpr uint64_t kWake = SYS_futex;
// An allocator takes memory from the system now and then, whoever holds what.
bool IsMemoryCall(uint64_t call) {
  return call == SYS_brk || call == SYS_mmap || call == SYS_munmap || call == SYS_mprotect ||
         call == SYS_madvise;
}

// Of the holds of one step.
struct StepCosts {
  uint64_t holds = 0;
  // Of one that calls for no file: if the next segment is not ready, who begins it makes it.
  uint64_t most_instructions = 0;
  std::map<uint64_t, uint64_t> calls;
};
using Costs = std::map<std::string, StepCosts>;

class WriteLockCostTest : public WriteLockTest {
 protected:
  // Of a compaction, and of puts after it.
  Costs Measure() {
    LockWatch watch(WriteMutex());
    watch.SetStep("begin");
    SetStepHook([&](std::string_view step) { watch.SetStep(std::string(step)); });
    const CompactionReport report = Compact();
    EXPECT_GT(report.retired_segments, 2u);
    EXPECT_GT(report.copied_records, 2 * kMovedAtOnce);
    SetStepHook(nullptr);
    watch.SetStep("put");
    // More than a segment takes.
    for (int i = 0; i < 130; ++i) Put(Key(i), kValueBytes);
    Costs costs;
    for (const Hold& hold : watch.holds()) {
      StepCosts& step = costs[hold.step];
      ++step.holds;
      bool calls_for_files = false;
      for (const uint64_t call : hold.calls) {
        ++step.calls[call];
        calls_for_files = calls_for_files || (call != kWake && !IsMemoryCall(call));
      }
      const uint64_t counted = calls_for_files ? 0 : hold.instructions;
      step.most_instructions = std::max(step.most_instructions, counted);
    }
    return costs;
  }
  static void Print(const char* what, const Costs& costs) {
    for (const auto& [name, step] : costs) {
      std::printf("%s, %s, %s: held %llu times for at most %llu instructions", GetParam().c_str(),
                  what, name.c_str(), static_cast<unsigned long long>(step.holds),
                  static_cast<unsigned long long>(step.most_instructions));
      for (const auto& [call, count] : step.calls) {
        std::printf("; system call %llu: %llu", static_cast<unsigned long long>(call),
                    static_cast<unsigned long long>(count));
      }
      std::printf("\n");
    }
  }
};

INSTANTIATE_TEST_SUITE_P(Keystores, WriteLockCostTest, testing::ValuesIn(KeystoreNames()),
                         [](const auto& param) { return param.param; });

// Both databases have the same keys. In one of them each of many has a segment of its own.
TEST_P(WriteLockCostTest, NoSystemCallAndNothingThatGrowsWithTheSegments) {
  const bool full = std::getenv("RUMCASK_FULL") != nullptr;
  const int segments = full || GetParam() == "hash" ? 10000 : 2000;
  Make(segments, /*filling=*/false);
  const auto few_segments = static_cast<uint64_t>(db_->GetStats().segments.size());
  const Costs few = Measure();
  Print("few segments", few);
  Make(segments, /*filling=*/true);
  const uint64_t more = db_->GetStats().segments.size() - few_segments;
  const Costs many = Measure();
  Print("many segments", many);
  std::vector<std::string> steps = {"choose", "copy", "adopt", "looked", "fence", "retire", "put"};
  // Of rocksdb it is counted what is dead.
  if (GetParam() == "rocksdb") steps.insert(steps.begin(), {"listed", "counting"});
  for (const std::string& step : steps) {
    SCOPED_TRACE(step);
    ASSERT_EQ(few.count(step), 1u);
    ASSERT_EQ(many.count(step), 1u);
    EXPECT_GT(few.at(step).most_instructions, 0u);
    // Less than one for each further segment.
    EXPECT_LT(many.at(step).most_instructions, few.at(step).most_instructions + more);
  }
  for (const auto& [step, costs] : many) {
    // A fence is a write: it may find that the next segment is wanted, or begin it.
    if (step == "put" || step == "fence") continue;
    for (const auto& [call, count] : costs.calls) {
      // Buffers in front of an index take memory, and share a lock with who empties them.
      const bool may_be = !IsInMemory() && (call == kWake || IsMemoryCall(call));
      EXPECT_TRUE(may_be) << step << ": " << count << " times system call " << call;
    }
  }
}

#endif  // RUMCASK_LOCK_WATCH

}  // namespace
}  // namespace rumcask
