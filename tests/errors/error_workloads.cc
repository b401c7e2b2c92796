#include "tests/errors/error_workloads.h"

#include <string>

#include "tests/workloads/workload.h"

namespace rumcask {
namespace {

std::string Key(int i) { return WorkloadKey(i); }
std::string Value(int i, size_t size) { return WorkloadValue(i, size); }

// Makes some sealed segments and an unsealed one.
void Fill(ErrorRun& run) {
  run.Open();
  for (int i = 0; i < 60; ++i) run.Put(Key(i % 25), Value(i, 180), i % 20 == 7);
  run.Write({{"batch0", Value(1, 30)}, {"batch1", Value(2, 30)}, {Key(3), std::nullopt}},
            /*sync=*/false);
  run.Delete(Key(4));
}

// Covers opening, reading, and the first write, which commits the recovery.
void OpenAndWrite(ErrorRun& run) {
  if (!run.Open()) return;
  run.ReadAll();
  run.Put(Key(1), Value(1000, 100));
  run.Put(Key(200), Value(1001, 100), /*sync=*/true);
  for (int i = 0; i < 25; ++i) run.Put(Key(300 + i), Value(i, 180));
  run.ReadAll();
  run.Close();
}

void OpenAndSync(ErrorRun& run) {
  if (!run.Open()) return;
  run.Sync();
  run.Put(Key(1), Value(1000, 100), /*sync=*/true);
}

void ReadOnly(ErrorRun& run) {
  if (!run.Open(/*read_only=*/true)) return;
  run.ReadAll();
  run.Verify();
  run.Close();
}

void ReadAndVerify(ErrorRun& run) {
  if (!run.Open()) return;
  run.ReadAll();
  run.Verify();
  run.Put("between", "two", true);
  run.Verify();
  run.ReadAll();
}

void RepairAll(ErrorRun& run) { run.Repair(); }

// Opens the database again after each failure, as a supervised program would.
void OpenAgainAndAgain(ErrorRun& run) {
  for (int round = 0; round < 3; ++round) {
    if (!run.Open()) continue;
    run.Put(Key(round), Value(round, 3000));
    run.Put(Key(round + 10), Value(round, 3000));
    run.Close();
  }
}

}  // namespace

std::vector<ErrorWorkload> ErrorWorkloads() {
  const std::function<void(ErrorRun&)> empty;
  // Each call of a workload fails in a run of its own, so the time grows with the square of the
  // workload's size.
  const auto create = [](ErrorRun& run) { Puts(run, 40, 200); };
  const auto overwrite = [](ErrorRun& run) { OverwritesAndDeletes(run, 60, 190); };
  const auto sync = [](ErrorRun& run) { SyncedPuts(run, 24, 250, 2); };
  const auto batches = [](ErrorRun& run) { Batches(run, 12); };
  const auto large = [](ErrorRun& run) { LargeValues(run, 6, 150000); };
  const auto compact = [](ErrorRun& run) { Compactions(run, 2, 14, 480); };
  return {
      {"CreatePutsClose", empty, false, create, false, 0, true},
      {"OverwritesAndDeletes", empty, false, overwrite, false, 0, true},
      {"OverwritesAndDeletesOnHash", empty, false, overwrite, true, 0, false},
      {"OverwritesAndDeletesWithThreads", empty, false, overwrite, true, 2, true},
      {"SyncedPuts", empty, false, sync, false, 0, true},
      {"SyncedPutsWithThreads", empty, false, sync, true, 2, true},
      {"Batches", empty, false, batches, false, 0, true},
      {"LargeValues", empty, false, large, false, 0, true},
      {"Compactions", empty, false, compact, false, 0, true},
      {"OpenClosedAndWrite", Fill, false, OpenAndWrite, false, 0, true},
      {"OpenKilledAndWrite", Fill, true, OpenAndWrite, false, 0, true},
      {"OpenKilledAndWriteWithThreads", Fill, true, OpenAndWrite, true, 2, true},
      {"OpenKilledAndSync", Fill, true, OpenAndSync, true, 0, true},
      {"OpenClosedReadOnly", Fill, false, ReadOnly, false, 0, false},
      {"OpenKilledReadOnly", Fill, true, ReadOnly, true, 0, false},
      {"ReadAndVerify", Fill, false, ReadAndVerify, true, 0, false},
      {"RepairClosed", Fill, false, RepairAll, false, 0, false},
      {"RepairKilled", Fill, true, RepairAll, false, 0, false},
      {"OpenAgainAndAgain", empty, false, OpenAgainAndAgain, false, 0, true},
  };
}

}  // namespace rumcask
