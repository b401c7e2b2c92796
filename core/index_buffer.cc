#include "core/index_buffer.h"

#include <iterator>

namespace rumcask {
namespace {

// Heap memory of a string that does not fit into itself.
uint64_t HeapBytes(std::string_view key) {
  return key.size() < sizeof(std::string) / 2 ? 0 : key.size() + 1;
}

void Increase(std::atomic<uint64_t>* figure, uint64_t by) {
  figure->store(figure->load(std::memory_order_relaxed) + by, std::memory_order_relaxed);
}

template <typename Iterator>
void Copy(Iterator it, Iterator end, size_t limit, KeyBlock* block) {
  for (; it != end && block->size() < limit; ++it) {
    block->Add(it->first, it->second.location, it->second.sequence);
  }
}

}  // namespace

bool IndexBuffer::Get(std::string_view key, KeyVersion* version) const {
  SharedLock lock(mutex_);
  auto it = tree_.find(key);
  if (it == tree_.end()) return false;
  *version = it->second;
  return true;
}

void IndexBuffer::Add(Tree::iterator hint, std::string_view key, const KeyVersion& version) {
  tree_.emplace_hint(hint, std::string(key), version);
  Increase(&size_, 1);
  Increase(&key_bytes_, HeapBytes(key));
}

IndexBuffer::Tree::iterator IndexBuffer::Erase(Tree::iterator it) {
  Increase(&size_, uint64_t{0} - 1);
  Increase(&key_bytes_, uint64_t{0} - HeapBytes(it->first));
  return tree_.erase(it);
}

Location IndexBuffer::Apply(std::string_view key, Location location, uint64_t sequence) {
  Location before;
  bool kept = false;
  {
    ExclusiveLock lock(mutex_);
    auto it = tree_.lower_bound(key);
    const bool exists = it != tree_.end() && it->first == key;
    const bool forgets = !location.exists() && deletes_ == Deletes::kForget;
    if (exists) {
      before = it->second.location;
      kept = past_->wanted();
      if (kept) past_->Keep(key, it->second, sequence);
      if (forgets) {
        Erase(it);
      } else {
        it->second = {sequence, location};
      }
    } else if (!forgets) {
      Add(it, key, {sequence, location});
    }
  }
  if (kept) past_->KeepToBound();
  return before;
}

bool IndexBuffer::Relocate(std::string_view key, Location from, Location to) {
  ExclusiveLock lock(mutex_);
  auto it = tree_.find(key);
  if (it == tree_.end() || it->second.location != from) return false;
  it->second.location = to;
  return true;
}

void IndexBuffer::Load(absl::Span<const LoadEntry> entries, LoadContext* context) {
  ExclusiveLock lock(mutex_);
  for (const LoadEntry& entry : entries) {
    auto it = tree_.lower_bound(entry.key);
    const KeyVersion loaded = {entry.sequence, entry.is_delete ? Location() : entry.location};
    if (it == tree_.end() || it->first != entry.key) {
      Add(it, entry.key, loaded);
      continue;
    }
    const bool wins = it->second.sequence < loaded.sequence;
    const Location loser = wins ? it->second.location : loaded.location;
    if (wins) it->second = loaded;
    if (loser.exists()) context->Superseded(loser);
  }
}

void IndexBuffer::FinishLoad() {
  ExclusiveLock lock(mutex_);
  for (auto it = tree_.begin(); it != tree_.end();) {
    it = it->second.location.exists() ? std::next(it) : Erase(it);
  }
}

void IndexBuffer::Scan(const KeyRange& range, size_t limit, KeyBlock* block) const {
  block->Clear();
  // With an upper bound that is not above the lower one, the ends of the range would be in reverse.
  if (!range.upper.empty() && range.upper <= range.lower) return;
  SharedLock lock(mutex_);
  const auto begin =
      range.after_lower ? tree_.upper_bound(range.lower) : tree_.lower_bound(range.lower);
  const auto end = range.upper.empty() ? tree_.end() : tree_.lower_bound(range.upper);
  if (range.reverse) {
    Copy(std::make_reverse_iterator(end), std::make_reverse_iterator(begin), limit, block);
  } else {
    Copy(begin, end, limit, block);
  }
}

uint64_t IndexBuffer::MemoryBytes() const {
  // A B-tree of random keys is filled to about three quarters.
  return size() * sizeof(Tree::value_type) * 4 / 3 + key_bytes_.load(std::memory_order_relaxed);
}

}  // namespace rumcask
