// A value that is read where it lies. Public.

#ifndef RUMCASK_CORE_PINNED_VALUE_H_
#define RUMCASK_CORE_PINNED_VALUE_H_

#include "rumcask/require_cxx17.h"

#include <memory>
#include <string>
#include <string_view>
#include <utility>

namespace rumcask {

// Bytes of a value, either owned or kept in place by holding on to their segment. Valid until
// destroyed, assigned or filled again, whatever happens to key and database. While it points into a
// segment, that segment's disk space cannot be reclaimed, and the stats show a pin. Movable; each
// object belongs to one thread at a time.
class PinnedValue {
 public:
  PinnedValue() = default;
  PinnedValue(PinnedValue&& other) noexcept { *this = std::move(other); }
  PinnedValue& operator=(PinnedValue&& other) noexcept {
    if (this == &other) return *this;
    pin_ = std::move(other.pin_);
    if (pin_ != nullptr) {
      bytes_ = other.bytes_;
    } else {
      // A short std::string moves its bytes with it: the view must follow.
      owned_ = std::move(other.owned_);
      bytes_ = owned_;
    }
    version_ = other.version_;
    other.Clear();
    return *this;
  }

  std::string_view value() const { return bytes_; }
  // The sequence number of the write that stored it; 0 if nothing was read.
  uint64_t version() const { return version_; }
  // Whether it holds on to a segment.
  bool pinned() const { return pin_ != nullptr; }
  void Clear() {
    pin_.reset();
    owned_.clear();
    bytes_ = {};
    version_ = 0;
  }

 private:
  friend class DB;

  std::shared_ptr<const void> pin_;
  std::string owned_;
  std::string_view bytes_;
  uint64_t version_ = 0;
};

}  // namespace rumcask

#endif  // RUMCASK_CORE_PINNED_VALUE_H_
