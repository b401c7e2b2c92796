// The bytes of a shard's keys.

#ifndef RUMCASK_KEYSTORES_FLAT_KEY_ARENA_H_
#define RUMCASK_KEYSTORES_FLAT_KEY_ARENA_H_

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <new>
#include <string_view>
#include <utility>

namespace rumcask {

// Keys one after the other, each behind its length: one byte for keys shorter than 255 bytes, three
// for others. A key is named by its offset. It grows by an eighth, so that little memory waits for
// keys to come; a shard is small enough for that to be cheap. Not thread-safe.
class KeyArena {
 public:
  // An offset has 31 bits. A shard would have to take four thousand times this of memory, as keys
  // are spread evenly, before one is used up; the process ends then.
  static constexpr uint64_t kMostBytes = uint64_t{1} << 31;

  KeyArena() = default;
  ~KeyArena() { std::free(bytes_); }
  KeyArena(KeyArena&& other) noexcept
      : bytes_(std::exchange(other.bytes_, nullptr)),
        size_(std::exchange(other.size_, 0)),
        capacity_(std::exchange(other.capacity_, 0)),
        dead_(std::exchange(other.dead_, 0)) {}
  KeyArena& operator=(KeyArena&& other) noexcept {
    std::swap(bytes_, other.bytes_);
    std::swap(size_, other.size_);
    std::swap(capacity_, other.capacity_);
    std::swap(dead_, other.dead_);
    return *this;
  }

  // Makes room for as many bytes in all.
  void Reserve(uint64_t bytes) {
    if (bytes <= capacity_) return;
    if (bytes > kMostBytes) std::abort();
    char* const grown = static_cast<char*>(std::realloc(bytes_, bytes));
    if (grown == nullptr) throw std::bad_alloc();
    bytes_ = grown;
    capacity_ = bytes;
  }

  // Copies the key. Returns its offset.
  uint32_t Add(std::string_view key) {
    const uint64_t needed = size_ + Bytes(key.size());
    if (needed > capacity_) Reserve(std::max(needed, needed + needed / 8));
    const auto at = static_cast<uint32_t>(size_);
    char* to = bytes_ + size_;
    if (key.size() < kLong) {
      *to++ = static_cast<char>(key.size());
    } else {
      *to++ = static_cast<char>(kLong);
      const auto length = static_cast<uint16_t>(key.size());
      std::memcpy(to, &length, sizeof(length));
      to += sizeof(length);
    }
    std::memcpy(to, key.data(), key.size());
    size_ = needed;
    return at;
  }

  // Valid until a key is added.
  std::string_view Get(uint32_t at) const {
    const char* from = bytes_ + at;
    size_t length = static_cast<uint8_t>(*from++);
    if (length == kLong) {
      uint16_t stored;
      std::memcpy(&stored, from, sizeof(stored));
      from += sizeof(stored);
      length = stored;
    }
    return {from, length};
  }

  // The key at this offset is not needed any more. Its bytes stay until all that are needed are
  // copied to another arena.
  void Drop(uint32_t at) { dead_ += Bytes(Get(at).size()); }

  uint64_t live_bytes() const { return size_ - dead_; }
  // Whether half of it is dead.
  bool is_sparse() const { return dead_ > size_ / 2; }
  uint64_t memory_bytes() const { return capacity_; }

 private:
  static constexpr size_t kLong = 255;

  static uint64_t Bytes(size_t key_bytes) { return key_bytes + (key_bytes < kLong ? 1 : 3); }

  char* bytes_ = nullptr;
  uint64_t size_ = 0;
  uint64_t capacity_ = 0;
  uint64_t dead_ = 0;
};

}  // namespace rumcask

#endif  // RUMCASK_KEYSTORES_FLAT_KEY_ARENA_H_
