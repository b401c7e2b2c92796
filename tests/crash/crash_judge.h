// Looks at what a crash has left: opens it, reads it, writes on, and crashes it again.

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
  uint64_t second_images = 0;      // crashes inside recovery
  uint64_t images_after_kill = 0;  // power cuts under the process after one that was killed
  uint64_t violations = 0;
  std::string first_violation;
};

// Judges one cut after the other. One thread.
class CrashJudge {
 public:
  // Both outlive this.
  CrashJudge(CrashModes modes, const PrefixOracle& oracle, CrashReport* report)
      : modes_(modes), oracle_(oracle), report_(report) {}

  void Check(const CrashRun::Cut& cut);

 private:
  // What a crash leaves.
  struct Remains {
    CrashImage files;
    std::shared_ptr<AdversarialDisk> index;
  };
  // What a power cut leaves under the process after a killed one, and through which version it must
  // be there.
  struct Later {
    Remains remains;
    uint64_t floor;
    std::string what;
  };

  // Each says what is wrong, or nothing.

  // After a power cut.
  std::string InspectCut(const CrashRun::Cut& cut);
  // After the death of the process.
  std::string InspectKilled(const CrashRun::Cut& cut);
  // Opens what there is, which must be explained by the writes through `floor` or later.
  std::string OpenAndRead(const Options& options, const PrefixOracle& oracle, uint64_t floor,
                          std::unique_ptr<DB>* db, State* found, uint64_t* cut);
  // Opens an image, which must hold one of the states.
  std::string Expect(const Remains& image, const std::vector<State>& states, const char* when);
  // Opens an image, which must hold a prefix of what `oracle` knows.
  std::string ExpectPrefix(const Later& later, const PrefixOracle& oracle);

  const CrashModes modes_;
  const PrefixOracle& oracle_;
  CrashReport* const report_;
};

}  // namespace rumcask

#endif  // RUMCASK_TESTS_CRASH_CRASH_JUDGE_H_
