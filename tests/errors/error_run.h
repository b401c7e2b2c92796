// One run of a workload on a file system that fails where it is told to.

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
  bool hash = false;     // keystore: hash instead of a simple map
  bool on_disk = false;  // or an index on a disk of its own, which does not fail
  int background_threads = 0;
  std::string ToString() const;
};

class ErrorRun : public WorkloadRun {
 public:
  // Starts with the files of `image`, a copy of `index` and the writes that `oracle` knows of.
  ErrorRun(const ErrorModes& modes, const CrashImage& image, const AdversarialDisk& index,
           ErrorOracle oracle);
  ~ErrorRun() override;

  // ---- for workloads ----
  // Each goes on after errors, as an application would, and judges what it sees.

  bool Open() override { return Open(/*read_only=*/false); }
  bool Open(bool read_only);
  void Write(const Operations& operations, bool sync) override;
  void Sync() override;
  // In every way there is to read.
  void ReadAll() override;
  void Verify();
  void Close() override;
  // The database's files as they are, copied to another one.
  void Repair();

  // ---- for the enumeration ----

  void SetPlan(FaultPlan plan);
  // With the first operation that returns an error the system works again, and the workload ends:
  // what it still asks for is not done. For GoOn.
  void EndAtError() { ends_at_error_ = true; }
  // Calls that the plan counted, and those that it made fail, until then.
  uint64_t calls() const { return ended_ ? calls_ : faults_.call_count(); }
  uint64_t failed_calls() const { return ended_ ? failed_calls_ : faults_.fault_count(); }
  uint64_t index_calls() const { return ended_ ? index_calls_ : index_->calls(); }
  uint64_t failed_index_calls() const {
    return ended_ ? failed_index_calls_ : index_->failed_calls();
  }
  // The system works again: what must hold from here on, through an end of the process or a
  // close, and a power cut.
  void Finish(bool kill);
  // The same for a program that goes on at once, with writes of all kinds in an order that `number`
  // chooses, is killed, opens again, goes on again, closes, and opens again; a power cut may come
  // between any two of these.
  void GoOn(uint64_t number);
  // Ends the process without closing. For images to start from.
  CrashImage Kill();

  // What went wrong first, or nothing.
  const std::string& complaint() const { return complaint_; }
  const ErrorOracle& oracle() const { return oracle_; }
  const AdversarialDisk& index() const { return *index_; }
  bool is_open() const { return db_ != nullptr; }
  void SetIndexFault(uint64_t call, const absl::Status& error, bool for_ever) {
    index_->FailCalls(call, error, for_ever);
  }
  // Operations that returned an error.
  int errors() const { return errors_; }

 private:
  void Complain(const std::string& what, const std::string& why);
  // An error must be one that the caller can act on.
  void CheckError(const char* operation, const absl::Status& status);
  // `policy` says what a power cut leaves.
  void CheckReopened(FileSystem* file_system, ErrorOracle::When when,
                     const KeepPolicy& policy = KeepPolicy::DropUnsynced());
  // All that must be there after a power cut now, whatever else is: two cuts.
  void CheckPowerCut(uint64_t seed);
  // Writes `name`, of a kind for each letter of `kinds`; see the .cc. Complains if one is refused
  // by a database that takes writes, or taken by one that does not.
  void WriteAllKinds(const std::string& name, const char* kinds);
  void WriteKind(const std::string& name, char kind);
  // Nothing fails any more.
  void Heal();
  // With the index on `index`, if that is where it is.
  Options MakeOptions(FileSystem* file_system, AdversarialDisk* index) const;

  const ErrorModes modes_;
  CrashFileSystem disk_;
  FaultFileSystem faults_;
  const std::shared_ptr<AdversarialDisk> index_;
  ErrorOracle oracle_;
  std::unique_ptr<DB> db_;
  bool read_only_ = false;
  // Opened read-only, with damage told.
  bool may_lack_keys_ = false;
  bool ends_at_error_ = false;
  bool ended_ = false;
  bool idles_ = false;  // the workload has ended
  uint64_t calls_ = 0, failed_calls_ = 0, index_calls_ = 0, failed_index_calls_ = 0;
  size_t largest_ = 0;  // bytes of a write that was tried
  int errors_ = 0;
  std::string complaint_;
};

}  // namespace rumcask

#endif  // RUMCASK_TESTS_ERRORS_ERROR_RUN_H_
