#include "core/format/key_table.h"

#include <algorithm>
#include <utility>

#include "core/format/limits.h"
#include "core/format/varint.h"

namespace rumcask {

void KeyTableBuilder::Add(const RecordHeader& header, std::string_view key) {
  table_.push_back(static_cast<char>(static_cast<uint8_t>(header.kind) |
                                     (static_cast<uint8_t>(header.part) << 6)));
  AppendVarint(&table_, header.key_bytes);
  AppendVarint(&table_, header.value_bytes);
  AppendVarint(&table_, ZigZag(header.sequence - previous_));
  table_.append(key);

  ++trailer_.records;
  if (header.is_readable()) ++trailer_.puts;
  if (header.is_tombstone()) ++trailer_.deletes;
  trailer_.last_checksum = header.checksum;
  if (header.has_own_sequence()) {
    previous_ = header.sequence;
    trailer_.first_sequence = trailer_.first_sequence == 0
                                  ? header.sequence
                                  : std::min(trailer_.first_sequence, header.sequence);
    trailer_.last_sequence = std::max(trailer_.last_sequence, header.sequence);
  }
}

std::string KeyTableBuilder::TakePiece(uint64_t segment_seed) {
  if (hash_ == nullptr) {
    hash_.reset(XXH3_createState());
    XXH3_64bits_reset_withSeed(hash_.get(), segment_seed);
  }
  XXH3_64bits_update(hash_.get(), table_.data(), table_.size());
  taken_bytes_ += table_.size();
  return std::exchange(table_, std::string());
}

std::string KeyTableBuilder::Finish(uint64_t records_end, uint64_t segment_seed) {
  std::string footer = TakePiece(segment_seed);
  trailer_.table_offset = records_end;
  trailer_.table_bytes = taken_bytes_;
  // Hashing the pieces one by one gives what TableChecksum gives.
  trailer_.table_checksum = XXH3_64bits_digest(hash_.get());
  const uint64_t padding = (8 - taken_bytes_ % 8) % 8;
  footer.resize(footer.size() + padding + kTrailerBytes);
  EncodeTrailer(trailer_, segment_seed, footer.data() + footer.size() - kTrailerBytes);
  *this = KeyTableBuilder();
  return footer;
}

bool KeyTableReader::Next() {
  if (!ok_) return false;
  if (rest_.empty() || records_left_ == 0) {
    if (!rest_.empty() || records_left_ != 0 || next_offset_ != records_end_) return Fail();
    return false;
  }
  const uint8_t tag = static_cast<uint8_t>(rest_[0]);
  rest_.remove_prefix(1);
  uint64_t key_bytes, value_bytes, delta;
  if (!ReadVarint(&rest_, &key_bytes) || !ReadVarint(&rest_, &value_bytes) ||
      !ReadVarint(&rest_, &delta)) {
    return Fail();
  }
  if ((tag & 63) == 0 || key_bytes > kMaxKeyBytes || key_bytes > rest_.size() ||
      value_bytes > kMaxValueBytes + 64) {
    return Fail();
  }
  header_ = RecordHeader();
  header_.kind = static_cast<RecordKind>(tag & 63);
  header_.part = static_cast<BatchPart>(tag >> 6);
  header_.key_bytes = static_cast<uint16_t>(key_bytes);
  header_.value_bytes = static_cast<uint32_t>(value_bytes);
  header_.sequence = previous_ + UnZigZag(delta);
  if (header_.sequence >= kEndOfNumbers) return Fail();
  if (header_.has_own_sequence()) previous_ = header_.sequence;
  key_ = rest_.substr(0, key_bytes);
  rest_.remove_prefix(key_bytes);
  offset_ = next_offset_;
  if (header_.record_bytes() > records_end_ - offset_) return Fail();
  next_offset_ = offset_ + header_.record_bytes();
  --records_left_;
  return true;
}

}  // namespace rumcask
