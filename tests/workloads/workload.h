// What campaigns do with a database while they crash it or fail its calls.

#ifndef RUMCASK_TESTS_WORKLOADS_WORKLOAD_H_
#define RUMCASK_TESTS_WORKLOADS_WORKLOAD_H_

#include <cstddef>
#include <string>

#include "tests/oracle/operations.h"

namespace rumcask {

// A database under test, behind what the campaign does with it. Each campaign implements it: it
// knows which errors may come, and tells its oracle what was done.
class WorkloadRun {
 public:
  virtual ~WorkloadRun() = default;

  // False if the database could not be opened; the workload ends then.
  virtual bool Open() = 0;
  // One operation is a Put or Delete, several are a batch.
  virtual void Write(const Operations& operations, bool sync) = 0;
  virtual void Sync() = 0;
  // Reads every key and judges what is found.
  virtual void ReadAll() = 0;
  virtual void Close() = 0;
  // Compacts all that has dead records, or some of it.
  virtual void Compact(bool all) = 0;

  void Put(const std::string& key, const std::string& value, bool sync = false) {
    Write({{key, value}}, sync);
  }
  void Delete(const std::string& key, bool sync = false) { Write({{key, std::nullopt}}, sync); }
};

// Keys and values of the workloads. A value tells which one it is, and has `size` bytes or a few.
std::string WorkloadKey(int i);
std::string WorkloadValue(int i, size_t size);

// New keys, none synced.
void Puts(WorkloadRun& run, int count, size_t bytes);
// Every `sync_every`-th put is synced, and Sync is called now and then. Not closed.
void SyncedPuts(WorkloadRun& run, int count, size_t bytes, int sync_every);
// Few keys, again and again.
void OverwritesAndDeletes(WorkloadRun& run, int count, size_t bytes);
// Batches from inside a sector to over several, and one larger than a segment. Each has keys of its
// own, so that a half of one can be told.
void Batches(WorkloadRun& run, int count);
// Rounds of puts, deletes and batches, each followed by a compaction while the database is written,
// at its end, or right after it was opened again.
void Compactions(WorkloadRun& run, int rounds, int count, size_t bytes);
// Some values of `bytes`, which do not fit into a usual segment, and small ones between them.
void LargeValues(WorkloadRun& run, int count, size_t bytes);

}  // namespace rumcask

#endif  // RUMCASK_TESTS_WORKLOADS_WORKLOAD_H_
