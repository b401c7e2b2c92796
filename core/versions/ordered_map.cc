#include "core/versions/ordered_map.h"

#include <algorithm>
#include <iterator>
#include <utility>
#include <vector>

#include "core/plugin/keystore.h"

namespace rumcask {
namespace {

// Heap bytes of a string; 0 if it is stored within the string object.
uint64_t HeapBytes(std::string_view key) {
  return key.size() < sizeof(std::string) / 2 ? 0 : key.size() + 1;
}

void Increase(std::atomic<uint64_t>* figure, uint64_t by) {
  figure->store(figure->load(std::memory_order_relaxed) + by, std::memory_order_relaxed);
}

// A part with more keys is split in half. The size is small enough for a split to take some ten
// microseconds, and for a reader seldom to meet the writer in the same part.
constexpr size_t kPartKeys = 512;
// A scan holds the lock of a part for no more entries than this.
constexpr size_t kCopiedAtOnce = 64;

// Copies at most kCopiedAtOnce entries. Returns whether it reached the end.
template <typename Iterator>
bool Copy(Iterator it, Iterator end, size_t limit, KeyBlock* block) {
  const size_t most = std::min(limit, block->size() + kCopiedAtOnce);
  for (; it != end && block->size() < most; ++it) {
    block->Add(it->first, it->second.location, it->second.sequence);
  }
  return it == end;
}

}  // namespace

OrderedMap::OrderedMap(Deletes deletes, PastVersions* past, EmptyRanges* empty)
    : deletes_(deletes), past_(past), empty_(empty) {
  parts_.emplace(std::string(), std::make_unique<Part>());
}

OrderedMap::Parts::iterator OrderedMap::PartOf(std::string_view key) {
  return std::prev(parts_.upper_bound(key));
}

OrderedMap::Parts::const_iterator OrderedMap::PartOf(std::string_view key) const {
  return std::prev(parts_.upper_bound(key));
}

bool OrderedMap::Get(std::string_view key, KeyVersion* version) const {
  SharedLock parts_lock(parts_mutex_);
  const Part& part = *PartOf(key)->second;
  SharedLock lock(part.mutex);
  const auto it = part.tree.find(key);
  if (it == part.tree.end()) return false;
  *version = it->second;
  return true;
}

// ---- changing ----

void OrderedMap::Add(Part* part, Tree::iterator hint, std::string_view key,
                     const KeyVersion& version) {
  part->tree.emplace_hint(hint, std::string(key), version);
  Increase(&size_, 1);
  Increase(&key_bytes_, HeapBytes(key));
}

OrderedMap::Tree::iterator OrderedMap::Erase(Part* part, Tree::iterator it) {
  Increase(&size_, uint64_t{0} - 1);
  Increase(&key_bytes_, uint64_t{0} - HeapBytes(it->first));
  return part->tree.erase(it);
}

Location OrderedMap::Set(std::string_view key, Location location, uint64_t sequence) {
  Location before;
  const bool wanted = past_->wanted();
  size_t left = 1;
  empty_->Changing(sequence);
  {
    SharedLock parts_lock(parts_mutex_);
    Part* const part = PartOf(key)->second.get();
    Tree& tree = ABSL_TS_UNCHECKED_READ(part->tree);  // only this thread changes it
    const auto it = tree.lower_bound(key);
    const bool exists = it != tree.end() && it->first == key;
    const bool forgets = !location.exists() && deletes_ == Deletes::kForget;
    if (exists) {
      before = it->second.location;
      if (wanted) past_->Keep(key, it->second, sequence);
    }
    if (exists || !forgets) {
      ExclusiveLock lock(part->mutex);
      if (!exists) {
        Add(part, it, key, {sequence, location});
      } else if (forgets) {
        Erase(part, it);
      } else {
        it->second = {sequence, location};
      }
      left = tree.size();
    }
  }
  if (location.exists()) empty_->HasPut(key);
  if (left > kPartKeys) Split(key);
  if (left == 0) Remove(key);
  if (wanted) past_->KeepUp();
  return before;
}

void OrderedMap::Split(std::string_view key) {
  Part* part;
  auto upper = std::make_unique<Part>();
  std::string first;
  {
    SharedLock parts_lock(parts_mutex_);
    part = PartOf(key)->second.get();
    ExclusiveLock lock(upper->mutex);
    const Tree& tree = ABSL_TS_UNCHECKED_READ(part->tree);  // only this thread changes it
    auto it = tree.begin();
    std::advance(it, tree.size() / 2);
    first = it->first;
    for (; it != tree.end(); ++it) upper->tree.emplace_hint(upper->tree.end(), *it);
  }
  {
    ExclusiveLock parts_lock(parts_mutex_);
    parts_.emplace(first, std::move(upper));
  }
  Increase(&part_count_, 1);
  SharedLock parts_lock(parts_mutex_);
  ExclusiveLock lock(part->mutex);
  part->tree.erase(part->tree.lower_bound(first), part->tree.end());
}

void OrderedMap::Remove(std::string_view key) {
  std::unique_ptr<Part> removed;
  ExclusiveLock parts_lock(parts_mutex_);
  if (parts_.size() == 1) return;
  const auto it = PartOf(key);
  removed = std::move(it->second);
  const auto next = parts_.erase(it);
  Increase(&part_count_, uint64_t{0} - 1);
  if (!parts_.begin()->first.empty()) {
    // The first part was removed. The next one becomes the first and takes over its range.
    std::unique_ptr<Part> now_first = std::move(next->second);
    parts_.erase(next);
    parts_.emplace(std::string(), std::move(now_first));
  }
}

bool OrderedMap::Relocate(std::string_view key, Location from, Location to) {
  SharedLock parts_lock(parts_mutex_);
  Part* const part = PartOf(key)->second.get();
  ExclusiveLock lock(part->mutex);
  const auto it = part->tree.find(key);
  if (it == part->tree.end() || it->second.location != from) return false;
  it->second.location = to;
  return true;
}

void OrderedMap::Insert(std::string_view key, const KeyVersion& version) {
  size_t size;
  {
    SharedLock parts_lock(parts_mutex_);
    Part* const part = PartOf(key)->second.get();
    ExclusiveLock lock(part->mutex);
    Add(part, part->tree.lower_bound(key), key, version);
    size = part->tree.size();
  }
  if (size > kPartKeys) Split(key);
}

void OrderedMap::Load(absl::Span<const LoadEntry> entries, LoadContext* context) {
  // Loads come one at a time, because only one thread may split a part.
  MutexLock load_lock(load_mutex_);
  for (const LoadEntry& entry : entries) {
    const KeyVersion loaded = {entry.sequence, entry.is_delete ? Location() : entry.location};
    Location loser;
    size_t size;
    {
      SharedLock parts_lock(parts_mutex_);
      Part* const part = PartOf(entry.key)->second.get();
      ExclusiveLock lock(part->mutex);
      const auto it = part->tree.lower_bound(entry.key);
      if (it == part->tree.end() || it->first != entry.key) {
        Add(part, it, entry.key, loaded);
      } else {
        const bool is_copy = it->second.sequence == loaded.sequence && !entry.is_delete;
        const bool wins = it->second.sequence < loaded.sequence ||
                          (is_copy && context->IsNewer(entry, it->second.location));
        loser = wins ? it->second.location : loaded.location;
        if (wins) it->second = loaded;
      }
      size = part->tree.size();
    }
    if (size > kPartKeys) Split(entry.key);
    if (loser.exists()) context->Superseded(loser);
  }
}

void OrderedMap::FinishLoad() {
  MutexLock load_lock(load_mutex_);
  std::vector<std::string> empty;
  {
    SharedLock parts_lock(parts_mutex_);
    for (const auto& [first, part] : parts_) {
      ExclusiveLock lock(part->mutex);
      for (auto it = part->tree.begin(); it != part->tree.end();) {
        it = it->second.location.exists() ? std::next(it) : Erase(part.get(), it);
      }
      if (part->tree.empty()) empty.push_back(first);
    }
  }
  // From the last part to the first, because removing the first one makes the next part the first
  // and so changes that one's key.
  for (auto it = empty.rbegin(); it != empty.rend(); ++it) Remove(*it);
}

// ---- scanning ----

void OrderedMap::ScanForward(const KeyRange& range, size_t limit, KeyBlock* block) const {
  std::string from(range.lower);
  bool after = range.after_lower;
  while (block->size() < limit) {
    SharedLock parts_lock(parts_mutex_);
    const auto place = PartOf(from);
    const auto next = std::next(place);
    const bool is_last =
        next == parts_.end() || (!range.upper.empty() && next->first >= range.upper);
    const std::string_view upper = is_last ? range.upper : std::string_view(next->first);
    const Part& part = *place->second;
    SharedLock lock(part.mutex);
    const auto begin = after ? part.tree.upper_bound(from) : part.tree.lower_bound(from);
    const auto end = upper.empty() ? part.tree.end() : part.tree.lower_bound(upper);
    if (!Copy(begin, end, limit, block)) {
      from.assign(block->key(block->size() - 1));
      after = true;
    } else if (is_last) {
      return;
    } else {
      from = next->first;
      after = false;
    }
  }
}

void OrderedMap::ScanBackward(const KeyRange& range, size_t limit, KeyBlock* block) const {
  std::string upper(range.upper);
  while (block->size() < limit) {
    SharedLock parts_lock(parts_mutex_);
    // The last part that begins below `upper`. Entries that it still has of later parts, because of
    // a split, are at or above `upper`.
    const auto behind = upper.empty() ? parts_.end() : parts_.lower_bound(upper);
    const auto place = std::prev(behind);
    const bool is_last = place == parts_.begin() || place->first <= range.lower;
    const Part& part = *place->second;
    SharedLock lock(part.mutex);
    const auto begin =
        range.after_lower ? part.tree.upper_bound(range.lower) : part.tree.lower_bound(range.lower);
    const auto end = upper.empty() ? part.tree.end() : part.tree.lower_bound(upper);
    if (!Copy(std::make_reverse_iterator(end), std::make_reverse_iterator(begin), limit, block)) {
      upper.assign(block->key(block->size() - 1));
    } else if (is_last) {
      return;
    } else {
      upper = place->first;
    }
  }
}

void OrderedMap::Scan(const KeyRange& range, size_t limit, KeyBlock* block) const {
  block->Clear();
  // If `upper` is not above `lower`, the range is empty, and its two iterators would be in the
  // wrong order.
  if (!range.upper.empty() && range.upper <= range.lower) return;
  range.reverse ? ScanBackward(range, limit, block) : ScanForward(range, limit, block);
}

uint64_t OrderedMap::MemoryBytes() const {
  // A B-tree that is filled in random order is about three quarters full.
  return size() * sizeof(Tree::value_type) * 4 / 3 + key_bytes_.load(std::memory_order_relaxed) +
         part_count_.load(std::memory_order_relaxed) * (sizeof(Part) + sizeof(Parts::value_type));
}

}  // namespace rumcask
