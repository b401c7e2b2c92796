// What a database must still do when its device permanently cannot read some bytes of one file, or
// reads other bytes in their place.
//
// Nothing but that range may be lost. A record in it is DataLoss for its key if a key table still
// says which key that is. Otherwise opening for writing may be refused, and a read-only opening
// reports it to the listener and offers the rest. If the range is in MANIFEST, the other copy is
// used; if it is in a key table, the records are scanned instead. Verify lists the place and
// continues. Repair keeps everything else and counts what is lost.

#ifndef RUMCASK_TESTS_CORRUPTION_UNREADABLE_JUDGE_H_
#define RUMCASK_TESTS_CORRUPTION_UNREADABLE_JUDGE_H_

#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "core/db.h"
#include "tests/corruption/sample_database.h"
#include "tests/crash_kit/crash_file_system.h"
#include "tests/crash_kit/fault_file_system.h"

namespace rumcask {

// Bytes [begin, end) of a file.
struct SpoiledRange {
  std::string file;
  uint64_t begin = 0;
  uint64_t end = 0;
};

struct UnreadableCase {
  // One or several ranges, in one file or in several.
  std::vector<SpoiledRange> ranges;
  bool other_bytes = false;  // the range has other bytes instead of being unreadable
  bool hash = false;         // keystore: hash instead of a simple map
  ReadMode read = ReadMode::kPread;
  AppendMode append = AppendMode::kWrite;
  std::string ToString() const;
};

class UnreadableJudge {
 public:
  // Both must outlive this object.
  UnreadableJudge(const SampleDatabase* sample, const UnreadableCase* unreadable);

  // Whether other bytes in the ranges could result from a power cut, so that the log ends before
  // them.
  bool MayBeTorn() const { return may_be_torn_; }
  // Returns what went wrong.
  std::vector<std::string> Judge();
  // Whether opening for writing was refused.
  bool refused() const { return refused_; }
  // The keys for which reading is DataLoss.
  const std::set<std::string>& lost() const { return lost_; }

 private:
  // Finds out what the ranges may cost.
  void Consider();
  void ConsiderSegment(const std::string& file);
  bool Overlaps(const std::string& file, uint64_t begin, uint64_t end) const;
  void Violate(const std::string& how, const std::string& what);
  Options MakeOptions();
  // Makes a new file system with the files as they were before anything was opened.
  void Lay();
  void SpoilRanges();

  void JudgeReadOnly();
  void JudgeVerify();
  void JudgeReadWrite();
  void JudgeRepair();
  // Reads every key. With `loose`, the keys in loose_ may have any value that they ever had, or
  // none.
  void ReadAll(const std::string& how, DB* db, bool loose);

  const SampleDatabase& sample_;
  const UnreadableCase& unreadable_;
  std::unique_ptr<CrashFileSystem> files_;
  std::unique_ptr<FaultFileSystem> faults_;
  std::map<std::string, std::string> state_;  // what must be found

  // Consequences of the ranges:
  std::set<std::string> must_lose_;  // keys whose newest value is in them, as a key table says
  std::set<std::string> may_lose_;   // keys for which that may not be known
  std::set<std::string> loose_;      // keys whose newest record may have been in them
  bool may_refuse_ = false;          // opening for writing may be refused
  bool may_be_torn_ = false;
  std::set<std::string> must_tell_;  // files for which Verify must list damage
  // Records are lost that no key table makes up for, so Repair must not report a complete result.
  bool costs_records_ = false;
  size_t touched_records_ = 0;

  bool refused_ = false;
  std::set<std::string> lost_;
  std::vector<std::string> violations_;
};

}  // namespace rumcask

#endif  // RUMCASK_TESTS_CORRUPTION_UNREADABLE_JUDGE_H_
