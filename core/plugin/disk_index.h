// The interface of an index on disk: what a plugin such as lmdb or rocksdb implements.
//
// To the plugin an index is two maps from bytes to bytes: `entries`, from each key to a short value
// that core alone understands, in bytewise order of the keys; and `notes`, a few small rows by
// which core knows what the index holds. core puts buffers in front of it (buffered_index.h), so
// that a write never waits for it, and brings whole buffers to it in the background.
//
// How core calls an index:
//
//  - Apply and Flush are called by one thread at a time; Get, Scan, GetNote and the figures by any
//    thread at any time, beside each other and beside Apply. What Apply has returned from, every
//    later Get and Scan sees; before, they see all of one batch or nothing of it.
//  - After a crash of the process or of the machine an index is as it was after some Apply, not
//    before the last Flush that returned OK. It need be no more: core knows by a note how far it is
//    and brings it up to date from the log. It must be no less: an index with a part of a batch, or
//    with a note ahead of its entries, loses data.
//  - An index that can't promise what it holds says DataLoss, from any call: it is removed and
//    built anew from the log at the next opening.
//
// Errors: NotFound with an empty message for what is not there; ResourceExhausted if the disk is
// full, or something else is short that there may be more of later, which core tries again without
// end; anything else ends writing, while reads go on as far as they can. If GetNote does not find
// durable yet what Flush has said OK of, that is waited for: ten seconds, or without end if there
// was a shortage before.

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

// A key and its new value; no value removes the key.
struct IndexChange {
  std::string_view key;
  std::string_view value;
};

// A note and its new value; no value removes the note.
struct IndexNote {
  std::string name;
  std::string value;
};

// What one Apply does, in one step. core implements it; the plugin calls, in this order: changes
// and wants_replaced; if that is so, for every change Accepts, in any order; Notes.
class IndexBatch {
 public:
  virtual ~IndexBatch() = default;
  // Ascending by key, each key once. Valid until Apply returns.
  virtual const std::vector<IndexChange>& changes() const = 0;
  // Whether core wants to be told what is replaced. If not, Accepts is not called and every change
  // is made: a plugin for which looking is dear need not look.
  virtual bool wants_replaced() const = 0;
  // Tells the value, perhaps empty, that the key of changes()[i] has before the batch. Returns
  // whether the change shall be made.
  virtual bool Accepts(size_t i, std::string_view before) = 0;
  // What to write in the same step.
  virtual std::vector<IndexNote> Notes() = 0;
};

// Keys and values copied out of an index, so that no transaction of it lasts longer than a call.
class IndexRows {
 public:
  void Add(std::string_view key, std::string_view value) {
    rows_.push_back({bytes_.size(), key.size(), value.size(), passed_});
    bytes_.append(key);
    bytes_.append(value);
    passed_ = 0;
  }
  // For an index in which what was removed has to be stepped over for a while: tells how much of
  // that there was before what is added next, or before the end. Where it is much, core takes care
  // that later scans do not begin there.
  void Pass(uint64_t steps) { passed_ += steps; }
  // Keeps its memory.
  void Clear() {
    rows_.clear();
    bytes_.clear();
    passed_ = 0;
  }

  size_t size() const { return rows_.size(); }
  // Valid until the rows are changed.
  std::string_view key(size_t i) const {
    return std::string_view(bytes_).substr(rows_[i].begin, rows_[i].key_bytes);
  }
  std::string_view value(size_t i) const {
    return std::string_view(bytes_).substr(rows_[i].begin + rows_[i].key_bytes,
                                           rows_[i].value_bytes);
  }
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

class DiskIndex {
 public:
  // Values of entries are shorter than this, and not empty.
  static constexpr size_t kMaxValueBytes = 64;

  // Lets go of the files. What was not flushed may be lost.
  virtual ~DiskIndex() = default;
  DiskIndex(const DiskIndex&) = delete;
  DiskIndex& operator=(const DiskIndex&) = delete;

  // Replaces `*value`; NotFound with an empty message if there is no such key.
  virtual absl::Status Get(std::string_view key, std::string* value) const = 0;

  // Replaces `*rows` by the first `limit` entries of the range, fewer only at its end. The range
  // does not refer to the rows.
  virtual absl::Status Scan(const KeyRange& range, size_t limit, IndexRows* rows) const = 0;

  // Makes all of the batch's changes and notes, or, with an error, none.
  virtual absl::Status Apply(IndexBatch* batch) = 0;

  // Makes all that was applied survive a power cut.
  virtual absl::Status Flush() = 0;

  // Replaces `*value`; NotFound if there is no such note. With `durable`, as a power cut now would
  // leave it.
  virtual absl::Status GetNote(std::string_view name, bool durable, std::string* value) const = 0;

  // How many entries there are, if it is known exactly at no great cost; otherwise an estimate.
  virtual uint64_t KeyCount() const = 0;
  virtual bool counts_exactly() const = 0;
  // Whether telling what a change replaces costs it next to nothing. Then core always asks.
  virtual bool looks_cheaply() const = 0;
  // Anonymous memory, about: caches of its own, not the system's page cache.
  virtual uint64_t MemoryBytes() const = 0;
  // What its files take on disk.
  virtual uint64_t FileBytes() const = 0;

 protected:
  DiskIndex() = default;
};

struct DiskIndexConfig {
  // The directory of the index, DATABASE/index/NAME, made by open_index if it is missing
  // (index_directory.h).
  std::string path;
  // Changes nothing; NotFound if there is no index.
  bool read_only = false;
};

}  // namespace rumcask

#endif  // RUMCASK_CORE_PLUGIN_DISK_INDEX_H_
