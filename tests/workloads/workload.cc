#include "tests/workloads/workload.h"

#include <algorithm>
#include <optional>

namespace rumcask {

std::string WorkloadKey(int i) { return "key" + std::to_string(i); }

std::string WorkloadValue(int i, size_t size) {
  std::string value = "v" + std::to_string(i) + ".";
  value.resize(std::max(size, value.size()), static_cast<char>('a' + i % 26));
  return value;
}

void Puts(WorkloadRun& run, int count, size_t bytes) {
  if (!run.Open()) return;
  for (int i = 0; i < count; ++i) run.Put(WorkloadKey(i), WorkloadValue(i, bytes));
  run.ReadAll();
  run.Close();
}

void SyncedPuts(WorkloadRun& run, int count, size_t bytes, int sync_every) {
  if (!run.Open()) return;
  for (int i = 0; i < count; ++i) {
    run.Put(WorkloadKey(i % 10), WorkloadValue(i, bytes), i % sync_every == 0);
    if (i % 7 == 6) run.Sync();
  }
  run.Delete("never there", /*sync=*/true);
  run.ReadAll();
}

void OverwritesAndDeletes(WorkloadRun& run, int count, size_t bytes) {
  if (!run.Open()) return;
  for (int i = 0; i < count; ++i) {
    if (i % 4 == 3) {
      run.Delete(WorkloadKey(i % 7), i % 20 == 3);
    } else {
      run.Put(WorkloadKey(i % 7), WorkloadValue(i, bytes));
    }
  }
  run.Delete("never there", /*sync=*/true);
  run.ReadAll();
  run.Close();
}

void Batches(WorkloadRun& run, int count) {
  if (!run.Open()) return;
  for (int i = 0; i < count; ++i) {
    Operations operations;
    for (int j = 0; j < 2 + i % 5; ++j) {
      operations.emplace_back(WorkloadKey(10 * i + j),
                              WorkloadValue(100 * i + j, 60 + 40 * static_cast<size_t>(i % 4)));
    }
    // Of the batch before.
    operations.emplace_back(WorkloadKey(10 * i - 9), std::nullopt);
    run.Write(operations, i % 6 == 5);
  }
  Operations large;
  for (int j = 0; j < 40; ++j) large.emplace_back("large" + WorkloadKey(j), WorkloadValue(j, 150));
  run.Write(large, /*sync=*/false);
  run.Put("after", "the large batch", /*sync=*/true);
  run.ReadAll();
  run.Close();
}

void Compactions(WorkloadRun& run, int rounds, int count, size_t bytes) {
  if (!run.Open()) return;
  for (int round = 0; round < rounds; ++round) {
    for (int i = 0; i < count; ++i) {
      const int n = round * count + i;
      if (i % 5 == 4) {
        run.Delete(WorkloadKey(n % 17));
      } else if (i % 9 == 8) {
        run.Write({{WorkloadKey(n % 17), WorkloadValue(n, bytes)},
                   {WorkloadKey((n + 5) % 17), std::nullopt},
                   {"batch" + WorkloadKey(n), WorkloadValue(n, bytes)}},
                  /*sync=*/false);
      } else {
        run.Put(WorkloadKey(n % 17), WorkloadValue(n, bytes), i % 11 == 10);
      }
      // In the middle, so that what is moved is overwritten afterwards, and the end is not durable.
      if (i == count * 2 / 3) run.Compact(/*all=*/round % 2 == 0);
    }
    run.ReadAll();
    if (round % 2 == 1) {
      run.Close();
      if (!run.Open()) return;
      run.Compact(/*all=*/true);
    }
  }
  run.Compact(/*all=*/true);
  run.ReadAll();
  run.Close();
}

void LargeValues(WorkloadRun& run, int count, size_t bytes) {
  if (!run.Open()) return;
  for (int i = 0; i < count; ++i) {
    run.Put(WorkloadKey(i % 4), WorkloadValue(i, i % 3 == 0 ? bytes : 700), i % 5 == 4);
  }
  run.ReadAll();
  run.Close();
}

}  // namespace rumcask
