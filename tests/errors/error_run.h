// One run of a workload on a file system whose calls fail according to a plan.

#ifndef RUMCASK_TESTS_ERRORS_ERROR_RUN_H_
#define RUMCASK_TESTS_ERRORS_ERROR_RUN_H_

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/db.h"
#include "tests/crash_kit/adversarial_index.h"
#include "tests/crash_kit/crash_file_system.h"
#include "tests/crash_kit/fault_file_system.h"
#include "tests/oracle/error_oracle.h"
#include "tests/workloads/workload.h"

namespace rumcask {

inline constexpr char kErrorPath[] = "/crash/db";
inline constexpr char kErrorRepaired[] = "/crash/repaired";

struct ErrorModes {
  AppendMode append = AppendMode::kMapped;
  ReadMode read = ReadMode::kMapped;
  bool hash = false;     // use the hash keystore instead of a simple map
  bool on_disk = false;  // use an index on a simulated disk of its own
  int background_threads = 0;
  std::string ToString() const;
};

class ErrorRun : public WorkloadRun {
 public:
  // Starts with the files of `image`, a copy of `index` and the writes that `oracle` knows.
  ErrorRun(const ErrorModes& modes, const CrashImage& image, const AdversarialDisk& index,
           ErrorOracle oracle);
  ~ErrorRun() override;

  // ---- for workloads ----
  // Each operation continues after errors, as an application would, and checks its results.

  bool Open() override { return Open(/*read_only=*/false); }
  bool Open(bool read_only);
  void Write(const Operations& operations, bool sync) override;
  void Sync() override;
  // Reads all keys by each kind of read.
  void ReadAll() override;
  void Verify();
  void Close() override;
  void Compact(bool all) override;
  // Repairs the database's files, as they are now, into a new database.
  void Repair();

  // ---- for the enumeration ----

  void SetPlan(FaultPlan plan);
  // At the first operation that returns an error the system works again, and the workload's
  // remaining operations are skipped. GoOn needs this.
  void EndAtError() { ends_at_error_ = true; }
  // The calls that the plan counted and those that it made fail, up to that point.
  uint64_t calls() const { return ended_ ? calls_ : faults_.call_count(); }
  uint64_t failed_calls() const { return ended_ ? failed_calls_ : faults_.fault_count(); }
  uint64_t index_calls() const { return ended_ ? index_calls_ : index_->calls(); }
  uint64_t failed_index_calls() const {
    return ended_ ? failed_index_calls_ : index_->failed_calls();
  }
  // Lets the system work again and checks what must hold from then on, through a power cut and
  // through a kill or a close.
  void Finish(bool kill);
  // The same for a program that continues at once: it makes writes of all kinds in an order that
  // `number` chooses, is killed, opens again, writes again, closes and opens again. Power cuts are
  // checked between these steps.
  void GoOn(uint64_t number);
  // Simulates the end of the process without a close and returns the files it leaves.
  CrashImage Kill();

  // The first thing that went wrong, or "".
  const std::string& complaint() const { return complaint_; }
  const ErrorOracle& oracle() const { return oracle_; }
  const AdversarialDisk& index() const { return *index_; }
  bool is_open() const { return db_ != nullptr; }
  void SetIndexFault(uint64_t call, const absl::Status& error, bool for_ever) {
    index_->FailCalls(call, error, for_ever);
  }
  // The number of operations that returned an error.
  int errors() const { return errors_; }

 private:
  void Complain(const std::string& what, const std::string& why);
  // Checks that an error is one that the caller can act on.
  void CheckError(const char* operation, const absl::Status& status);
  // Opens the database, as it is now or after a power cut with `policy`, and checks its contents.
  void CheckReopened(FileSystem* file_system, ErrorOracle::When when,
                     const KeepPolicy& policy = KeepPolicy::DropUnsynced());
  // Checks that a power cut now would keep everything it must, with two different cuts.
  void CheckPowerCut(uint64_t seed);
  // Makes one write for each letter of `kinds`, with keys that begin with `name`; going_on.cc
  // explains the letters. Complains if a writable database refuses one or a read-only database
  // accepts one.
  void WriteAllKinds(const std::string& name, const char* kinds);
  void WriteKind(const std::string& name, char kind);
  // Ends all faults.
  void Heal();
  // `index` is used only if the modes put the index on disk.
  Options MakeOptions(FileSystem* file_system, AdversarialDisk* index) const;

  const ErrorModes modes_;
  CrashFileSystem disk_;
  FaultFileSystem faults_;
  const std::shared_ptr<AdversarialDisk> index_;
  ErrorOracle oracle_;
  std::unique_ptr<DB> db_;
  bool read_only_ = false;
  // Whether the database was opened read-only and reported damage.
  bool may_lack_keys_ = false;
  bool ends_at_error_ = false;
  bool ended_ = false;
  bool idles_ = false;  // the workload has ended
  uint64_t calls_ = 0, failed_calls_ = 0, index_calls_ = 0, failed_index_calls_ = 0;
  size_t largest_ = 0;  // bytes of the largest write that was tried
  int errors_ = 0;
  std::string complaint_;
};

}  // namespace rumcask

#endif  // RUMCASK_TESTS_ERRORS_ERROR_RUN_H_
