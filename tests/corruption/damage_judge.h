// What a damaged database reveals of its damage.

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
  bool refused = false;            // opening is DataLoss
  bool told_at_opening = false;    // the listener was called with damage
  std::set<std::string> lost;      // keys for which reading is DataLoss
  std::set<std::string> outdated;  // keys shown in an older version after damage was reported
  std::vector<Damage> verified;    // what Verify lists
  // Results that must never occur.
  std::vector<std::string> violations;

  bool detected() const { return refused || told_at_opening || !lost.empty() || !verified.empty(); }
};

class DamageJudge {
 public:
  explicit DamageJudge(const SampleDatabase* sample);

  // Opens the files read-only with read mode `first` and for writing with read mode `second`. Reads
  // every key in both ways, walks, and verifies. None of that may change a byte.
  Finding Judge(const Files& files, ReadMode first, ReadMode second);

  // Opens `files` for writing and, if that is not refused, puts a key, closes, and opens again.
  // Nothing that could be read before may have changed. Returns what went wrong.
  std::vector<std::string> Continue(const Files& files) const;

 private:
  // Replaces the database's files by `files`.
  void Lay(const Files& files);

  const SampleDatabase* const sample_;
  CrashFileSystem file_system_;
  Files laid_;
};

}  // namespace rumcask

#endif  // RUMCASK_TESTS_CORRUPTION_DAMAGE_JUDGE_H_
