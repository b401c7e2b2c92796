// Files and directories in memory, of which it is known what a power cut leaves.
//
// What a sync of a file has covered, its bytes and its length, is there after a cut; so is what a
// sync of a directory has covered, its entries. Of what changed since then anything may be there or
// not: of a write each sector of 512 bytes by itself, of the names in a directory all changes up to
// some moment. A file whose name was not synced is gone with all its synced bytes.
//
// Names keep their order because RocksDB takes that for granted, as journaling file systems have
// it: it makes CURRENT name a manifest before the manifest's own name is synced. tests/crash_kit,
// below which only core is, keeps any of them.
//
// Functions return 0 or an error number. One thread at a time; cut() and changes() any thread.

#ifndef RUMCASK_TESTS_POWER_CUT_CUT_DISK_H_
#define RUMCASK_TESTS_POWER_CUT_CUT_DISK_H_

#include <sys/types.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace rumcask {

class CutDisk {
 public:
  using Id = uint64_t;
  static constexpr Id kRoot = 1;
  static constexpr uint64_t kSectorBytes = 512;

  struct Attributes {
    mode_t mode = 0;  // with its type
    uint64_t size = 0;
  };
  using Entries = std::map<std::string, Id, std::less<>>;

  CutDisk();
  CutDisk(const CutDisk&) = delete;
  CutDisk& operator=(const CutDisk&) = delete;

  // ---- the power ----

  // Cuts it at the n-th change from now, n > 0. That one reports an error like all that come after
  // it, reads included, but is perhaps made. `told` is called once, by whoever makes the change.
  void CutAt(uint64_t n, bool made, std::function<void()> told);
  bool cut() const { return cut_.load(std::memory_order_acquire); }
  // Calls that change something, syncs included.
  uint64_t changes() const { return changes_.load(std::memory_order_relaxed); }
  // The disk that is found when the power is back. Of what was not synced `random` decides, for
  // each file and directory: nothing, everything, all up to some moment, or, of a file, anything.
  std::unique_ptr<CutDisk> AfterCut(std::mt19937_64* random) const;

  // ---- files and directories ----

  int Lookup(Id directory, std::string_view name, Id* id) const;
  int Stat(Id id, Attributes* attributes) const;
  int List(Id directory, Entries* entries) const;
  int Read(Id file, uint64_t offset, size_t size, std::string* bytes) const;

  // `mode` tells whether it is a directory.
  int Create(Id directory, std::string_view name, mode_t mode, Id* id);
  int Remove(Id directory, std::string_view name, bool is_directory);
  // Within a directory; replaces a file.
  int Rename(Id directory, std::string_view from, std::string_view to);
  int Write(Id file, uint64_t offset, std::string_view bytes);
  int Truncate(Id file, uint64_t size);
  int Sync(Id id);

 private:
  // A write, or no bytes: a new size.
  struct DataChange {
    bool truncates;
    uint64_t offset;
    std::string bytes;
  };
  // Names that changed in one step, with what they stand for now; 0 for nothing.
  using EntryChange = std::vector<std::pair<std::string, Id>>;

  struct Node {
    mode_t mode = 0;
    // Of a file.
    std::string data;
    std::string durable_data;
    std::vector<DataChange> data_changes;  // since the last sync
    // Of a directory.
    Entries entries;
    Entries durable_entries;
    std::vector<EntryChange> entry_changes;  // since the last sync
  };

  static void Apply(const DataChange& change, std::string* data);
  static void Apply(const EntryChange& change, Entries* entries);
  static std::string DataAfterCut(const Node& node, std::mt19937_64* random);
  static Entries EntriesAfterCut(const Node& node, std::mt19937_64* random);

  // Counts a change. Whether it shall be made; `*error` is what to return.
  bool Begin(int* error);
  void Change(Node* node, EntryChange change);
  void Change(Node* node, DataChange change);
  const Node* Find(Id id, bool is_directory) const;
  Node* Find(Id id, bool is_directory);

  std::map<Id, Node> nodes_;  // never forgotten, so that open files stay
  Id next_ = kRoot + 1;

  std::atomic<bool> cut_{false};
  std::atomic<uint64_t> changes_{0};
  uint64_t cut_at_ = 0;  // 0: never
  bool made_ = false;
  std::function<void()> told_;
};

}  // namespace rumcask

#endif  // RUMCASK_TESTS_POWER_CUT_CUT_DISK_H_
