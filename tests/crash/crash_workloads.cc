#include "tests/crash/crash_workloads.h"

#include <atomic>
#include <chrono>
#include <optional>
#include <string>
#include <thread>

#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "gtest/gtest.h"

#include "core/check/repair.h"
#include "core/stats.h"
#include "core/testing/map_keystore.h"
#include "tests/oracle/operations.h"
#include "tests/workloads/workload.h"

namespace rumcask {
namespace {

#define ASSERT_OK(expression)                  \
  do {                                         \
    const absl::Status status_ = (expression); \
    ASSERT_TRUE(status_.ok()) << status_;      \
  } while (false)

std::string Key(int i) { return WorkloadKey(i); }
std::string Value(int i, size_t size) { return WorkloadValue(i, size); }

// Adapts the workloads shared by all campaigns to a run whose crashes are enumerated.
class Crashed : public WorkloadRun {
 public:
  explicit Crashed(CrashRun* run) : run_(run) {}

  bool Open() override { return Expect(run_->Open()); }
  void Write(const Operations& operations, bool sync) override {
    Expect(run_->oracle().Write(operations, sync));
  }
  void Sync() override { Expect(run_->oracle().Sync()); }
  void ReadAll() override {
    State found;
    Expect(rumcask::ReadAll(run_->oracle().db(), &found));
    EXPECT_EQ(found, run_->oracle().StateAt(run_->oracle().last_version()));
  }
  void Close() override { Expect(run_->oracle().Close()); }
  void Compact(bool all) override {
    DB* const db = run_->oracle().db();
    Expect(all ? db->CompactAll() : db->CompactSome(10000));
  }

 private:
  static bool Expect(const absl::Status& status) {
    EXPECT_TRUE(status.ok()) << status;
    return status.ok();
  }

  CrashRun* const run_;
};

void SomeSynced(CrashRun& run) {
  ASSERT_OK(run.Open());
  for (int i = 0; i < 80; ++i) {
    ASSERT_OK(run.oracle().Put(Key(i % 30), Value(i, 120), i % 9 == 8));
    if (i % 25 == 24) ASSERT_OK(run.oracle().Sync());
  }
}

void ThreeReopens(CrashRun& run) {
  for (int round = 0; round < 3; ++round) {
    ASSERT_OK(run.Open());
    for (int i = 0; i < 14; ++i) ASSERT_OK(run.oracle().Put(Key(i + round), Value(i, 90)));
    ASSERT_OK(run.oracle().Close());
  }
}

// After a clean close, appends continue in the same segment.
void CleanCloseAndContinue(CrashRun& run) {
  run.SetCutting(false);
  ASSERT_OK(run.Open());
  for (int i = 0; i < 10; ++i) ASSERT_OK(run.oracle().Put(Key(i), Value(i, 90)));
  ASSERT_OK(run.oracle().Close());
  run.SetCutting(true);
  ASSERT_OK(run.Open());
  for (int i = 5; i < 45; ++i) ASSERT_OK(run.oracle().Put(Key(i), Value(i + 100, 110), i == 20));
}

// The process is killed several times in a row. A power cut may come at any time, while the writes
// of earlier processes are still only in the page cache.
void KillsInARow(CrashRun& run) {
  for (int round = 0; round < 4; ++round) {
    ASSERT_OK(run.Reopen());
    for (int i = 0; i < 20; ++i) {
      ASSERT_OK(run.oracle().Put(Key(i + 7 * round), Value(100 * round + i, 110), i == 11));
    }
    run.Kill();
  }
  ASSERT_OK(run.Reopen());
  ASSERT_OK(run.oracle().Sync());
}

// The process is killed after compactions, and compacts again in its next life.
void CompactionsAndKills(CrashRun& run) {
  run.DeepenEvery(5);
  for (int round = 0; round < 2; ++round) {
    ASSERT_OK(run.Reopen());
    if (round > 0) ASSERT_OK(run.oracle().db()->CompactAll());
    for (int i = 0; i < 22; ++i) {
      ASSERT_OK(run.oracle().Put(Key((i * 3 + round) % 19), Value(100 * round + i, 190), i == 17));
      if (i % 7 == 6) ASSERT_OK(run.oracle().Delete(Key((i + round) % 19)));
    }
    ASSERT_OK(run.oracle().db()->CompactAll());
    ASSERT_OK(run.oracle().Put(Key(round), "after the compaction"));
    run.Kill();
  }
  ASSERT_OK(run.Reopen());
  ASSERT_OK(run.oracle().Sync());
}

// Some appends fail because the disk is full, and writes follow them.
void FailedAppends(CrashRun& run) {
  ASSERT_OK(run.Open());
  for (int i = 0; i < 60; ++i) {
    if (i % 6 == 5) {
      FaultPlan plan;
      plan.call = 1;
      plan.fault = i % 12 == 5 ? Fault::kEnospc : Fault::kShort;
      plan.matches = [](const Call& call) {
        return call.kind == CallKind::kWrite || call.kind == CallKind::kOpen;
      };
      run.faults().SetPlan(plan);
    }
    (void)run.oracle().Put(Key(i % 25), Value(i, 200));
    run.faults().SetPlan(FaultPlan());
  }
  ASSERT_OK(run.oracle().Sync());
}

// With a background thread. Several threads sync as a group while sealing stalls.
void SyncedGroup(CrashRun& run) {
  ASSERT_OK(run.Open(/*background_threads=*/1));
  std::atomic<int> syncs{0};
  run.on_operation = [&](const char* what, const std::string&) {
    if (std::string_view(what) == "sync" && ++syncs % 4 == 1) {
      std::this_thread::sleep_for(std::chrono::milliseconds(2));
    }
  };
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&run, t] {
      for (int i = 0; i < 22; ++i) {
        ASSERT_OK(run.oracle().Put(std::to_string(t) + Key(i % 9), Value(i, 130), i % 4 == 3));
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  ASSERT_OK(run.oracle().Close());
}

// Unsynced writes begin new segments while the sealer is blocked in fdatasync.
void StalledSealer(CrashRun& run) {
  // The index waits for the sealer, and full buffers wait for the index. Large buffers keep that
  // from blocking the writer.
  run.options().keystore->buffer_bytes = run.options().replay_bytes = 1 << 20;
  ASSERT_OK(run.Open(/*background_threads=*/1));
  std::atomic<bool> stalled{false};
  std::atomic<bool> released{false};
  run.on_operation = [&](const char* what, const std::string& name) {
    // The sealer syncs segments; the first writer syncs MANIFEST.
    if (std::string_view(what) != "sync" || !absl::EndsWith(name, ".seg")) return;
    if (stalled.exchange(true)) return;
    while (!released.load()) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  };
  for (int i = 0; i < 110; ++i) ASSERT_OK(run.oracle().Put(Key(i % 40), Value(i, 120)));
  released.store(true);
  ASSERT_OK(run.oracle().Put("synced", "after the stall", true));
  ASSERT_OK(run.oracle().Close());
}

void ConditionalWrites(CrashRun& run) {
  ASSERT_OK(run.Open());
  DB* const db = run.oracle().db();
  for (int i = 0; i < 40; ++i) {
    ASSERT_OK(run.oracle().Put(Key(i % 5), Value(i, 100)));
    // A refused write with sync still waits until the write that it observed is durable.
    EXPECT_TRUE(absl::IsAlreadyExists(db->PutIfAbsent(Key(i % 5), "no", {i % 8 == 7})));
    EXPECT_TRUE(absl::IsAborted(db->CompareAndDelete(Key(i % 5), 1u << 30, {false})));
  }
}

// Repair writes a new database, which exists only once its MANIFEST is written.
void RepairBeside(CrashRun& run) {
  ASSERT_OK(run.Open());
  for (int i = 0; i < 50; ++i) ASSERT_OK(run.oracle().Put(Key(i), Value(i, 100), i % 10 == 9));
  ASSERT_OK(run.oracle().Close());
  auto report = Repair(kCrashPath, "/crash/repaired", &run.faults());
  ASSERT_TRUE(report.ok()) << report.status();
  EXPECT_EQ(report->records_kept, 50u);
  auto db = DB::Open("/crash/repaired", run.options());
  ASSERT_TRUE(db.ok()) << db.status();
  State state;
  ASSERT_OK(ReadAll(db->get(), &state));
  EXPECT_EQ(state, run.oracle().StateAt(run.oracle().last_version()));
}

// Few keys, so that a buffer holds some of them twice; long keys, so that buffers fill quickly. The
// index receives overwrites, deletes, batches, and keys that return after a delete.
void ManyBuffers(CrashRun& run) {
  for (int round = 0; round < 2; ++round) {
    ASSERT_OK(run.Open());
    for (int i = 0; i < 60; ++i) {
      const std::string key = Key((i * 7 + round) % 23) + std::string(90, 'k');
      if (i % 5 == 4) {
        ASSERT_OK(run.oracle().Delete(key));
      } else if (i % 11 == 10) {
        ASSERT_OK(run.oracle().Write({{key, Value(i, 40)}, {Key(i), "new"}, {key, std::nullopt}}));
      } else {
        ASSERT_OK(run.oracle().Put(key, Value(i + 100 * round, 30), i % 17 == 16));
      }
    }
    ASSERT_OK(run.oracle().Close());
  }
}

// Switches between two keystores by reindexing. An index from an earlier round may still exist.
void Reindexing(CrashRun& run) {
  const std::optional<KeystoreFactory> on_disk = run.options().keystore;
  const auto go_on = [&run](int round) {
    ASSERT_OK(run.Open());
    for (int i = 0; i < 25; ++i) {
      if (i % 6 == 5) {
        ASSERT_OK(run.oracle().Delete(Key(i + round)));
      }
      ASSERT_OK(run.oracle().Put(Key(i % 18), Value(i + 100 * round, 90), i % 12 == 11));
    }
    ASSERT_OK(run.oracle().Close());
  };
  run.options().reindex = true;
  for (int round = 0; round < 4; ++round) {
    run.options().keystore = round % 2 == 0 ? TestKeystore() : on_disk;
    go_on(round);
  }
}

// The index's disk is full for a while and fails later. After the failure writes are refused, reads
// still work, and the next opening builds a new index.
void FailingIndex(CrashRun& run) {
  ASSERT_OK(run.Open());
  for (int i = 0; i < 80; ++i) {
    if (i == 20) run.index()->FailApply(absl::ResourceExhaustedError("no room"));
    if (i == 65) run.index()->FailApply(absl::OkStatus());
    const absl::Status status = run.oracle().Put(Key(i), Value(i, 100), i % 9 == 8);
    // At most two full buffers may wait for the index; then writes are refused.
    if (i >= 62 && i < 65) {
      EXPECT_TRUE(absl::IsResourceExhausted(status)) << status;
    }
    if (i < 20 || i > 65) {
      ASSERT_OK(status);
    }
  }
  run.index()->FailApply(absl::InternalError("input/output error"));
  absl::Status status;
  for (int i = 0; i < 60 && status.ok(); ++i) status = run.oracle().Put(Key(i), Value(i, 90));
  EXPECT_TRUE(absl::IsFailedPrecondition(status)) << status;
  EXPECT_TRUE(absl::StrContains(status.message(), "input/output error")) << status;
  State state;
  ASSERT_OK(ReadAll(run.oracle().db(), &state));
  EXPECT_EQ(state, run.oracle().StateAt(run.oracle().last_version()));
  run.Kill();
  ASSERT_OK(run.Reopen());
  EXPECT_NE(run.oracle().db()->GetStats().index_rebuilt, "");
  ASSERT_OK(run.oracle().Put("after", "the failure", true));
  ASSERT_OK(run.oracle().Close());
}

}  // namespace

std::vector<CrashWorkload> IndexCrashWorkloads() {
  std::vector<CrashWorkload> workloads = CrashWorkloads();
  workloads.push_back({"ManyBuffers", ManyBuffers});
  workloads.push_back({"Reindexing", Reindexing});
  workloads.push_back({"FailingIndex", FailingIndex});
  return workloads;
}

std::vector<CrashWorkload> CrashWorkloads() {
  // The sizes keep the whole enumeration to a few minutes.
  const auto common = [](auto workload) {
    return [workload](CrashRun& run) {
      Crashed crashed(&run);
      workload(crashed);
    };
  };
  return {{"SinglePuts", common([](WorkloadRun& run) { Puts(run, 90, 100); })},
          {"SyncedPuts", common([](WorkloadRun& run) { SyncedPuts(run, 45, 150, 1); })},
          {"SomeSynced", SomeSynced},
          {"Batches", common([](WorkloadRun& run) { Batches(run, 24); })},
          {"OverwritesAndDeletes",
           common([](WorkloadRun& run) { OverwritesAndDeletes(run, 140, 100); })},
          {"ThreeReopens", ThreeReopens},
          {"CleanCloseAndContinue", CleanCloseAndContinue},
          {"LargeValues", common([](WorkloadRun& run) { LargeValues(run, 12, 9000); })},
          {"KillsInARow", KillsInARow},
          {"FailedAppends", FailedAppends},
          {"Compactions",
           [](CrashRun& run) {
             run.DeepenEvery(5);
             Crashed crashed(&run);
             Compactions(crashed, 2, 32, 130);
           }},
          {"CompactionsAndKills", CompactionsAndKills},
          {"SyncedGroup", SyncedGroup},
          {"StalledSealer", StalledSealer},
          {"ConditionalWrites", ConditionalWrites},
          {"RepairBeside", RepairBeside}};
}

}  // namespace rumcask
