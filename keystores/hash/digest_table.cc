#include "keystores/hash/digest_table.h"

#include <cstring>
#include <new>

namespace rumcask {

void DigestTable::Insert(const StoredDigest& digest, PackedLocation place, TableArena* arena) {
  if (size_ == limit_) Grow(arena);
  Put(digest, place);
  ++size_;
}

void DigestTable::Put(const StoredDigest& digest, PackedLocation place) {
  for (Bucket* bucket = Home(digest);; bucket = After(bucket)) {
    for (Entry& entry : bucket->entries) {
      if (!entry.place.is_empty()) continue;
      entry.low[0] = static_cast<uint32_t>(digest.low);
      entry.low[1] = static_cast<uint32_t>(digest.low >> 32);
      entry.high = digest.high;
      entry.place = place;
      return;
    }
    ++bucket->passed;
  }
}

void DigestTable::Erase(const StoredDigest& digest) {
  for (Bucket* bucket = Home(digest);; bucket = After(bucket)) {
    for (Entry& entry : bucket->entries) {
      if (!entry.Holds(digest) || entry.place.is_empty()) continue;
      entry.place = PackedLocation(Location());
      --size_;
      return;
    }
    --bucket->passed;
  }
}

void DigestTable::Grow(TableArena* arena) {
  const size_t old_bytes = memory_bytes();
  const size_t count = old_bytes == 0 ? 1 : 2 * (mask() + 1);
  Bucket* const old = MoveTo(arena->Allocate(count * sizeof(Bucket)), count);
  if (old != nullptr) arena->Free(old, old_bytes);
}

void DigestTable::Shrink(TableArena* arena) {
  const size_t old_bytes = memory_bytes();
  size_t count = mask() + 1;
  while (count > 1 && size_ <= count * kEntries / 4) count /= 2;
  const size_t bytes = count * sizeof(Bucket);
  Bucket* const old = MoveTo(arena->AllocateLow(bytes), count);
  arena->Free(old, old_bytes);
  arena->NoteShrunk(old_bytes - bytes);
}

DigestTable::Bucket* DigestTable::MoveTo(void* memory, size_t count) {
  Bucket* const old = buckets();
  const size_t old_count = old == nullptr ? 0 : mask() + 1;
  std::memset(memory, 0, count * sizeof(Bucket));
  buckets_.store(static_cast<Bucket*>(memory), std::memory_order_relaxed);
  mask_.store(count - 1, std::memory_order_relaxed);
  limit_ = count * kEntries * 9 / 10;
  for (size_t i = 0; i < old_count; ++i) {
    for (const Entry& entry : old[i].entries) {
      if (!entry.place.is_empty()) Put(entry.digest(), entry.place);
    }
  }
  return old;
}

}  // namespace rumcask
