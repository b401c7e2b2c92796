// The key table of a sealed segment: what its records are and which keys they have, in the order of
// the log.
//
// It is Bitcask's hint file, but inside the file that it describes and therefore never stale.
// Opening and compaction read key tables instead of values. A table is a series of blocks of up to
// 512 records each. A block has its columns one after the other, and a column that is the same
// for all of its records is there once: a block of puts of keys and values of one size takes its
// keys and a dozen bytes.
//
//   count         varint
//   shape         1 byte: which of the columns below have an entry for each record. Bit 0 tags,
//                 1 key lengths, 2 value lengths, 3 numbers. The other bits are reserved
//   tags          1 byte: kind in the low 6 bits, batch part in the high 2
//   key lengths   varint
//   value lengths varint
//   numbers       varint: minus the number of the record before it; of the first, minus 0. Without
//                 an entry for each, only the first record has one, and each other's number is the
//                 one before plus 1. The number of a sync mark is one that it vouches for and not
//                 its own: its varint is a zigzag, and the next number is not counted from it
//   keys          see key_packing.h
//
// The offset of a record is the offset of the record before plus that one's size; the first record
// is at kSegmentHeaderBytes.
//
// The first releases wrote an entry for each record: tag, key length, value length, number as a
// zigzag, key. Such tables can still be read.

#ifndef RUMCASK_CORE_FORMAT_KEY_TABLE_H_
#define RUMCASK_CORE_FORMAT_KEY_TABLE_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/format/format.h"
#include "core/format/key_packing.h"

namespace rumcask {

// The checksum of a table that is there piece by piece: what TableChecksum is of all of it.
class TableHash {
 public:
  explicit TableHash(uint64_t segment_seed) : state_(XXH3_createState()) {
    XXH3_64bits_reset_withSeed(state_.get(), segment_seed);
  }
  void Add(std::string_view piece) { XXH3_64bits_update(state_.get(), piece.data(), piece.size()); }
  uint64_t Get() const { return XXH3_64bits_digest(state_.get()); }

 private:
  struct Free {
    void operator()(XXH3_state_t* state) const { XXH3_freeState(state); }
  };
  std::unique_ptr<XXH3_state_t, Free> state_;
};

// Builds a key table and the trailer that goes with it.
class KeyTableBuilder {
 public:
  // Adds the next record. It must fit: no segment has 2^32 records.
  void Add(const RecordHeader& header, std::string_view key);

  // The blocks completed since the last call, to be written at `records_end` or behind the last
  // piece. With it, the table of a large segment need not be held in memory.
  std::string TakePiece(uint64_t segment_seed);
  // Bytes of the part that TakePiece would return.
  uint64_t piece_bytes() const { return table_.size(); }

  // The rest of the table with padding, the filter with padding, and the trailer, to be written at
  // `records_end` or behind the last piece. The filter is FuseFilterBuilder's, or empty. Leaves the
  // builder empty.
  std::string Finish(uint64_t records_end, uint64_t segment_seed, std::string_view filter);

  const Trailer& trailer() const { return trailer_; }

 private:
  void EndBlock();

  // The block being filled.
  std::vector<RecordHeader> headers_;
  std::vector<uint32_t> key_sizes_;
  std::string keys_;

  std::string table_;
  uint64_t taken_bytes_ = 0;
  // Of the pieces taken so far; null if there are none.
  std::unique_ptr<TableHash> hash_;
  uint64_t previous_ = 0;
  Trailer trailer_;
};

// Walks a key table. The bytes may be hostile: nothing is used before it is checked, and every
// record that the reader reports lies between the segment's header and the table.
class KeyTableReader {
 public:
  // `table` must outlive the reader.
  KeyTableReader(std::string_view table, const Trailer& trailer)
      : KeyTableReader(table, trailer, nullptr) {}

  // The same with a table that is there piece by piece. `more` is given what is left of the bytes
  // so far, and replaces it by the same and some more; it returns false if there is no more. Of
  // what it gave before, nothing is used once it is called.
  using More = std::function<bool(std::string_view* rest)>;
  KeyTableReader(std::string_view table, const Trailer& trailer, More more)
      : rest_(table),
        more_(std::move(more)),
        records_end_(trailer.table_offset),
        records_left_(trailer.records),
        is_early_(trailer.is_early) {}

  // Advances. False at the end, or where the table is malformed or needs a newer version; ok() and
  // needs_newer() tell which of them. The numbers of records that have their own ascend.
  bool Next();
  // Whether everything so far was valid and, at the end, whether count and lengths are those of the
  // trailer.
  bool ok() const { return ok_; }
  // Why ok() is false: a record or a block is of a kind that this version does not know. The table
  // may be whole.
  bool needs_newer() const { return needs_newer_; }

  // Of the current entry. header().checksum is 0.
  const RecordHeader& header() const { return headers_[at_]; }
  uint64_t offset() const { return offset_; }
  // Valid until the call of Next that follows an entry which ends_block(). Not to be called if only
  // the table's form is to be checked, as unpacking keys is most of the work.
  std::string_view key();
  // Whether this is the last entry of its block.
  bool ends_block() const { return at_ + 1 == headers_.size(); }

 private:
  bool Fail() {
    ok_ = false;
    return false;
  }
  bool NextBlock();
  bool ReadBlock();
  bool ReadEarlyBlock();
  bool ReadNumber(bool is_own, RecordHeader* header);

  std::string_view rest_;
  const More more_;
  const uint64_t records_end_;
  uint64_t records_left_;
  const bool is_early_;
  uint64_t next_offset_ = kSegmentHeaderBytes;
  uint64_t previous_ = 0;
  bool ok_ = true;
  bool needs_newer_ = false;

  // The block that the current entry is in.
  std::vector<RecordHeader> headers_;
  std::vector<uint32_t> key_sizes_;
  PackedKeys packed_;
  std::vector<char> unpacked_;
  const char* keys_ = nullptr;  // of the whole block, once they are asked for
  size_t at_ = 0;
  size_t key_at_ = 0;  // of the entry's key in keys_
  uint64_t offset_ = 0;
};

}  // namespace rumcask

#endif  // RUMCASK_CORE_FORMAT_KEY_TABLE_H_
