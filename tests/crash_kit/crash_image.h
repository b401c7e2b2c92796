// What a power cut leaves: the choice (KeepPolicy) and its result (CrashImage).
//
// The model: a file is an array of 512-byte sectors and a size; a directory is a map of entries.
// Each has a durable state, which is that of its last successful sync, and a history since then:
//   - Every write adds a version to each sector that it touches. After a cut a sector has its
//     durable bytes or any one of its versions, whatever its neighbours have.
//   - Every change of a file's size adds one to the list of sizes. After a cut the size is the
//     durable one or any later one, whichever sectors were kept. Bytes beyond it are gone; bytes
//     below it that were not kept are zeros. A size that is kept includes the truncations before
//     it.
//   - Every creation, unlink and rename is one entry operation. After a cut any subset of a
//     directory's entry operations has happened, in their order. A rename happens as a whole.
// The three kinds are chosen independently of each other.

#ifndef RUMCASK_TESTS_CRASH_KIT_CRASH_IMAGE_H_
#define RUMCASK_TESTS_CRASH_KIT_CRASH_IMAGE_H_

#include "rumcask/require_cxx17.h"

#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace rumcask {

inline constexpr size_t kSectorSize = 512;
using Sector = std::array<char, kSectorSize>;
// nullptr is a sector of zeros.
using SectorRef = std::shared_ptr<const Sector>;
// The bytes of a file by sector number. Sectors beyond the end of the vector are zeros.
using Sectors = std::vector<SectorRef>;

// Which of the unsynced changes a cut keeps.
struct KeepPolicy {
  enum class Choice {
    kDurable,       // none
    kNewest,        // all
    kLatestWrites,  // for sectors: only those stored by the latest `latest_writes` writes
    kRandom,        // each is decided separately, from `seed`
  };

  Choice sectors = Choice::kDurable;
  Choice sizes = Choice::kDurable;
  Choice entries = Choice::kDurable;
  uint64_t seed = 0;
  int latest_writes = 1;

  // Keeps only what was synced.
  static KeepPolicy DropUnsynced();
  // Keeps everything, as when only the process dies.
  static KeepPolicy KeepEverything();
  // For sectors, sizes and entry operations separately, draws whether most of them, half or few are
  // kept; then draws for each one. Equal seeds give equal choices on equal histories.
  static KeepPolicy Random(uint64_t seed);
  // Files as they are, directories as last synced.
  static KeepPolicy NewDataOldDirectory();
  // Directories as they are, files as last synced.
  static KeepPolicy NewDirectoryOldData();
  // Sectors and entries as they are, sizes as last synced.
  static KeepPolicy DataWithoutSize();
  // Sizes and entries as they are, sectors as last synced, which leaves files that end in zeros.
  static KeepPolicy SizeWithoutData();
  // The opposite of writing in order: sizes and entries as they are, but of the unsynced sectors
  // only those that the latest `writes` writes stored.
  static KeepPolicy OnlyLatestWrites(int writes);

  // One of each of the above that does not draw at random.
  static std::vector<KeepPolicy> AllFixed();

  // For failure messages, e.g. "sectors=newest sizes=durable entries=newest".
  std::string ToString() const;
};

// The frozen durable state of a whole file system. Immutable and cheap to copy, because images
// share the sectors that they have in common. May be used from any thread.
struct CrashImage {
  struct File {
    uint64_t size = 0;
    std::shared_ptr<const Sectors> sectors;
  };
  struct Tree {
    std::map<uint64_t, File> files;                                   // by inode
    std::map<uint64_t, std::map<std::string, uint64_t>> directories;  // by inode: name to inode
    uint64_t root = 0;
    uint64_t next_inode = 0;
  };
  std::shared_ptr<const Tree> tree;
};

// Makes the decisions of one policy for one image. They are requested in a fixed order.
class Keeper {
 public:
  // `first_kept_write`: the time of the oldest write that kLatestWrites keeps.
  Keeper(const KeepPolicy& policy, uint64_t first_kept_write);

  const KeepPolicy& policy() const { return policy_; }

  // Chooses among a durable state (0) and `count` later ones the one to keep. `newest` is the time
  // of the last one.
  size_t ChooseVersion(size_t count, uint64_t newest);
  size_t ChooseSize(size_t count);
  bool KeepsEntryOperation();

 private:
  uint64_t Next();
  bool Chance(uint64_t sixteenths) { return (Next() & 15) < sixteenths; }
  uint64_t DrawSixteenths();
  size_t ChooseAtRandom(size_t count, uint64_t sixteenths);

  const KeepPolicy policy_;
  const uint64_t first_kept_write_;
  uint64_t random_state_;
  uint64_t sector_sixteenths_ = 0;
  uint64_t size_sixteenths_ = 0;
  uint64_t entry_sixteenths_ = 0;
};

}  // namespace rumcask

#endif  // RUMCASK_TESTS_CRASH_KIT_CRASH_IMAGE_H_
