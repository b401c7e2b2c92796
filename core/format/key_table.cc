#include "core/format/key_table.h"

#include <algorithm>
#include <utility>

#include "core/format/limits.h"
#include "core/format/varint.h"

namespace rumcask {
namespace {

constexpr size_t kMostRecords = 512;
// A block ends with the first key with which its keys reach this, so that it bounds the memory that
// a reader needs.
constexpr size_t kEnoughKeyBytes = size_t{64} << 10;
constexpr uint64_t kMostKeyBytes = kEnoughKeyBytes + kMaxKeyBytes;

// The bits of a block's shape.
constexpr uint8_t kOwnTags = 1;
constexpr uint8_t kOwnKeySizes = 2;
constexpr uint8_t kOwnValueSizes = 4;
constexpr uint8_t kOwnNumbers = 8;
constexpr uint8_t kKnownShapes = kOwnTags | kOwnKeySizes | kOwnValueSizes | kOwnNumbers;

constexpr uint8_t kKindBits = 6;

uint8_t Tag(const RecordHeader& header) {
  return static_cast<uint8_t>(static_cast<uint8_t>(header.kind) | static_cast<uint8_t>(header.part)
                                                                      << kKindBits);
}

void SetTag(uint8_t tag, RecordHeader* header) {
  header->kind = static_cast<RecordKind>(tag & ((1 << kKindBits) - 1));
  header->part = static_cast<BatchPart>(tag >> kKindBits);
}

bool ReadByte(std::string_view* from, uint8_t* byte) {
  if (from->empty()) return false;
  *byte = static_cast<uint8_t>((*from)[0]);
  from->remove_prefix(1);
  return true;
}

bool ReadSizes(std::string_view* from, RecordHeader* header, bool key, bool value) {
  uint64_t bytes;
  if (key) {
    if (!ReadVarint(from, &bytes) || bytes > kMaxKeyBytes) return false;
    header->key_bytes = static_cast<uint16_t>(bytes);
  }
  if (value) {
    if (!ReadVarint(from, &bytes) || bytes > UINT32_MAX) return false;
    header->value_bytes = static_cast<uint32_t>(bytes);
  }
  return true;
}

}  // namespace

// ---- building ----

void KeyTableBuilder::Add(const RecordHeader& header, std::string_view key) {
  headers_.push_back(header);
  key_sizes_.push_back(header.key_bytes);
  keys_.append(key);
  ++trailer_.records;
  if (header.is_readable()) ++trailer_.puts;
  if (header.is_tombstone()) {
    ++trailer_.deletes;
    trailer_.delete_bytes += header.record_bytes();
  }
  trailer_.last_checksum = header.checksum;
  if (header.has_own_sequence()) {
    trailer_.first_sequence = trailer_.first_sequence == 0
                                  ? header.sequence
                                  : std::min(trailer_.first_sequence, header.sequence);
    trailer_.last_sequence = std::max(trailer_.last_sequence, header.sequence);
  }
  if (headers_.size() == kMostRecords || keys_.size() >= kEnoughKeyBytes) EndBlock();
}

void KeyTableBuilder::EndBlock() {
  if (headers_.empty()) return;
  uint8_t shape = 0;
  const RecordHeader& first = headers_.front();
  if (!first.has_own_sequence()) shape |= kOwnNumbers;
  for (size_t i = 1; i < headers_.size(); ++i) {
    const RecordHeader& header = headers_[i];
    if (Tag(header) != Tag(first)) shape |= kOwnTags;
    if (header.key_bytes != first.key_bytes) shape |= kOwnKeySizes;
    if (header.value_bytes != first.value_bytes) shape |= kOwnValueSizes;
    if (!header.has_own_sequence() || header.sequence != headers_[i - 1].sequence + 1) {
      shape |= kOwnNumbers;
    }
  }
  const auto column = [this, shape](uint8_t bit, auto&& append) {
    for (const RecordHeader& header : headers_) {
      append(header);
      if ((shape & bit) == 0) break;
    }
  };
  AppendVarint(&table_, headers_.size());
  table_.push_back(static_cast<char>(shape));
  column(kOwnTags, [this](const RecordHeader& h) { table_.push_back(static_cast<char>(Tag(h))); });
  column(kOwnKeySizes, [this](const RecordHeader& h) { AppendVarint(&table_, h.key_bytes); });
  column(kOwnValueSizes, [this](const RecordHeader& h) { AppendVarint(&table_, h.value_bytes); });
  column(kOwnNumbers, [this](const RecordHeader& h) {
    const uint64_t difference = h.sequence - previous_;
    AppendVarint(&table_, h.has_own_sequence() ? difference : ZigZag(difference));
    if (h.has_own_sequence()) previous_ = h.sequence;
  });
  if ((shape & kOwnNumbers) == 0) previous_ = headers_.back().sequence;
  PackKeys(keys_, key_sizes_, &table_);
  headers_.clear();
  key_sizes_.clear();
  keys_.clear();
}

std::string KeyTableBuilder::TakePiece(uint64_t segment_seed) {
  if (hash_ == nullptr) hash_ = std::make_unique<TableHash>(segment_seed);
  hash_->Add(table_);
  taken_bytes_ += table_.size();
  return std::exchange(table_, std::string());
}

std::string KeyTableBuilder::Finish(uint64_t records_end, uint64_t segment_seed,
                                    std::string_view filter) {
  EndBlock();
  std::string footer = TakePiece(segment_seed);
  trailer_.table_offset = records_end;
  trailer_.table_bytes = taken_bytes_;
  trailer_.table_checksum = hash_->Get();
  footer.resize(footer.size() + PaddedTo8(taken_bytes_) - taken_bytes_);
  trailer_.filter_kind = filter.empty() ? FilterKind::kNone : FilterKind::kFuse16;
  trailer_.filter_bytes = static_cast<uint32_t>(filter.size());
  trailer_.filter_checksum = filter.empty() ? 0 : TableChecksum(filter, segment_seed);
  footer.append(filter);
  footer.resize(footer.size() + PaddedTo8(filter.size()) - filter.size() + kTrailerBytes);
  EncodeTrailer(trailer_, segment_seed, footer.data() + footer.size() - kTrailerBytes);
  *this = KeyTableBuilder();
  return footer;
}

// ---- reading ----

bool KeyTableReader::ReadNumber(bool is_own, RecordHeader* header) {
  uint64_t difference;
  if (!ReadVarint(&rest_, &difference)) return false;
  if (!is_own) difference = UnZigZag(difference);
  header->sequence = previous_ + difference;
  if (header->sequence >= kEndOfNumbers) return false;
  if (!is_own) return true;
  return header->sequence > std::exchange(previous_, header->sequence);
}

bool KeyTableReader::ReadBlock() {
  uint64_t count;
  uint8_t shape, tag;
  if (!ReadVarint(&rest_, &count) || count == 0 || count > kMostRecords || count > records_left_ ||
      !ReadByte(&rest_, &shape)) {
    return false;
  }
  if ((shape & ~kKnownShapes) != 0) {
    needs_newer_ = true;
    return false;
  }
  headers_.assign(count, RecordHeader());
  // Each column is read for the first record, and for the others if they have their own.
  for (size_t i = 0; i < count; ++i) {
    if (i == 0 || (shape & kOwnTags) != 0) {
      if (!ReadByte(&rest_, &tag)) return false;
    }
    SetTag(tag, &headers_[i]);
    if (static_cast<uint8_t>(headers_[i].kind) == 0) return false;
    // What follows may have further columns for such records.
    if (!IsKnownKind(headers_[i].kind) && !IsSkippableKind(headers_[i].kind)) needs_newer_ = true;
  }
  if (needs_newer_) return false;
  for (size_t i = 0; i < count; ++i) {
    const bool own = i == 0 || (shape & kOwnKeySizes) != 0;
    headers_[i].key_bytes = headers_[0].key_bytes;
    if (own && !ReadSizes(&rest_, &headers_[i], /*key=*/true, /*value=*/false)) return false;
  }
  for (size_t i = 0; i < count; ++i) {
    const bool own = i == 0 || (shape & kOwnValueSizes) != 0;
    headers_[i].value_bytes = headers_[0].value_bytes;
    if (own && !ReadSizes(&rest_, &headers_[i], /*key=*/false, /*value=*/true)) return false;
  }
  uint64_t key_bytes = 0;
  key_sizes_.resize(count);
  for (size_t i = 0; i < count; ++i) {
    RecordHeader& header = headers_[i];
    if (i == 0 || (shape & kOwnNumbers) != 0) {
      if (!ReadNumber(header.has_own_sequence(), &header)) return false;
    } else {
      if (!header.has_own_sequence() || previous_ + 1 >= kEndOfNumbers) return false;
      header.sequence = ++previous_;
    }
    key_sizes_[i] = header.key_bytes;
    key_bytes += header.key_bytes;
  }
  return key_bytes <= kMostKeyBytes && packed_.Parse(&rest_, key_sizes_, key_bytes);
}

bool KeyTableReader::ReadEarlyBlock() {
  headers_.assign(1, RecordHeader());
  RecordHeader& header = headers_[0];
  uint8_t tag;
  uint64_t difference;
  if (!ReadByte(&rest_, &tag)) return false;
  SetTag(tag, &header);
  if (!ReadSizes(&rest_, &header, /*key=*/true, /*value=*/true) ||
      !ReadVarint(&rest_, &difference) || header.key_bytes > rest_.size() ||
      static_cast<uint8_t>(header.kind) == 0) {
    return false;
  }
  if (!IsKnownKind(header.kind) && !IsSkippableKind(header.kind)) {
    needs_newer_ = true;
    return false;
  }
  header.sequence = previous_ + UnZigZag(difference);
  if (header.sequence >= kEndOfNumbers) return false;
  if (header.has_own_sequence()) previous_ = header.sequence;
  key_sizes_.assign(1, header.key_bytes);
  keys_ = rest_.data();
  rest_.remove_prefix(header.key_bytes);
  return true;
}

bool KeyTableReader::NextBlock() {
  if (rest_.empty() && more_ != nullptr && records_left_ != 0) (void)more_(&rest_);
  if (rest_.empty() || records_left_ == 0) {
    if (!rest_.empty() || records_left_ != 0 || next_offset_ != records_end_) return Fail();
    return false;
  }
  keys_ = nullptr;
  // A block that is not all there yet is begun again when it is.
  const uint64_t previous = previous_;
  std::string_view from = rest_;
  while (!(is_early_ ? ReadEarlyBlock() : ReadBlock())) {
    if (needs_newer_ || more_ == nullptr || !more_(&from)) return Fail();
    rest_ = from;
    previous_ = previous;
  }
  records_left_ -= headers_.size();
  at_ = 0;
  key_at_ = 0;
  return true;
}

bool KeyTableReader::Next() {
  if (!ok_) return false;
  if (at_ + 1 < headers_.size()) {
    key_at_ += key_sizes_[at_];
    ++at_;
  } else if (!NextBlock()) {
    return false;
  }
  offset_ = next_offset_;
  const uint64_t bytes = headers_[at_].record_bytes();
  if (bytes > records_end_ - offset_) return Fail();
  next_offset_ = offset_ + bytes;
  return true;
}

std::string_view KeyTableReader::key() {
  if (keys_ == nullptr) keys_ = packed_.Unpack(key_sizes_, &unpacked_);
  return {keys_ + key_at_, key_sizes_[at_]};
}

}  // namespace rumcask
