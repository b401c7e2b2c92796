// What a damaged database shows of its damage.

#ifndef RUMCASK_TESTS_CORRUPTION_DAMAGE_JUDGE_H_
#define RUMCASK_TESTS_CORRUPTION_DAMAGE_JUDGE_H_

#include <memory>
#include <set>
#include <string>
#include <vector>

#include "core/damage.h"
#include "tests/corruption/sample_database.h"
#include "tests/crash_kit/crash_file_system.h"

namespace rumcask {

struct Finding {
  bool refused = false;            // opening for reading and writing is DataLoss
  bool told_at_opening = false;    // the listener was told
  std::set<std::string> lost;      // keys whose reading is DataLoss
  std::set<std::string> outdated;  // keys that a read-only opening which told of damage has older
  std::vector<Damage> verified;    // what Verify lists
  // What must never be.
  std::vector<std::string> violations;

  bool detected() const { return refused || told_at_opening || !lost.empty() || !verified.empty(); }
};

class DamageJudge {
 public:
  explicit DamageJudge(const SampleDatabase* sample);

  // Opens the files read-only with read mode `first` and for writing with `second`; reads every key
  // both ways, walks, verifies. None of it may change a byte.
  Finding Judge(const Files& files, ReadMode first, ReadMode second);

  // Opens `files` for writing, if that is not refused, puts a key, closes, and opens again: nothing
  // that could be read before may have become something else. Returns what went wrong.
  std::vector<std::string> Continue(const Files& files) const;

 private:
  // Puts `files` in the place of what was there.
  void Lay(const Files& files);

  const SampleDatabase* const sample_;
  CrashFileSystem file_system_;
  Files laid_;
};

}  // namespace rumcask

#endif  // RUMCASK_TESTS_CORRUPTION_DAMAGE_JUDGE_H_
