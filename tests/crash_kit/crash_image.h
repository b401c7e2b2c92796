// What a power cut leaves: the choice (KeepPolicy) and the outcome (CrashImage).
//
// The model. A file is an array of 512-byte sectors and a size; a directory is a map of entries.
// Each has a durable state, as of its last successful sync, and a history since:
//   - every write adds a version to each sector it touches. After a cut a sector holds its durable
//     bytes or any one of its versions, whatever its neighbours hold;
//   - every change of a file's size adds one to the list of sizes. After a cut the size is the
//     durable one or any later one, whichever sectors were kept. Bytes past it are gone; bytes
//     below it that were not kept are zeros. A kept size brings the earlier truncations with it;
//   - every creation, unlink and rename is one entry operation. After a cut any subset of a
//     directory's entry operations has happened, in their order. A rename happens as a whole.
// Nothing in one of the three says anything about the other two.

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
// The bytes of a file by sector number. What is past the end of the vector is zeros.
using Sectors = std::vector<SectorRef>;

// Which of the unsynced changes a cut keeps.
struct KeepPolicy {
  enum class Choice {
    kDurable,       // none
    kNewest,        // all
    kLatestWrites,  // for sectors: only what the latest `latest_writes` writes stored
    kRandom,        // each on its own, from `seed`
  };

  Choice sectors = Choice::kDurable;
  Choice sizes = Choice::kDurable;
  Choice entries = Choice::kDurable;
  uint64_t seed = 0;
  int latest_writes = 1;

  // Only what was synced.
  static KeepPolicy DropUnsynced();
  // Everything: the state after the death of the process alone.
  static KeepPolicy KeepEverything();
  // For sectors, sizes and entry operations each, the image draws whether it keeps most of them,
  // half or few; then each one is drawn. Equal seeds choose equally on equal histories.
  static KeepPolicy Random(uint64_t seed);
  // Files as they are, directories as they were synced.
  static KeepPolicy NewDataOldDirectory();
  // Directories as they are, files as they were synced.
  static KeepPolicy NewDirectoryOldData();
  // Sectors and entries as they are, sizes as they were synced.
  static KeepPolicy DataWithoutSize();
  // Sizes and entries as they are, sectors as they were synced: files that end in zeros.
  static KeepPolicy SizeWithoutData();
  // The opposite of writing in order: sizes and entries as they are, but of the unsynced sectors
  // only those that the latest `writes` writes stored.
  static KeepPolicy OnlyLatestWrites(int writes);

  // One of each of the above that draw no lots.
  static std::vector<KeepPolicy> AllFixed();

  // For failure messages, e.g. "sectors=newest sizes=durable entries=newest".
  std::string ToString() const;
};

// A frozen durable state of a whole file system. Immutable and cheap to copy; images share the
// sectors in which they do not differ. May be used from any thread.
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

// Makes the decisions of one policy for one image, asked in a fixed order.
class Keeper {
 public:
  // `first_kept_write`: the time of the oldest write that kLatestWrites keeps.
  Keeper(const KeepPolicy& policy, uint64_t first_kept_write);

  const KeepPolicy& policy() const { return policy_; }

  // Of a durable state (0) and `count` later ones, the one to keep. `newest` is the time of the
  // last one.
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
