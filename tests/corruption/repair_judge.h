// Repairs a damaged database and compares what comes out with what went in.

#ifndef RUMCASK_TESTS_CORRUPTION_REPAIR_JUDGE_H_
#define RUMCASK_TESTS_CORRUPTION_REPAIR_JUDGE_H_

#include <cstdint>
#include <set>
#include <string>
#include <vector>

#include "core/check/repair.h"
#include "tests/corruption/tracked_database.h"
#include "tests/crash_kit/crash_file_system.h"
#include "tests/crash_kit/fault_file_system.h"

namespace rumcask {

struct RepairCase {
  Files files = {};
  // Of the database's path.
  std::vector<UnreadableRange> unreadable = {};
  // The end of the log is gone in a way of which nothing is left to tell: the new database may be a
  // prefix and called complete.
  bool may_be_a_prefix = false;
};

struct Repaired {
  RepairReport report;
  State state;
  std::set<std::string> lost;  // keys whose reading is DataLoss
  // Versions of the records that are whole in the damaged files.
  std::set<uint64_t> sound;
  // The highest that what is left vouches for: MANIFEST, a segment's header, a sync mark.
  uint64_t promised = 0;
  // Versions of the sound records that repair.h promises to keep, whatever else it gives up.
  std::set<uint64_t> least;
  // What must never be.
  std::vector<std::string> violations;
};

class RepairJudge {
 public:
  // `database` must outlive the judge.
  explicit RepairJudge(const TrackedDatabase* database) : database_(database) {}

  // Repairs; checks that
  //   - every sound record in a whole batch is kept that was promised, or before which nothing is
  //     missing that was not; the others are kept or counted, and nothing else is kept,
  //   - what cannot be read back as it was is counted, so that the report is not complete,
  //   - no key has a value that it never had, or one older than its newest record that had to be
  //     kept, or than its newest sound one unless records were dropped and counted; no delete whose
  //     record or table entry is sound is undone,
  //   - the source is as it was, and the new database verifies, goes on above all versions that
  //     were ever given out, and - if `goes_on` - takes a write that survives a kill.
  Repaired Judge(const RepairCase& damaged, bool goes_on) const;

 private:
  void FindSound(const RepairCase& damaged, Repaired* out) const;
  bool IsSound(const RepairCase& damaged, const std::string& file, uint64_t begin,
               uint64_t end) const;
  bool HasSoundTable(const RepairCase& damaged, const std::string& file) const;
  void FindPromised(const RepairCase& damaged, Directory* directory, Repaired* out) const;
  // Needs what is promised and what is sound.
  void FindLeast(Repaired* out) const;
  // Compares the records of the new database with those of the old one.
  void CheckRecords(const Files& files, Repaired* out) const;
  bool TellsWhatIsDamaged(const RepairCase& damaged, const TrackedRecord& record,
                          const Repaired& repaired) const;
  void CheckCounts(const Repaired& repaired, Repaired* out) const;
  void CheckKeys(const RepairCase& damaged, Repaired* out) const;
  void ReadAll(DB* db, State* state, std::set<std::string>* lost,
               std::vector<std::string>* violations) const;
  void GoOn(CrashFileSystem* file_system, Repaired* out) const;

  const TrackedDatabase* const database_;
};

}  // namespace rumcask

#endif  // RUMCASK_TESTS_CORRUPTION_REPAIR_JUDGE_H_
