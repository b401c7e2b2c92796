// The interface of an index on disk: what a plugin such as lmdb or rocksdb implements.
//
// To the plugin an index is two maps from bytes to bytes: `entries`, from each key to a short value
// that only core understands, in bytewise order of the keys; and `notes`, a few small rows from
// which core learns what the index holds. core puts buffers in front of the index
// (buffered_index.h) and applies whole buffers to it in the background, so that an unconditional
// write waits for the index only while the index is two buffers behind.
//
// How core calls an index:
//
//  - Commit and Flush are called by one thread at a time. Get, Scan, GetNote and the figures are
//    called by any thread at any time, beside each other and beside Commit. Once Commit has
//    returned, every later Get and Scan sees the batch; before that, they see all of the batch or
//    nothing of it.
//  - After a crash of the process or of the machine, the index must be as it was after some Commit,
//    and not before the last Flush that returned OK. More is not needed: a note tells core how far
//    the index has got, and core brings it up to date from the log. Less is not enough: an index
//    with a part of a batch, or with a note ahead of its entries, loses data.
//  - An index that can no longer vouch for its contents returns DataLoss from any call. The next
//    opening then removes it and builds it anew from the log.
//
// Errors: NotFound with an empty message if the key or note does not exist. ResourceExhausted if
// the disk is full, or if something else is short of which there may be more later; core repeats
// the call without end. Any other error ends writing, while reads go on as far as they can. If
// GetNote does not report as durable what a successful Flush covers, core waits for it: for ten
// seconds, or without end if there was a shortage before.

#ifndef RUMCASK_CORE_PLUGIN_DISK_INDEX_H_
#define RUMCASK_CORE_PLUGIN_DISK_INDEX_H_

#include "rumcask/require_cxx17.h"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "rumcask/key_range.h"

namespace rumcask {

// A key and its new value; an empty value removes the key.
struct IndexChange {
  std::string_view key;
  std::string_view value;
};

// A note and its new value; an empty value removes the note.
struct IndexNote {
  std::string name;
  std::string value;
};

// What one Commit does, in one step. core implements it. The plugin calls, in this order: changes
// and wants_replaced; if wants_replaced is true, Accepts for every change, in any order; Notes.
// Core needs to know the entry that a change replaces for three reasons: to keep it for a snapshot
// that sees it, to leave out a record that the index already has when the log is read again, and to
// count live bytes. That count is one of the notes, which is why Notes comes last.
class IndexBatch {
 public:
  virtual ~IndexBatch() = default;
  // Ascending by key; each key occurs once. Valid until Commit returns.
  virtual const std::vector<IndexChange>& changes() const = 0;
  // Whether core wants to know what is replaced. If not, the plugin makes every change and does not
  // call Accepts, so that an index for which lookups are expensive need not do them.
  virtual bool wants_replaced() const = 0;
  // Tells core the value that the key of changes()[i] has before the batch; empty if the index does
  // not have the key. Returns whether the change is to be made.
  virtual bool Accepts(size_t i, std::string_view before) = 0;
  // The notes to write in the same step.
  virtual std::vector<IndexNote> Notes() = 0;
};

// Keys and values copied out of an index, so that no transaction of it lasts longer than a call.
class IndexRows {
 public:
  // Appends a row.
  void Add(std::string_view key, std::string_view value) {
    rows_.push_back({bytes_.size(), key.size(), value.size(), passed_});
    bytes_.append(key);
    bytes_.append(value);
    passed_ = 0;
  }
  // For an index in which removed entries have to be stepped over for a while: reports how many
  // there were before the entry that is added next, or before the end. If it is many, core makes
  // later scans begin behind them.
  void Pass(uint64_t steps) { passed_ += steps; }
  // Empties the rows but keeps their memory.
  void Clear() {
    rows_.clear();
    bytes_.clear();
    passed_ = 0;
  }

  // The number of rows.
  size_t size() const { return rows_.size(); }
  // These are valid until the rows are changed.
  std::string_view key(size_t i) const {
    return std::string_view(bytes_).substr(rows_[i].begin, rows_[i].key_bytes);
  }
  std::string_view value(size_t i) const {
    return std::string_view(bytes_).substr(rows_[i].begin + rows_[i].key_bytes,
                                           rows_[i].value_bytes);
  }

  // These are what Pass has reported.
  uint64_t passed_before(size_t i) const { return rows_[i].passed; }
  uint64_t passed_at_end() const { return passed_; }

 private:
  struct Row {
    size_t begin;
    size_t key_bytes;
    size_t value_bytes;
    uint64_t passed;
  };

  std::string bytes_;
  std::vector<Row> rows_;
  uint64_t passed_ = 0;
};

// An open index.
class DiskIndex {
 public:
  // The value of an entry is shorter than this and not empty.
  static constexpr size_t kMaxValueBytes = 64;

  // Releases the files. What was not flushed may be lost.
  virtual ~DiskIndex() = default;
  DiskIndex(const DiskIndex&) = delete;
  DiskIndex& operator=(const DiskIndex&) = delete;

  // Replaces `*value`; NotFound with an empty message if there is no such key.
  virtual absl::Status Get(std::string_view key, std::string* value) const = 0;

  // Replaces `*rows` by the first `limit` entries of the range; by fewer only if the range ends
  // before. The range does not refer to bytes of `*rows`.
  virtual absl::Status Scan(const KeyRange& range, size_t limit, IndexRows* rows) const = 0;

  // Makes all changes and notes of the batch or, if it returns an error, none.
  virtual absl::Status Commit(IndexBatch* batch) = 0;

  // Makes all that was applied survive a power cut.
  virtual absl::Status Flush() = 0;

  // Replaces `*value`; NotFound if there is no such note. With `durable`, the value is the one that
  // would be found after a power cut now.
  virtual absl::Status GetNote(std::string_view name, bool durable, std::string* value) const = 0;

  // The number of entries, if the exact number is cheap to find out; otherwise an estimate.
  virtual uint64_t KeyCount() const = 0;
  // Whether KeyCount is exact.
  virtual bool counts_exactly() const = 0;
  // Whether reporting what a change replaces costs next to nothing. If so, core always asks for it.
  virtual bool reports_replaced() const = 0;
  // Anonymous memory, approximately: the index's own caches, without the system's page cache.
  virtual uint64_t MemoryBytes() const = 0;
  // Bytes that its files take on disk.
  virtual uint64_t FileBytes() const = 0;

 protected:
  DiskIndex() = default;
};

// Which index to open, and how.
struct DiskIndexConfig {
  // The directory of the index, DATABASE/index/NAME. open_index makes it if it is missing
  // (index_directory.h).
  std::string path;
  // open_index must not change anything, and returns NotFound if there is no index.
  bool read_only = false;
};

}  // namespace rumcask

#endif  // RUMCASK_CORE_PLUGIN_DISK_INDEX_H_
