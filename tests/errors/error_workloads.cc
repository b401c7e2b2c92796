#include "tests/errors/error_workloads.h"

#include <algorithm>
#include <string>

#include "core/check/verify.h"

namespace rumcask {
namespace {

std::string Key(int i) { return "key" + std::to_string(i); }
std::string Value(int i, size_t size) {
  std::string value = "v" + std::to_string(i) + ".";
  value.resize(std::max(size, value.size()), static_cast<char>('a' + i % 26));
  return value;
}

// Some segments, sealed and not, to start from.
void Fill(ErrorRun& run) {
  run.Open();
  for (int i = 0; i < 60; ++i) run.Put(Key(i % 25), Value(i, 180), i % 20 == 7);
  run.Write({{"batch0", Value(1, 30)}, {"batch1", Value(2, 30)}, {Key(3), std::nullopt}});
  run.Delete(Key(4));
}

void CreatePutsClose(ErrorRun& run) {
  if (!run.Open()) return;
  for (int i = 0; i < 40; ++i) run.Put(Key(i), Value(i, 200));
  run.ReadAll();
  run.Close();
}

void OverwritesAndDeletes(ErrorRun& run) {
  if (!run.Open()) return;
  for (int i = 0; i < 60; ++i) {
    if (i % 4 == 3) {
      run.Delete(Key(i % 7));
    } else {
      run.Put(Key(i % 7), Value(i, 190));
    }
  }
  run.ReadAll();
  run.Close();
}

void SyncedPuts(ErrorRun& run) {
  if (!run.Open()) return;
  for (int i = 0; i < 24; ++i) {
    run.Put(Key(i % 10), Value(i, 250), i % 2 == 0);
    if (i % 7 == 6) run.Sync();
  }
  run.Delete("never there", /*sync=*/true);
  run.ReadAll();
}

// Also one larger than a segment.
void Batches(ErrorRun& run) {
  if (!run.Open()) return;
  for (int i = 0; i < 12; ++i) {
    std::vector<ErrorOracle::Operation> operations;
    for (int j = 0; j < 4; ++j) operations.emplace_back(Key(10 * i + j), Value(100 * i + j, 120));
    operations.emplace_back(Key(10 * i - 9), std::nullopt);
    run.Write(operations, i % 5 == 4);
  }
  std::vector<ErrorOracle::Operation> large;
  for (int j = 0; j < 40; ++j) large.emplace_back("large" + Key(j), Value(j, 150));
  run.Write(large);
  run.ReadAll();
  run.Close();
}

void LargeValues(ErrorRun& run) {
  if (!run.Open()) return;
  for (int i = 0; i < 6; ++i) run.Put(Key(i % 4), Value(i, i % 2 == 0 ? 150000 : 700), i == 3);
  run.ReadAll();
  run.Close();
}

// Opening, reading, and the first write with all that it commits.
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

// Opens until it works, as a supervised program would.
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
  return {
      {"CreatePutsClose", empty, false, CreatePutsClose, false, 0, true},
      {"OverwritesAndDeletes", empty, false, OverwritesAndDeletes, false, 0, true},
      {"OverwritesAndDeletesOnHash", empty, false, OverwritesAndDeletes, true, 0, false},
      {"OverwritesAndDeletesWithThreads", empty, false, OverwritesAndDeletes, true, 2, true},
      {"SyncedPuts", empty, false, SyncedPuts, false, 0, true},
      {"SyncedPutsWithThreads", empty, false, SyncedPuts, true, 2, true},
      {"Batches", empty, false, Batches, false, 0, true},
      {"LargeValues", empty, false, LargeValues, false, 0, true},
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
