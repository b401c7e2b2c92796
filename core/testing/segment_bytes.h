// Builds the bytes of a segment file record by record. For tests.

#ifndef RUMCASK_CORE_TESTING_SEGMENT_BYTES_H_
#define RUMCASK_CORE_TESTING_SEGMENT_BYTES_H_

#include <algorithm>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "core/format/format.h"
#include "core/format/fuse_filter.h"
#include "core/format/key_table.h"

namespace rumcask {

class SegmentBytes {
 public:
  SegmentBytes(const Uuid& uuid, uint64_t id) : seed_(SegmentSeed(uuid, id)) {
    header_.uuid = uuid;
    header_.id = id;
    header_.base_sequence = 1;
    bytes_.resize(kSegmentHeaderBytes);
    EncodeSegmentHeader(header_, bytes_.data());
  }
  // A segment whose predecessor is `predecessor` in its current state.
  SegmentBytes(const SegmentBytes& predecessor, uint64_t id, uint64_t durable_sequence = 0)
      : SegmentBytes(predecessor.header_.uuid, id) {
    header_.predecessor_id = predecessor.header_.id;
    header_.predecessor_end = predecessor.records_end_;
    header_.predecessor_checksum = predecessor.last_checksum_;
    header_.base_sequence = predecessor.last_sequence_ + 1;
    header_.durable_sequence = durable_sequence;
    EncodeSegmentHeader(header_, bytes_.data());
  }

  // Turns it into a survivor, before any record is added.
  SegmentBytes& AsSurvivor(uint64_t durable_sequence) {
    header_.stream = Stream::kSurvivor;
    header_.durable_sequence = durable_sequence;
    EncodeSegmentHeader(header_, bytes_.data());
    return *this;
  }

  SegmentBytes& Add(RecordKind kind, uint64_t sequence, const std::string& key,
                    const std::string& value, BatchPart part = BatchPart::kNone) {
    RecordHeader header;
    header.kind = kind;
    header.part = part;
    header.sequence = sequence;
    header.key_bytes = static_cast<uint16_t>(key.size());
    header.value_bytes = static_cast<uint32_t>(value.size());
    const uint64_t offset = bytes_.size();
    std::string record(header.record_bytes(), '\0');
    EncodeRecordHeader(record.data(), header, seed_ + offset, InnerChecksum(key, value));
    std::copy(key.begin(), key.end(), record.begin() + kRecordHeaderBytes);
    std::copy(value.begin(), value.end(),
              record.begin() + static_cast<ptrdiff_t>(kRecordHeaderBytes + key.size()));
    header.checksum = LoadU64(record.data());
    entries_.emplace_back(header, key);
    offsets_.push_back(offset);
    bytes_ += record;
    records_end_ = bytes_.size();
    last_checksum_ = header.checksum;
    if (header.has_own_sequence()) last_sequence_ = sequence;
    return *this;
  }
  SegmentBytes& AddPut(uint64_t sequence, const std::string& key, const std::string& value) {
    return Add(RecordKind::kPut, sequence, key, value);
  }
  SegmentBytes& AddMark(uint64_t durable) { return Add(RecordKind::kSyncMark, durable, "", ""); }
  SegmentBytes& Seal() {
    KeyTableBuilder table;
    FuseFilterBuilder filter;
    for (const auto& [header, key] : entries_) {
      table.Add(header, key);
      if (header.holds_key()) filter.Add(key);
    }
    bytes_ += table.Finish(bytes_.size(), seed_, filter.Finish());
    return *this;
  }

  const std::string& bytes() const { return bytes_; }
  // For tests that damage the bytes.
  std::string& bytes() { return bytes_; }
  // The offset of the i-th record.
  uint64_t offset(size_t i) const { return offsets_[i]; }
  uint64_t records_end() const { return records_end_; }

 private:
  const uint64_t seed_;
  SegmentHeader header_;
  std::string bytes_;
  std::vector<std::pair<RecordHeader, std::string>> entries_;
  std::vector<uint64_t> offsets_;
  uint64_t records_end_ = kSegmentHeaderBytes;
  uint64_t last_checksum_ = 0;
  uint64_t last_sequence_ = 0;
};

}  // namespace rumcask

#endif  // RUMCASK_CORE_TESTING_SEGMENT_BYTES_H_
