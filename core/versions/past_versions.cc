#include "core/versions/past_versions.h"

#include <algorithm>
#include <cstring>
#include <iterator>
#include <new>
#include <optional>
#include <utility>

#include "core/plugin/keystore.h"

namespace rumcask {
namespace {

// The versions of a key give memory back when they use a quarter of it or less, or when only one is
// left.
constexpr size_t kUnused = 4;

}  // namespace

// ---- entries ----

PastVersions::Entry* PastVersions::Entry::Make(std::string_view key) {
  void* const block = ::operator new(sizeof(Entry) + key.size());
  auto* const entry = new (block) Entry(static_cast<uint32_t>(key.size()));
  std::memcpy(static_cast<char*>(block) + sizeof(Entry), key.data(), key.size());
  return entry;
}

void PastVersions::Entry::Free(Entry* entry) {
  entry->~Entry();
  ::operator delete(entry);
}

uint64_t PastVersions::Entry::HeapBytes() const {
  const size_t capacity = versions.capacity();
  return HeapBlockBytes(sizeof(Entry) + key_bytes_) +
         (capacity > 1 ? HeapBlockBytes(capacity * sizeof(Past)) : 0);
}

PastVersions::PastVersions(const SnapshotRegistry::Config& config)
    : snapshots_(config, [this](uint64_t ended, size_t count) { Forget(ended, count); }),
      tree_(CountedAllocator<Entry*>(snapshots_.undo_bytes())),
      watched_(CountedAllocator<Entry*>(snapshots_.undo_bytes())) {}

PastVersions::~PastVersions() {
  snapshots_.Stop();
  for (Entry* const entry : tree_) Entry::Free(entry);
}

void PastVersions::CountChange(uint64_t before, uint64_t after) {
  snapshots_.undo_bytes()->fetch_add(after - before, std::memory_order_relaxed);
}

// ---- keeping ----

void PastVersions::Watch(uint64_t watcher, Entry* entry, Past* past) {
  past->watcher = watcher;
  past->next = std::exchange(watched_[watcher], entry);
}

void PastVersions::Keep(std::string_view key, const KeyVersion& version, uint64_t end) {
  ExclusiveLock lock(mutex_);
  const auto place = tree_.lower_bound(key);
  Entry* entry = place != tree_.end() && (*place)->key() == key ? *place : nullptr;
  size_t at = 0;
  if (entry != nullptr) {
    const Versions& versions = entry->versions;
    const auto next = std::partition_point(
        versions.begin(), versions.end(),
        [&version](const Past& past) { return past.version.sequence < version.sequence; });
    if (next != versions.end()) {
      if (next->version.sequence == version.sequence) return;
      // The version that follows it is kept here, so its end is known more exactly.
      end = std::min(end, next->version.sequence);
    }
    at = static_cast<size_t>(next - versions.begin());
  }
  const std::optional<uint64_t> watcher = snapshots_.Assign(version.sequence, end);
  if (!watcher.has_value()) return;
  uint64_t bytes_before = 0;
  if (entry != nullptr) {
    bytes_before = entry->HeapBytes();
  } else {
    entry = Entry::Make(key);
    tree_.insert(place, entry);
  }
  Past past;
  past.version = version;
  past.end = end;
  Watch(*watcher, entry, &past);
  entry->versions.insert(entry->versions.begin() + static_cast<std::ptrdiff_t>(at), past);
  CountChange(bytes_before, entry->HeapBytes());
}

void PastVersions::Forget(uint64_t ended, size_t count) {
  ExclusiveLock lock(mutex_);
  const auto list = watched_.find(ended);
  for (; count > 0; --count) {
    Entry* const entry = list->second;
    Versions& versions = entry->versions;
    const auto past =
        std::partition_point(versions.begin(), versions.end(),
                             [ended](const Past& each) { return each.watcher < ended; });
    list->second = past->next;
    const std::optional<uint64_t> watcher = snapshots_.Reassign(past->version.sequence, past->end);
    if (watcher.has_value()) {
      Watch(*watcher, entry, &*past);
      continue;
    }
    // The version before may now seem to last longer. No open snapshot is affected: those in
    // between do not see it, and no snapshot is taken in the past.
    const uint64_t before = entry->HeapBytes();
    versions.erase(past);
    if (!versions.empty()) {
      const bool unused = versions.size() <= versions.capacity() / kUnused;
      if (unused || versions.size() == 1) versions.shrink_to_fit();
      CountChange(before, entry->HeapBytes());
    } else {
      tree_.erase(entry);
      CountChange(before, 0);
      Entry::Free(entry);
    }
  }
  if (list->second == nullptr) watched_.erase(list);
}

// ---- looking ----

const KeyVersion* PastVersions::SeenAt(const Versions& versions, uint64_t sequence) {
  auto it = std::partition_point(versions.begin(), versions.end(), [sequence](const Past& past) {
    return past.version.sequence <= sequence;
  });
  if (it == versions.begin() || (--it)->end <= sequence) return nullptr;
  return &it->version;
}

absl::Status PastVersions::Find(const KeystoreSnapshot& snapshot, std::string_view key, bool* found,
                                KeyVersion* version) const {
  *found = false;
  SharedLock lock(mutex_);
  absl::Status status = SnapshotRegistry::Check(snapshot);
  if (!status.ok() || tree_.empty()) return status;
  const auto it = tree_.find(key);
  if (it == tree_.end()) return absl::OkStatus();
  const KeyVersion* const seen = SeenAt((*it)->versions, snapshot.sequence());
  if (seen == nullptr) return absl::OkStatus();
  *found = true;
  *version = *seen;
  return absl::OkStatus();
}

template <typename Iterator>
void PastVersions::ScanFrom(Iterator it, Iterator end, uint64_t sequence, size_t limit,
                            KeyBlock* block) {
  for (; it != end && block->size() < limit; ++it) {
    const KeyVersion* const seen = SeenAt((*it)->versions, sequence);
    block->Add((*it)->key(), seen == nullptr ? Location() : seen->location,
               seen == nullptr ? kNotSeen : seen->sequence);
  }
}

absl::Status PastVersions::Scan(const KeystoreSnapshot& snapshot, const KeyRange& range,
                                size_t limit, KeyBlock* block) const {
  block->Clear();
  SharedLock lock(mutex_);
  absl::Status status = SnapshotRegistry::Check(snapshot);
  if (!status.ok() || tree_.empty()) return status;
  if (!range.upper.empty() && range.upper <= range.lower) return status;
  const auto begin =
      range.after_lower ? tree_.upper_bound(range.lower) : tree_.lower_bound(range.lower);
  const auto end = range.upper.empty() ? tree_.end() : tree_.lower_bound(range.upper);
  if (range.reverse) {
    ScanFrom(std::make_reverse_iterator(end), std::make_reverse_iterator(begin),
             snapshot.sequence(), limit, block);
  } else {
    ScanFrom(begin, end, snapshot.sequence(), limit, block);
  }
  return absl::OkStatus();
}

void PastVersions::VisitLocations(absl::FunctionRef<void(Location)> visit) const {
  constexpr size_t kAtOnce = 256;
  std::string behind;
  bool begun = false;
  for (bool more = true; more; begun = true) {
    SharedLock lock(mutex_);
    auto at = begun ? tree_.upper_bound(std::string_view(behind)) : tree_.begin();
    for (size_t i = 0; i < kAtOnce && at != tree_.end(); ++i, ++at) {
      for (const Past& past : (*at)->versions) visit(past.version.location);
      behind.assign((*at)->key());
    }
    more = at != tree_.end();
  }
}

}  // namespace rumcask
