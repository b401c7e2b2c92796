#include "core/past_versions.h"

#include <algorithm>
#include <iterator>
#include <utility>

namespace rumcask {
namespace {

// A snapshot's end looks at as many keys before it lets others take the lock.
constexpr size_t kTrimmedAtOnce = 256;

// Heap memory of a string that does not fit into itself.
uint64_t HeapBytes(std::string_view key) {
  return key.size() < sizeof(std::string) / 2 ? 0 : key.size() + 1;
}

// Where the version ended for sure: at the next one if that is here too.
template <typename Iterator>
uint64_t EndOf(Iterator it, Iterator end) {
  const Iterator next = std::next(it);
  return next == end ? it->end : std::min(it->end, next->version.sequence);
}

}  // namespace

PastVersions::PastVersions(uint64_t max_undo_bytes)
    : snapshots_(max_undo_bytes,
                 [this](uint64_t sequence, const OpenSnapshots& open) { Forget(sequence, open); }) {
}

std::shared_ptr<const KeystoreSnapshot> PastVersions::TakeSnapshot(uint64_t sequence) {
  std::shared_ptr<const KeystoreSnapshot> snapshot = snapshots_.Take(sequence);
  ExclusiveLock lock(mutex_);
  watched_.try_emplace(sequence);
  return snapshot;
}

uint64_t PastVersions::Bytes(std::string_view key) {
  return sizeof(Past) + sizeof(Tree::value_type) + sizeof(std::string) + 2 * HeapBytes(key);
}

// ---- keeping ----

PastVersions::Watched::iterator PastVersions::NewestIn(uint64_t begin, uint64_t end) {
  auto it = watched_.lower_bound(end);
  if (it == watched_.begin() || (--it)->first < begin) return watched_.end();
  return it;
}

void PastVersions::Keep(std::string_view key, const KeyVersion& version, uint64_t end) {
  ExclusiveLock lock(mutex_);
  auto entry = tree_.find(key);
  if (entry != tree_.end()) {
    // What comes after it may be known better here.
    for (const Past& past : entry->second) {
      if (past.version.sequence == version.sequence) return;
      if (past.version.sequence > version.sequence) {
        end = std::min(end, past.version.sequence);
        break;
      }
    }
  }
  const auto watcher = NewestIn(version.sequence, end);
  if (watcher == watched_.end()) return;
  if (entry == tree_.end()) entry = tree_.emplace(std::string(key), Versions()).first;
  Versions& versions = entry->second;
  const auto place = std::partition_point(
      versions.begin(), versions.end(),
      [&version](const Past& past) { return past.version.sequence < version.sequence; });
  versions.insert(place, {version, end, watcher->first});
  watcher->second.emplace_back(key);
  snapshots_.AddUndoBytes(Bytes(key));
}

void PastVersions::Forget(uint64_t sequence, const OpenSnapshots& open) {
  if (open.NewestIn(sequence, sequence + 1) != nullptr) return;  // another one of the same moment
  std::vector<std::string> keys;
  {
    ExclusiveLock lock(mutex_);
    auto it = watched_.find(sequence);
    keys = std::move(it->second);
    watched_.erase(it);
  }
  for (size_t begin = 0; begin < keys.size(); begin += kTrimmedAtOnce) {
    ExclusiveLock lock(mutex_);
    for (size_t i = begin; i < std::min(begin + kTrimmedAtOnce, keys.size()); ++i) {
      snapshots_.SubtractUndoBytes(Trim(keys[i], sequence));
    }
  }
}

uint64_t PastVersions::Trim(const std::string& key, uint64_t ended) {
  const auto entry = tree_.find(key);
  if (entry == tree_.end()) return 0;
  Versions& versions = entry->second;
  uint64_t freed = 0;
  for (auto it = versions.begin(); it != versions.end();) {
    if (it->watcher != ended) {
      ++it;
      continue;
    }
    const auto watcher = NewestIn(it->version.sequence, EndOf(it, versions.end()));
    if (watcher == watched_.end()) {
      // The version before may seem to last longer now; it was seen by no later snapshot, and none
      // is taken in the past.
      it = versions.erase(it);
      freed += Bytes(key);
    } else {
      it->watcher = watcher->first;
      watcher->second.push_back(key);
      ++it;
    }
  }
  if (versions.empty()) tree_.erase(entry);
  return freed;
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
  const KeyVersion* const seen = SeenAt(it->second, snapshot.sequence());
  if (seen == nullptr) return absl::OkStatus();
  *found = true;
  *version = *seen;
  return absl::OkStatus();
}

template <typename Iterator>
void PastVersions::ScanFrom(Iterator it, Iterator end, uint64_t sequence, size_t limit,
                            KeyBlock* block) {
  for (; it != end && block->size() < limit; ++it) {
    const KeyVersion* const seen = SeenAt(it->second, sequence);
    block->Add(it->first, seen == nullptr ? Location() : seen->location,
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

}  // namespace rumcask
