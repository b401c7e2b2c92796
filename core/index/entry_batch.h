// Records on their way from the log into a keystore.

#ifndef RUMCASK_CORE_INDEX_ENTRY_BATCH_H_
#define RUMCASK_CORE_INDEX_ENTRY_BATCH_H_

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"

#include "core/format/format.h"
#include "core/log/segment.h"
#include "core/log/space.h"
#include "core/plugin/keystore.h"
#include "core/plugin/location.h"
#include "core/system/mutex.h"

namespace rumcask {

// Withholds keys that are too long from the keystore, and remembers which of them have values.
class KeyLimit {
 public:
  explicit KeyLimit(size_t max_key_bytes) : max_key_bytes_(max_key_bytes) {}

  // Returns whether the key is short enough.
  bool Takes(const RecordHeader& header, std::string_view key) {
    if (key.size() <= max_key_bytes_) return true;
    MutexLock lock(mutex_);
    auto& [sequence, is_delete] = too_long_[std::string(key)];
    if (header.sequence > sequence) {
      sequence = header.sequence;
      is_delete = header.is_tombstone();
    }
    return false;
  }

  absl::Status Check() {
    MutexLock lock(mutex_);
    size_t count = 0;
    const std::string* example = nullptr;
    for (const auto& [key, newest] : too_long_) {
      if (newest.second) continue;
      ++count;
      example = &key;
    }
    if (count == 0) return absl::OkStatus();
    return absl::InvalidArgumentError(
        absl::StrCat(count, count == 1 ? " key is" : " keys are", " longer than the ",
                     max_key_bytes_, " bytes that the keystore takes; one of ", example->size(),
                     " bytes begins with ", absl::BytesToHexString(example->substr(0, 32))));
  }

 private:
  const size_t max_key_bytes_;
  Mutex mutex_;
  absl::flat_hash_map<std::string, std::pair<uint64_t, bool>> too_long_ ABSL_GUARDED_BY(mutex_);
};

// Collects entries and gives them to the keystore many at a time.
class EntryBatch {
 public:
  EntryBatch(Keystore* keystore, LoadContext* context, uint64_t above, KeyLimit* limit)
      : keystore_(keystore), context_(context), above_(above), limit_(limit) {
    entries_.reserve(kMost);
  }

  // `key` must stay valid until the next Flush.
  void Add(Segment* segment, const RecordHeader& header, std::string_view key, uint64_t offset) {
    if (!header.is_data() || header.sequence <= above_ || !limit_->Takes(header, key)) return;
    if (segment != segment_) Credit(segment);
    const uint64_t bytes = header.record_bytes();
    const bool is_delete = header.is_tombstone();
    entries_.push_back(
        {key, Location::Make(segment_->slot(), offset, bytes), header.sequence, is_delete});
    if (!is_delete) live_ += bytes;
    if (entries_.size() == kMost) Flush();
  }

  // The same for a key that does not stay valid.
  void AddCopy(Segment* segment, const RecordHeader& header, std::string_view key,
               uint64_t offset) {
    if (keys_.size() + key.size() > keys_.capacity()) {
      Flush();
      keys_.reserve(std::max(kCopiedBytes, key.size()));
    }
    const size_t begin = keys_.size();
    keys_.append(key);
    Add(segment, header, std::string_view(keys_).substr(begin), offset);
  }

  void Flush() {
    if (keystore_ == nullptr) {
      entries_.clear();
      keys_.clear();
      return;
    }
    // Before the keystore can call any of them superseded.
    Credit(segment_);
    keystore_->Load(entries_, context_);
    entries_.clear();
    keys_.clear();
  }

 private:
  static constexpr size_t kMost = 1024;
  static constexpr size_t kCopiedBytes = size_t{64} << 10;

  // Credits what was collected of one segment, and goes on with another.
  void Credit(Segment* next) {
    if (segment_ != nullptr && keystore_ != nullptr) Space::CreditFound(segment_, live_);
    live_ = 0;
    segment_ = next;
  }

  Keystore* const keystore_;
  LoadContext* const context_;
  const uint64_t above_;
  KeyLimit* const limit_;
  std::vector<LoadEntry> entries_;
  std::string keys_;  // not reallocated while entries_ refer to it
  // The segment of the last entries, and how many bytes of its records are collected.
  Segment* segment_ = nullptr;
  uint64_t live_ = 0;
};

}  // namespace rumcask

#endif  // RUMCASK_CORE_INDEX_ENTRY_BATCH_H_
