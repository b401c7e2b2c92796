// The key table of a sealed segment: one entry for each of its records, in the order of the log.
//
// It is Bitcask's hint file, inside the file it describes and therefore never stale. Opening and
// compaction read key tables instead of values. An entry takes about the key and six bytes:
//
//   tag      1 byte: kind in the low 6 bits, batch part in the high 2
//   key len  varint
//   val len  varint
//   number   zigzag varint: minus the number of the entry before; of the first, minus 0
//   key      key len bytes
//
// A sync mark's number is the one it vouches for and does not count as "the entry before". The
// offset of a record is the offset of the one before plus that one's size; the first is at
// kSegmentHeaderBytes. An entry of kind kPutExpiring is followed by its 8 bytes of seconds.

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
  // `header` and `key` of the next record.
  void Add(const RecordHeader& header, std::string_view key);

  // What was built since the last call, to be written at `records_end` or behind the last piece: so
  // that the table of a large segment need not be held in memory.
  std::string TakePiece(uint64_t segment_seed);
  // Bytes that wait to be taken.
  uint64_t piece_bytes() const { return table_.size(); }

  // What is left of the table, padding and trailer, ready to be written at `records_end` or behind
  // the last piece. Leaves the builder empty.
  std::string Finish(uint64_t records_end, uint64_t segment_seed);

  const Trailer& trailer() const { return trailer_; }
  uint64_t table_bytes() const { return taken_bytes_ + table_.size(); }

 private:
  struct FreeHash {
    void operator()(XXH3_state_t* hash) const { XXH3_freeState(hash); }
  };

  std::string table_;
  uint64_t taken_bytes_ = 0;
  // Of what was taken; null if nothing was.
  std::unique_ptr<XXH3_state_t, FreeHash> hash_;
  uint64_t previous_ = 0;
  Trailer trailer_;
};

// Walks a key table. The bytes may be hostile: nothing is believed before it is checked, and every
// record it tells of lies between the segment's header and the table.
class KeyTableReader {
 public:
  // `table` must outlive the reader.
  KeyTableReader(std::string_view table, const Trailer& trailer)
      : rest_(table), records_end_(trailer.table_offset), records_left_(trailer.records) {}

  // Advances; false at the end or at an entry that can't be. ok() tells which.
  bool Next();
  // Whether everything so far, and at the end also count and lengths, was as the trailer says.
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
