// A database on a disk whose power is cut, and the writers that work on it one after the other.
//
// Each writer is a process (writer_main.cc) that checks what the last one has left and goes on. The
// test says when its life ends and judges what it reports.

#ifndef RUMCASK_TESTS_POWER_CUT_POWER_CUT_FIXTURE_H_
#define RUMCASK_TESTS_POWER_CUT_POWER_CUT_FIXTURE_H_

#include <cstdint>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "gtest/gtest.h"

#include "tests/kill/scratch_directory.h"
#include "tests/power_cut/cut_disk.h"
#include "tests/power_cut/cut_mount.h"
#include "tests/power_cut/writer_report.h"

namespace rumcask {

class PowerCutTest : public testing::TestWithParam<std::string> {
 protected:
  static void SetUpTestSuite() { CutMount::KeepPrivate(); }

  void SetUp() override;

  void BeginAnew();
  // How a writer's life ends: by a power cut at the `cut_at`-th change to the disk, by a kill at
  // the `kill_at`-th report, or, if both are 0, by a clean end.
  struct End {
    uint64_t cut_at = 0;
    uint64_t kill_at = 0;
  };
  // Runs one writer until its end and judges it. `work` is the writer's; see writer_main.cc.
  void Round(const std::string& keystore, uint64_t segment_bytes, const End& end,
             const std::string& work = "spread");
  // Lives of writers on one directory with tiny segments, until so many of them have crashed. Each
  // has one of the keystores.
  void Chain(const std::vector<std::string>& keystores, int crashes);
  // Reads the writer's reports until it ends, the power is cut, or `most` reports have come.
  void Listen(int reports, int power, uint64_t most);
  void Note(const WriterReport& report);
  std::string Log() const;
  // Whether the writer died by an assertion of RocksDB. Debian builds it with assertions, one of
  // which fails if RocksDB writes again after an error. Without assertions that write returns the
  // error.
  bool RocksdbAsserted() const;

  const ScratchDirectory scratch_;
  const std::string mount_point_ = scratch_.Path("mount");
  std::mt19937_64 random_{1};
  std::unique_ptr<CutDisk> disk_ = std::make_unique<CutDisk>();
  std::unique_ptr<CutMount> mount_;  // kept after a kill, so that the page cache survives

  // What is known of the database.
  uint64_t synced_ = 0;            // operations through this one survive a power cut
  Voucher by_ = Voucher::kNobody;  // who vouched for synced_
  uint64_t least_ = 0;             // operations through this one must be there at the next opening
  uint64_t written_ = 0;           // the last operation that has returned
  uint64_t indexed_ = 0;           // the index is durably up to date through this version
  int unopened_ = 0;   // consecutive writers that ended before they had opened the database
  std::string lives_;  // how each of its writers ended, and what it had logged

  // What is known of the current round.
  bool opened_ = false;
  uint64_t first_ = 0;       // the number of operations that the writer found
  uint64_t retired_ = 0;     // segments that compaction has removed, when that was last told
  bool compacting_ = false;  // whether a compaction was running then

  int kills_ = 0;
  int cuts_ = 0;
  int cuts_opening_ = 0;  // cuts before the database was open
  int lossy_ = 0;         // cuts that lost operations which had returned
  int behind_ = 0;        // cuts that left the index behind the log
  int rebuilt_ = 0;       // cuts that left no index
  int torn_ = 0;          // of them, those that tore RocksDB's MANIFEST
  uint64_t operations_ = 0;
  uint64_t changes_ = 0;
};

}  // namespace rumcask

#endif  // RUMCASK_TESTS_POWER_CUT_POWER_CUT_FIXTURE_H_
