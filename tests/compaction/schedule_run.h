// One compaction, during whose steps everything else happens.

#ifndef RUMCASK_TESTS_COMPACTION_SCHEDULE_RUN_H_
#define RUMCASK_TESTS_COMPACTION_SCHEDULE_RUN_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <random>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "core/db.h"
#include "core/plugin/keystore_factory.h"
#include "tests/crash_kit/adversarial_index.h"
#include "tests/crash_kit/crash_file_system.h"
#include "tests/oracle/prefix_oracle.h"

namespace rumcask {

// Where the keys are. An index on disk is a simulated one, of which a crash may leave anything.
struct ScheduleKeystore {
  std::string name;
  KeystoreFactory in_memory;
  bool on_disk = false;
  bool reports_replaced = true;  // of an index on disk
};

// The seed determines what is in the database, what happens at which step of its compactions, and
// where it is crashed. The run stops at the first complaint.
class ScheduleRun {
 public:
  ScheduleRun(const ScheduleKeystore& keystore, uint64_t seed);
  ~ScheduleRun();

  // Returns the first thing that was wrong, or "".
  std::string Run();

  // The steps at which something happened.
  const std::set<std::string>& steps() const { return steps_; }
  uint64_t schedules() const { return schedules_; }
  uint64_t retired() const { return retired_; }
  uint64_t crashes() const { return crashes_; }
  uint64_t waiting() const { return waiting_; }

 private:
  // What a crash may find.
  struct Cut {
    std::unique_ptr<CrashFileSystem> files;
    std::shared_ptr<AdversarialDisk> index;
    Promise promise;
    bool killed;
    std::string where;
  };
  struct HeldSnapshot {
    std::shared_ptr<const Snapshot> snapshot;
    State state;
  };
  struct HeldIterator {
    std::unique_ptr<Iterator> iterator;
    State left;
  };
  struct HeldValue {
    PinnedValue value;
    std::string expected;
  };

  uint64_t Random(uint64_t n) { return random_() % n; }
  bool OneIn(uint64_t n) { return Random(n) == 0; }
  void Complain(const std::string& what);
  void CheckOk(const absl::Status& status, const char* what);
  std::string AnyKey();

  std::string Open(CrashFileSystem* files, AdversarialDisk* index, std::unique_ptr<DB>* db) const;
  void Fill();
  void Compact();
  // Something that users do.
  void Act();
  void WriteSome();
  void WriteConditionally();
  void Read();
  void Hold();
  void LookAtHeld();
  void LetGo();
  void TakeCut(const std::string& where);
  void CheckAll();
  void Reopen();
  void Judge(Cut* cut);

  const ScheduleKeystore& keystore_;
  std::mt19937_64 random_;
  uint64_t buffer_bytes_;
  std::unique_ptr<CrashFileSystem> files_;
  std::shared_ptr<AdversarialDisk> index_;
  std::unique_ptr<DB> db_;
  PrefixOracle oracle_;
  std::vector<HeldSnapshot> snapshots_;
  std::vector<HeldIterator> iterators_;
  std::vector<HeldValue> values_;
  std::vector<Cut> cuts_;
  std::string step_;
  std::set<std::string> steps_;
  uint64_t schedules_ = 0;
  uint64_t retired_ = 0;
  uint64_t crashes_ = 0;
  uint64_t waiting_ = 0;
  int written_ = 0;
  std::string complaint_;
};

}  // namespace rumcask

#endif  // RUMCASK_TESTS_COMPACTION_SCHEDULE_RUN_H_
