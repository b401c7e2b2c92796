// Runs a workload and records the state that a crash at each of its operations would leave.

#ifndef RUMCASK_TESTS_CRASH_CRASH_RUN_H_
#define RUMCASK_TESTS_CRASH_CRASH_RUN_H_

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "core/db.h"
#include "core/system/mutex.h"
#include "tests/crash_kit/adversarial_index.h"
#include "tests/crash_kit/crash_file_system.h"
#include "tests/crash_kit/fault_file_system.h"
#include "tests/oracle/prefix_oracle.h"

namespace rumcask {

// Where the index is: in memory, or on a disk of its own that a crash leaves in any state.
enum class CrashIndex {
  kMemory,
  kLooking,  // on disk; reports what a change replaces
  kBlind,    // on disk; does not report it
};

struct CrashModes {
  AppendMode append = AppendMode::kMapped;
  ReadMode read = ReadMode::kMapped;
  CrashIndex index = CrashIndex::kMemory;
  std::string ToString() const;
};
inline constexpr const char* kCrashPath = "/crash/db";

// The number of random images at each operation of a bounded enumeration. With more than this the
// enumeration is full.
inline constexpr int kBoundedImages = 1;

// `index` is used only if `modes` puts the index on disk.
Options CrashOptions(CrashModes modes, FileSystem* file_system, AdversarialDisk* index);

// What a workload uses: the database, its disks and the oracle.
class CrashRun {
 public:
  CrashRun(CrashModes modes, int random_images);

  ~CrashRun();

  // Opens the database under test and points the oracle at it.
  absl::Status Open(int background_threads = 0);
  // Simulates the death of the process: the database's destructor has no effect on the files.
  void Kill();
  // Opens the database after Kill and checks its contents. The oracle continues from them.
  absl::Status Reopen();

  PrefixOracle& oracle() { return oracle_; }
  CrashFileSystem& file_system() { return *crash_; }
  FaultFileSystem& faults() { return *fault_; }
  // May be changed while the database is closed.
  Options& options() { return options_; }
  // Null if the index is in memory.
  AdversarialDisk* index() { return index_.get(); }
  // Called before every file operation, e.g. to stall it.
  std::function<void(const char* what, const std::string& name)> on_operation;

  // Whether images are taken at each operation from now on.
  void SetCutting(bool cutting) { cutting_ = cutting; }
  // Without RUMCASK_FULL, crashes inside the recovery are simulated at every n-th operation only,
  // the second if this is not called: recoveries are long.
  void DeepenEvery(uint64_t n) { deepen_every_ = n; }

  struct Cut {
    CrashImage image;
    // Used instead of `image` if the process died and the page cache survived.
    std::shared_ptr<CrashFileSystem> killed;
    std::shared_ptr<AdversarialDisk> index;
    Promise promise;
    bool deepens;  // whether to crash again inside the recovery
    uint64_t operation;
    std::string what;
    std::string policy;
  };
  std::vector<Cut> TakeCuts();
  uint64_t operations() const { return crash_->operation_count(); }

 private:
  void Observe(uint64_t operation, const char* what, const std::string& name, bool after);
  void UseIndex(std::shared_ptr<AdversarialDisk> index);
  // The state that a crash leaves of the index; successive calls take turns among the fates.
  std::shared_ptr<AdversarialDisk> CutIndex(std::string* policy);

  const CrashModes modes_;
  const int random_images_;
  Options options_;
  std::unique_ptr<CrashFileSystem> crash_;
  std::unique_ptr<FaultFileSystem> fault_;
  std::shared_ptr<AdversarialDisk> index_;
  std::atomic<uint64_t> index_cuts_{0};
  PrefixOracle oracle_;
  std::unique_ptr<DB> db_;
  bool cutting_ = true;
  uint64_t deepen_every_ = 2;
  Mutex mutex_;
  std::vector<Cut> cuts_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace rumcask

#endif  // RUMCASK_TESTS_CRASH_CRASH_RUN_H_
