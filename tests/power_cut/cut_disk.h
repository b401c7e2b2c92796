// Files and directories in memory that simulate a power cut.
//
// A sync of a file makes its bytes and its length durable; a sync of a directory makes its entries
// durable. A cut keeps what is durable and may keep any later changes: of a write, each sector of
// 512 bytes independently; of the entries of a directory, all changes up to some moment. If a
// file's name is not durable, the cut may lose the file with all its synced bytes.
//
// Changes of names are kept in order because RocksDB relies on that, as journaling file systems
// guarantee it: RocksDB makes CURRENT name a manifest before the manifest's own name is synced.
// tests/crash_kit, which tests only core, may keep any subset of them.
//
// Functions return 0 or an error number. cut() and changes() may be called from any thread, all
// other functions by one thread at a time.

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
    mode_t mode = 0;  // file type and permissions
    uint64_t size = 0;
  };
  using Entries = std::map<std::string, Id, std::less<>>;

  CutDisk();
  CutDisk(const CutDisk&) = delete;
  CutDisk& operator=(const CutDisk&) = delete;

  // ---- the power ----

  // Cuts the power at the n-th change from now, n > 0. From then on every call returns an error,
  // reads included. `made` says whether the n-th change itself is made. The thread that makes it
  // calls `told`, once.
  void CutAt(uint64_t n, bool made, std::function<void()> told);
  bool cut() const { return cut_.load(std::memory_order_acquire); }
  // The number of calls that change something, syncs included.
  uint64_t changes() const { return changes_.load(std::memory_order_relaxed); }
  // The disk after the power is back. For each file and directory `random` decides which unsynced
  // changes are kept: none, all, all up to some moment, or, for a file, any of them.
  std::unique_ptr<CutDisk> AfterCut(std::mt19937_64* random) const;

  // ---- files and directories ----

  int Lookup(Id directory, std::string_view name, Id* id) const;
  int Stat(Id id, Attributes* attributes) const;
  int List(Id directory, Entries* entries) const;
  int Read(Id file, uint64_t offset, size_t size, std::string* bytes) const;

  // `mode` says whether to create a file or a directory.
  int Create(Id directory, std::string_view name, mode_t mode, Id* id);
  int Remove(Id directory, std::string_view name, bool is_directory);
  // Renames within one directory; replaces an existing file.
  int Rename(Id directory, std::string_view from, std::string_view to);
  int Write(Id file, uint64_t offset, std::string_view bytes);
  int Truncate(Id file, uint64_t size);
  int Sync(Id id);

 private:
  // A write of `bytes`, or, if `truncates`, a change of the size to `offset`.
  struct DataChange {
    bool truncates;
    uint64_t offset;
    std::string bytes;
  };
  // The names that changed in one step, with their new ids; 0 means that the name was removed.
  using EntryChange = std::vector<std::pair<std::string, Id>>;

  struct Node {
    mode_t mode = 0;
    // Used for files.
    std::string data;
    std::string durable_data;
    std::vector<DataChange> data_changes;  // since the last sync
    // Used for directories.
    Entries entries;
    Entries durable_entries;
    std::vector<EntryChange> entry_changes;  // since the last sync
  };

  static void Apply(const DataChange& change, std::string* data);
  static void Apply(const EntryChange& change, Entries* entries);
  static std::string DataAfterCut(const Node& node, std::mt19937_64* random);
  static Entries EntriesAfterCut(const Node& node, std::mt19937_64* random);

  // Counts a change and returns whether to make it. The caller must return `*error`.
  bool Begin(int* error);
  void Change(Node* node, EntryChange change);
  void Change(Node* node, DataChange change);
  const Node* Find(Id id, bool is_directory) const;
  Node* Find(Id id, bool is_directory);

  std::map<Id, Node> nodes_;  // never erased, because a removed file may still be open
  Id next_ = kRoot + 1;

  std::atomic<bool> cut_{false};
  std::atomic<uint64_t> changes_{0};
  uint64_t cut_at_ = 0;  // 0: never
  bool made_ = false;
  std::function<void()> told_;
};

}  // namespace rumcask

#endif  // RUMCASK_TESTS_POWER_CUT_CUT_DISK_H_
