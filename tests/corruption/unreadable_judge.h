// What a database must still do when its device can't read some bytes of one file, ever again, or
// reads other ones.
//
// Nothing but the range concerned is lost. A record in it is DataLoss by name, where a key table
// tells its key; where nothing does, opening for writing may be refused, a read-only opening tells
// the listener and serves the rest. MANIFEST's other copy serves, a key table that can't be read is
// made good by scanning, Verify lists the place and goes on, Repair keeps all the rest and counts.

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
  // One or several, of one file or of several.
  std::vector<SpoiledRange> ranges;
  bool other_bytes = false;  // are there, instead of none that can be read
  bool hash = false;         // keystore: hash instead of a simple map
  ReadMode read = ReadMode::kPread;
  AppendMode append = AppendMode::kWrite;
  std::string ToString() const;
};

class UnreadableJudge {
 public:
  // Both outlive this.
  UnreadableJudge(const SampleDatabase* sample, const UnreadableCase* unreadable);

  // Whether other bytes there could have come of a power cut, so that the log ends before them.
  bool MayBeTorn() const { return may_be_torn_; }
  // What went wrong.
  std::vector<std::string> Judge();
  // Whether opening for writing was refused.
  bool refused() const { return refused_; }
  // Keys whose reading is DataLoss.
  const std::set<std::string>& lost() const { return lost_; }

 private:
  // Finds out what the ranges may cost.
  void Consider();
  void ConsiderSegment(const std::string& file);
  bool Overlaps(const std::string& file, uint64_t begin, uint64_t end) const;
  void Violate(const std::string& how, const std::string& what);
  Options MakeOptions();
  // The file system anew, as it was before anything was opened.
  void Lay();
  void SpoilRanges();

  void JudgeReadOnly();
  void JudgeVerify();
  void JudgeReadWrite();
  void JudgeRepair();
  // Reads every key. With `loose`, the keys of loose_ may have any value they ever had, or none.
  void ReadAll(const std::string& how, DB* db, bool loose);

  const SampleDatabase& sample_;
  const UnreadableCase& unreadable_;
  std::unique_ptr<CrashFileSystem> files_;
  std::unique_ptr<FaultFileSystem> faults_;
  std::map<std::string, std::string> state_;  // what must be there

  // By the ranges:
  std::set<std::string> must_lose_;  // keys whose newest value is in it, and a key table says so
  std::set<std::string> may_lose_;   // those of which it can only be told by luck
  std::set<std::string> loose_;      // of which something in it may have been the newest
  bool may_refuse_ = false;          // to open for writing
  bool may_be_torn_ = false;
  std::set<std::string> must_tell_;  // of these files, Verify
  // Records that no key table makes good: Repair must not call it complete.
  bool costs_records_ = false;
  size_t touched_records_ = 0;

  bool refused_ = false;
  std::set<std::string> lost_;
  std::vector<std::string> violations_;
};

}  // namespace rumcask

#endif  // RUMCASK_TESTS_CORRUPTION_UNREADABLE_JUDGE_H_
