// A value that is read in place. Public.

#ifndef RUMCASK_CORE_PINNED_VALUE_H_
#define RUMCASK_CORE_PINNED_VALUE_H_

#include "rumcask/require_cxx17.h"

#include <memory>
#include <string>
#include <string_view>
#include <utility>

namespace rumcask {

// The bytes of a value, either owned or kept in place by holding their segment. Valid until the
// object is destroyed, assigned or filled again, whatever happens to the key and the database.
// While it points into a segment, the disk space of that segment cannot be reclaimed, and the stats
// count a pin. Movable. Each object may be used by one thread at a time.
class PinnedValue {
 public:
  PinnedValue() = default;
  // These leave `other` empty.
  PinnedValue(PinnedValue&& other) noexcept { *this = std::move(other); }
  PinnedValue& operator=(PinnedValue&& other) noexcept {
    if (this == &other) return *this;
    pin_ = std::move(other.pin_);
    if (pin_ != nullptr) {
      bytes_ = other.bytes_;
    } else {
      // A short std::string keeps its bytes inside the object, so moving it moves them; the view
      // must be set again.
      owned_ = std::move(other.owned_);
      bytes_ = owned_;
    }
    version_ = other.version_;
    other.Clear();
    return *this;
  }

  // The bytes; empty if nothing was read.
  std::string_view value() const { return bytes_; }
  // The sequence number of the write that stored the value; 0 if nothing was read.
  uint64_t version() const { return version_; }
  // Whether the object holds a segment.
  bool pinned() const { return pin_ != nullptr; }
  // Lets go of the value and of the segment.
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
