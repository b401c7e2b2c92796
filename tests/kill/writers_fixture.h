// A program with four writing threads, which is killed again and again, and what its database must
// hold then.

#ifndef RUMCASK_TESTS_KILL_WRITERS_FIXTURE_H_
#define RUMCASK_TESTS_KILL_WRITERS_FIXTURE_H_

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "gtest/gtest.h"

#include "core/db.h"
#include "core/stats.h"
#include "tests/kill/scratch_directory.h"
#include "tests/kill/writer_figures.h"
#include "tests/oracle/numbered_writes.h"
#include "tests/workloads/writer_operations.h"

namespace rumcask {

class WritersFixture : public testing::Test {
 protected:
  // The n-th operation of a writer.
  using Nth = std::function<WriterOperation(int writer, uint64_t n)>;

  // One run of the program; see writers_main.cc.
  struct Life {
    std::string keystore;
    AppendMode append_mode;
    std::string work;
    // From the moment before the database is opened.
    std::chrono::microseconds length;
  };

  explicit WritersFixture(Nth nth) : nth_(std::move(nth)) {}

  // Some length, from a random number. A quarter of the kills are aimed at opening and recovery.
  static std::chrono::microseconds LengthOf(uint64_t bits);
  // Starts the writers where they stopped, kills them and reads their acknowledgements. Returns
  // whether each of them had acknowledged something.
  bool Round(const Life& life);
  // What follows from that for the index. `lands` is what Round has returned, and `read_only` says
  // how Check will open the database.
  void NoteOpening(bool lands, bool read_only);
  // Checks what the database holds. `otherwise` is its keystore if it was killed before it had one.
  void Check(bool read_only, ReadMode read_mode, bool thorough, const std::string& otherwise);
  void BeginAnew();
  // What the last writers have told, of works that tell.
  const WriterFigures& figures() const { return figures_; }

  const ScratchDirectory scratch_;
  const std::string db_ = scratch_.Path("db");
  uint64_t operations_ = 0;
  uint64_t unacknowledged_ = 0;  // operations found although they were not acknowledged
  int behind_ = 0;               // kills that found the index behind the log
  int advanced_ = 0;             // those of them that found it further than the time before
  int changed_ = 0;              // those that found another keystore than the time before
  int thorough_ = 0;             // checks of all keys

 private:
  void CheckWriter(DB* db, int writer);
  // Checks the index of an on-disk keystore.
  void CheckIndex(const Stats& stats);
  // Walks over all keys, and compares the index with the log.
  void CheckAllKeys(DB* db, bool ordered, size_t keys);
  // The output of the writers.
  std::string Log() const;
  std::vector<NumberedWrites> FromTheBeginning() const;

  const Nth nth_;
  // For each writer, the last operation known to be in the database, and the writer's keys after
  // it.
  std::array<uint64_t, kWriters> done_ = {};
  std::vector<NumberedWrites> writes_ = FromTheBeginning();
  // The last operation that each writer has acknowledged.
  std::array<uint64_t, kWriters> acknowledged_ = {};
  // The highest version through which an index on disk was known to be up to date.
  uint64_t position_ = 0;
  // The database's keystore when it was last opened.
  std::string keystore_;
  WriterFigures figures_;
  // The number of consecutive processes that may have been killed while opening the index. After
  // two of them the next process takes the index for one that crashes its opener, and rebuilds it.
  int unopened_ = 0;
};

}  // namespace rumcask

#endif  // RUMCASK_TESTS_KILL_WRITERS_FIXTURE_H_
