// The record that an iterator stands on.

#ifndef RUMCASK_CORE_HELD_RECORD_H_
#define RUMCASK_CORE_HELD_RECORD_H_

#include <cstdint>
#include <cstring>
#include <memory>
#include <string_view>

#include "core/log/log.h"
#include "core/log/segment.h"

namespace rumcask {

// It stays readable while its segment is compacted: a short record is copied, and a long one, where
// a copy would take longer than two atomic counters, keeps its segment.
class HeldRecord {
 public:
  std::string_view key() const { return view_.key(); }
  std::string_view value() const { return view_.value(); }
  uint64_t version() const { return view_.header.sequence; }

  // What a record is to be read into, before Keep.
  RecordBuffer* buffer() { return &buffer_; }
  RecordView* view() { return &view_; }
  // To be called in the ReaderScope in which the record was read. Of its `bytes`, the first ones
  // will be looked at.
  void Keep(const SegmentPin& segment, uint64_t bytes) {
    pin_.reset();
    if (view_.bytes == buffer_.data()) return;
    if (bytes > kCopiedBytes) {
      pin_ = segment.Keep(view_.bytes);
      return;
    }
    if (buffer_.size() < bytes) buffer_.resize(bytes);
    std::memcpy(buffer_.data(), view_.bytes, bytes);
    view_.bytes = buffer_.data();
  }

 private:
  static constexpr uint64_t kCopiedBytes = 4096;

  RecordBuffer buffer_;
  RecordView view_;
  std::shared_ptr<const void> pin_;
};

}  // namespace rumcask

#endif  // RUMCASK_CORE_HELD_RECORD_H_
