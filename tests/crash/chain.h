// Takes one database directory through many crashes in a row. In each life a program opens the
// database, writes, and ends by a kill, a power cut or, now and then, a close. A kill leaves
// unsynced writes in the page cache, so a later power cut can still lose them.

#ifndef RUMCASK_TESTS_CRASH_CHAIN_H_
#define RUMCASK_TESTS_CRASH_CHAIN_H_

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "core/db.h"
#include "core/system/mutex.h"
#include "tests/crash_kit/adversarial_index.h"
#include "tests/crash_kit/crash_file_system.h"
#include "tests/crash_kit/fault_file_system.h"
#include "tests/oracle/chain_oracle.h"

namespace rumcask {

// The keystores of a chain.
enum class ChainKeystores {
  kInMemory,  // an in-memory keystore, chosen anew at each opening
  kOnDisk,    // one on-disk keystore, whose index a crash leaves in any state
  kReindexed  // any of these; an opening may reindex to another one
};

struct ChainOptions {
  uint64_t seed = 0;
  int crashes = 300;
  ChainKeystores keystores = ChainKeystores::kInMemory;
  int background_threads = 0;  // with 0, equal seeds make equal chains
  // Makes writes, opens and unlinks fail for a while.
  bool faults = false;
  std::string ToString() const;
};

struct ChainReport {
  int cuts = 0;
  int kills = 0;
  int closes = 0;
  int lossy_cuts = 0;  // power cuts that lost writes which had returned
  int reindexed = 0;
  uint64_t writes = 0;
  uint64_t failed_writes = 0;
  std::map<Voucher, uint64_t> vouched;  // how often each voucher was exercised
  // The first violation and the log of what led to it; empty if there was none.
  std::string violation;
};

class Chain {
 public:
  explicit Chain(const ChainOptions& options);
  ~Chain();

  // Runs until `crashes` crashes have been survived, or until the first violation.
  ChainReport Run();

  // The files that the last few crashes left, newest last.
  struct Found {
    std::string how;
    std::map<std::string, std::string> files;
  };
  std::vector<Found> History() const;

 private:
  // The state that a crash leaves.
  struct Crash {
    std::unique_ptr<CrashFileSystem> files;
    std::shared_ptr<AdversarialDisk> index;
    ChainPromise promise;
    bool cut = false;
    std::string how;
  };

  uint64_t Below(uint64_t bound) { return random_() % bound; }
  bool OneIn(uint64_t n) { return Below(n) == 0; }
  void Log(std::string line);
  void Violate(const std::string& what);

  // Begins a life: opens the database and checks what it holds. Returns false on a violation, or if
  // the planned crash came during the opening.
  bool Open();
  Options ChooseOptions();
  bool Settle();
  // Does one random operation.
  void Step();
  void Wrote(const absl::Status& status, const WriteResult& result, bool sync,
             Operations operations);
  void Refused(const std::string& key, const absl::Status& status);
  void Close();
  void SetFaults();
  std::string Key();
  std::string Value();

  // Plans a kill or a power cut at the `operation`-th file operation from now.
  void PlanCrash(uint64_t operation);
  void CrashNow(const std::string& where);
  bool crashed() const;
  // Replaces the disks by what the crash left.
  void Continue();

  const ChainOptions options_;
  std::mt19937_64 random_;
  ChainReport report_;
  ChainOracle oracle_;
  std::unique_ptr<CrashFileSystem> files_;
  std::unique_ptr<FaultFileSystem> faults_;
  std::shared_ptr<AdversarialDisk> index_ = AdversarialDisk::Make();
  std::unique_ptr<DB> db_;
  // The next opening must find all writes through this version.
  uint64_t floor_ = 0;
  bool after_cut_ = false;  // a power cut preceded this opening
  bool settled_ = false;    // the contents were checked since the last crash
  uint64_t counter_ = 0;    // makes every value unique
  int step_ = 0;
  std::deque<std::string> log_;
  std::deque<std::pair<std::string, CrashImage>> images_;

  // The planned crash. The file system's observer makes it, on whichever thread is writing.
  mutable Mutex mutex_;
  std::unique_ptr<Crash> crash_ ABSL_GUARDED_BY(mutex_);
  uint64_t crash_at_ = 0;
  bool planned_cut_ = false;
  KeepPolicy policy_;
  IndexFate fate_ = IndexFate::kLatest;
};

}  // namespace rumcask

#endif  // RUMCASK_TESTS_CRASH_CHAIN_H_
