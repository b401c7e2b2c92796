// Checks what a crash has left: opens the database, reads it, writes to it, and crashes it again.

#ifndef RUMCASK_TESTS_CRASH_CRASH_JUDGE_H_
#define RUMCASK_TESTS_CRASH_CRASH_JUDGE_H_

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "core/db.h"
#include "tests/crash/crash_run.h"
#include "tests/oracle/prefix_oracle.h"

namespace rumcask {

struct CrashReport {
  uint64_t operations = 0;
  uint64_t images = 0;
  uint64_t second_images = 0;      // crashes inside the recovery
  uint64_t images_after_kill = 0;  // power cuts in the process after a killed one
  uint64_t violations = 0;
  std::string first_violation;
};

// What a database holds.
struct Contents {
  State state;
  Versions versions;
};

// Judges one crash after the other. Not thread-safe.
class CrashJudge {
 public:
  // `oracle` and `report` must outlive the judge.
  CrashJudge(CrashModes modes, const PrefixOracle& oracle, CrashReport* report)
      : modes_(modes), oracle_(oracle), report_(report) {}

  void Check(const CrashRun::Cut& cut);

 private:
  // The state that a crash leaves.
  struct Remains {
    CrashImage files;
    std::shared_ptr<AdversarialDisk> index;
  };
  // The state that a power cut leaves in the process after a killed one. It must hold all writes
  // through version `floor`.
  struct Later {
    Remains remains;
    uint64_t floor;
    std::string what;
  };

  // Each function returns what is wrong, or "".

  // Checks the state after a power cut.
  std::string InspectCut(const CrashRun::Cut& cut);
  // Checks the state after a kill.
  std::string InspectKilled(const CrashRun::Cut& cut);
  // Opens the database, whose contents must be a prefix of the writes that reaches `floor` or
  // further.
  std::string OpenAndRead(const Options& options, const PrefixOracle& oracle, uint64_t floor,
                          std::unique_ptr<DB>* db, Contents* found, uint64_t* cut);
  // Opens an image, whose contents must be one of those.
  std::string Expect(const Remains& image, const std::vector<Contents>& expected, const char* when);
  // Opens an image, whose contents must be a prefix of the writes that `oracle` knows.
  std::string ExpectPrefix(const Later& later, const PrefixOracle& oracle);

  const CrashModes modes_;
  const PrefixOracle& oracle_;
  CrashReport* const report_;
};

}  // namespace rumcask

#endif  // RUMCASK_TESTS_CRASH_CRASH_JUDGE_H_
