// Repairs a damaged database and compares the result with the original.

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
  // Paths are those of the database's files.
  std::vector<UnreadableRange> unreadable = {};
  // The end of the log is gone without a trace, so the new database may be a prefix although the
  // report calls it complete.
  bool may_be_a_prefix = false;
};

struct Repaired {
  RepairReport report;
  State state;
  std::set<std::string> lost;  // keys for which reading is DataLoss
  // Versions of the records that are intact in the damaged files.
  std::set<uint64_t> sound;
  // The highest version that the rest still vouches for, by MANIFEST, a segment's header or a sync
  // mark.
  uint64_t promised = 0;
  // Versions of the intact records that repair.h promises to keep in any case.
  std::set<uint64_t> least;
  // Results that must never occur.
  std::vector<std::string> violations;
};

class RepairJudge {
 public:
  // `database` must outlive the judge.
  explicit RepairJudge(const TrackedDatabase* database) : database_(database) {}

  // Repairs and checks the following:
  //   - An intact record in a whole batch is kept if it was promised, or if nothing is missing
  //     between the promised ones and it. Other intact records are kept or counted. Nothing else is
  //     kept.
  //   - What cannot be read back unchanged is counted, so that the report is not complete.
  //   - No key has a value that it never had. No key has a value older than its newest record that
  //     had to be kept; nor one older than its newest intact record, unless records were dropped
  //     and counted. No delete is undone whose record or table entry is intact.
  //   - The source is unchanged. The new database verifies, continues above all versions that were
  //     ever given out, and, if `goes_on`, takes a write that survives a kill.
  Repaired Judge(const RepairCase& damaged, bool goes_on) const;

 private:
  void FindSound(const RepairCase& damaged, Repaired* out) const;
  bool IsSound(const RepairCase& damaged, const std::string& file, uint64_t begin,
               uint64_t end) const;
  bool HasSoundTable(const RepairCase& damaged, const std::string& file) const;
  void FindPromised(const RepairCase& damaged, Directory* directory, Repaired* out) const;
  // Requires that `promised` and `sound` are known.
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
