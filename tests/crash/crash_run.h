// A workload whose crashes are enumerated, and what a crash at each of its operations leaves.

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

// Where the index is: in memory, or on a disk of its own, of which a crash leaves any state.
enum class CrashIndex {
  kMemory,
  kLooking,  // tells what a change replaces
  kBlind,
};

struct CrashModes {
  AppendMode append = AppendMode::kMapped;
  ReadMode read = ReadMode::kMapped;
  CrashIndex index = CrashIndex::kMemory;
  std::string ToString() const;
};
inline constexpr const char* kCrashPath = "/crash/db";

// Random images at each operation; with more the enumeration leaves nothing out.
inline constexpr int kBoundedImages = 2;

// With the index on `index`, if that is where it is.
Options CrashOptions(CrashModes modes, FileSystem* file_system, AdversarialDisk* index);

// What a workload works with.
class CrashRun {
 public:
  CrashRun(CrashModes modes, int random_images);

  ~CrashRun();

  // Opens the database under test; the oracle writes to it.
  absl::Status Open(int background_threads = 0);
  // Ends it as the end of the process would: no destructor of the database has any effect.
  void Kill();
  // Opens after Kill, and takes what it finds for the truth, if the oracle explains it.
  absl::Status Reopen();

  PrefixOracle& oracle() { return oracle_; }
  CrashFileSystem& file_system() { return *crash_; }
  FaultFileSystem& faults() { return *fault_; }
  // May be changed between two openings.
  Options& options() { return options_; }
  // Null if the index is in memory.
  AdversarialDisk* index() { return index_.get(); }
  // Called before every operation of the file system, e.g. to stall it.
  std::function<void(const char* what, const std::string& name)> on_operation;

  // Cuts images at each operation from now on, or not.
  void SetCutting(bool cutting) { cutting_ = cutting; }

  struct Cut {
    CrashImage image;
    // Instead, if the process died and the page cache lives.
    std::shared_ptr<CrashFileSystem> killed;
    std::shared_ptr<AdversarialDisk> index;
    Promise promise;
    bool deepens;  // crash again inside its recovery
    uint64_t operation;
    std::string what;
    std::string policy;
  };
  std::vector<Cut> TakeCuts();
  uint64_t operations() const { return crash_->operation_count(); }

 private:
  void Observe(uint64_t operation, const char* what, const std::string& name, bool after);
  void UseIndex(std::shared_ptr<AdversarialDisk> index);
  // What a crash now leaves of the index: each state in its turn.
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
  Mutex mutex_;
  std::vector<Cut> cuts_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace rumcask

#endif  // RUMCASK_TESTS_CRASH_CRASH_RUN_H_
