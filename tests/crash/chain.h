// One directory through many crashes in a row: lives of a program that opens it, writes, and ends
// by a kill, a power cut or, now and then, a close. A kill leaves what was written in the page
// cache, for the next power cut to take.

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
  kInMemory,  // all those in memory, one taking another's place
  kOnDisk,    // one whose index a crash leaves in any state
  kReindexed  // any of them, and any other one from the next opening on
};

struct ChainOptions {
  uint64_t seed = 0;
  int crashes = 300;
  ChainKeystores keystores = ChainKeystores::kInMemory;
  int background_threads = 0;  // with 0, equal seeds make equal chains
  // Writes and unlinks that fail for a while.
  bool faults = false;
  std::string ToString() const;
};

struct ChainReport {
  int cuts = 0;
  int kills = 0;
  int closes = 0;
  int lossy_cuts = 0;  // that took writes which had returned
  int reindexed = 0;
  uint64_t writes = 0;
  uint64_t failed_writes = 0;
  std::map<Voucher, uint64_t> vouched;  // how often each raised what is promised
  // What went wrong, with what led to it; or nothing.
  std::string violation;
};

class Chain {
 public:
  explicit Chain(const ChainOptions& options);
  ~Chain();

  // Until so many crashes have been survived, or one has not.
  ChainReport Run();

  // What was found at the last openings, newest last.
  struct Found {
    std::string how;
    std::map<std::string, std::string> files;
  };
  std::vector<Found> History() const;

 private:
  // What a crash leaves.
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

  // A life begins, and says what it found; false if that is a violation, or it was over by then.
  bool Open();
  Options ChooseOptions();
  bool Settle();
  // One operation.
  void Step();
  void Wrote(const absl::Status& status, const WriteResult& result, bool sync,
             Operations operations);
  void Refused(const std::string& key, const absl::Status& status);
  void Close();
  void SetFaults();
  std::string Key();
  std::string Value();

  // The process or the power ends at the `operation`-th operation from now.
  void PlanCrash(uint64_t operation);
  void CrashNow(const std::string& where);
  bool crashed() const;
  // What is left takes the place of what was.
  void Continue();

  const ChainOptions options_;
  std::mt19937_64 random_;
  ChainReport report_;
  ChainOracle oracle_;
  std::unique_ptr<CrashFileSystem> files_;
  std::unique_ptr<FaultFileSystem> faults_;
  std::shared_ptr<AdversarialDisk> index_ = AdversarialDisk::Make();
  std::unique_ptr<DB> db_;
  // Through which version there must be everything at the next opening, and the kind of crash.
  uint64_t floor_ = 0;
  bool after_cut_ = false;
  bool settled_ = false;  // since the last crash
  uint64_t counter_ = 0;  // makes values differ
  int step_ = 0;
  std::deque<std::string> log_;
  std::deque<std::pair<std::string, CrashImage>> images_;

  // The crash that is planned. The observer's thread makes it.
  mutable Mutex mutex_;
  std::unique_ptr<Crash> crash_ ABSL_GUARDED_BY(mutex_);
  uint64_t crash_at_ = 0;
  bool planned_cut_ = false;
  KeepPolicy policy_;
  IndexFate fate_ = IndexFate::kLatest;
};

}  // namespace rumcask

#endif  // RUMCASK_TESTS_CRASH_CHAIN_H_
