// The key table of a sealed segment: one entry for each of its records, in the order of the log.
//
// It is Bitcask's hint file, but inside the file that it describes and therefore never stale.
// Opening and compaction read key tables instead of values. An entry takes about the key and six
// bytes:
//
//   tag      1 byte: kind in the low 6 bits, batch part in the high 2
//   key len  varint
//   val len  varint
//   number   zigzag varint: minus the number of the entry before; of the first, minus 0
//   key      key len bytes
//
// The number of a sync mark is the one that it vouches for, and the next entry's number is not
// counted from it. The offset of a record is the offset of the record before plus that one's size;
// the first record is at kSegmentHeaderBytes. An entry of kind kPutExpiring is followed by its 8
// bytes of seconds.

#ifndef RUMCASK_CORE_FORMAT_KEY_TABLE_H_
#define RUMCASK_CORE_FORMAT_KEY_TABLE_H_

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "core/format/format.h"

namespace rumcask {

// Builds a key table and the trailer that goes with it.
class KeyTableBuilder {
 public:
  // Adds an entry for the next record.
  void Add(const RecordHeader& header, std::string_view key);

  // The part of the table built since the last call, to be written at `records_end` or behind the
  // last piece. With it, the table of a large segment need not be held in memory.
  std::string TakePiece(uint64_t segment_seed);
  // Bytes of the part that TakePiece would return.
  uint64_t piece_bytes() const { return table_.size(); }

  // The rest of the table with padding and trailer, to be written at `records_end` or behind the
  // last piece. Leaves the builder empty.
  std::string Finish(uint64_t records_end, uint64_t segment_seed);

  const Trailer& trailer() const { return trailer_; }
  uint64_t table_bytes() const { return taken_bytes_ + table_.size(); }

 private:
  struct FreeHash {
    void operator()(XXH3_state_t* hash) const { XXH3_freeState(hash); }
  };

  std::string table_;
  uint64_t taken_bytes_ = 0;
  // The hash of the pieces taken so far; null if there are none.
  std::unique_ptr<XXH3_state_t, FreeHash> hash_;
  uint64_t previous_ = 0;
  Trailer trailer_;
};

// Walks a key table. The bytes may be hostile: nothing is used before it is checked, and every
// record that the reader reports lies between the segment's header and the table.
class KeyTableReader {
 public:
  // `table` must outlive the reader.
  KeyTableReader(std::string_view table, const Trailer& trailer)
      : rest_(table), records_end_(trailer.table_offset), records_left_(trailer.records) {}

  // Advances. False at the end or at an invalid entry; ok() tells which of the two.
  bool Next();
  // Whether everything so far was valid and, at the end, whether count and lengths are those of the
  // trailer.
  bool ok() const { return ok_; }

  // Of the current entry. header().checksum is 0.
  const RecordHeader& header() const { return header_; }
  std::string_view key() const { return key_; }
  uint64_t offset() const { return offset_; }

 private:
  bool Fail() {
    ok_ = false;
    return false;
  }

  std::string_view rest_;
  const uint64_t records_end_;
  uint64_t records_left_;
  uint64_t next_offset_ = kSegmentHeaderBytes;
  uint64_t previous_ = 0;
  bool ok_ = true;
  RecordHeader header_;
  std::string_view key_;
  uint64_t offset_ = 0;
};

}  // namespace rumcask

#endif  // RUMCASK_CORE_FORMAT_KEY_TABLE_H_
