#include "core/index_buffer.h"

#include <algorithm>
#include <iterator>
#include <utility>

namespace rumcask {
namespace {

// A snapshot's end looks at as many keys before it lets others take the lock.
constexpr size_t kTrimmedAtOnce = 256;
// As does a scan, most of whose keys may be newer than its snapshot.
constexpr size_t kScannedAtOnce = 2048;

// Heap memory of a string that does not fit into itself.
uint64_t HeapBytes(std::string_view key) {
  return key.size() < sizeof(std::string) / 2 ? 0 : key.size() + 1;
}

// Of versions in ascending order, the first that lasted beyond `sequence`.
template <typename Versions>
auto FirstEndingAfter(Versions& versions, uint64_t sequence) {
  return std::partition_point(versions.begin(), versions.end(),
                              [sequence](const auto& version) { return version.end <= sequence; });
}

}  // namespace

IndexBuffer::IndexBuffer(uint64_t max_undo_bytes)
    : snapshots_(max_undo_bytes,
                 [this](uint64_t sequence, const OpenSnapshots& open) { Forget(sequence, open); }) {
}

// ---- newest versions ----

bool IndexBuffer::Get(std::string_view key, Location* location) const {
  SharedLock lock(mutex_);
  auto it = newest_.find(key);
  if (it == newest_.end()) return false;
  *location = it->second.location;
  return true;
}

Location IndexBuffer::Apply(std::string_view key, Location location, uint64_t sequence) {
  Location before;
  uint64_t kept = 0;
  {
    ExclusiveLock lock(mutex_);
    auto it = newest_.lower_bound(key);
    const bool exists = it != newest_.end() && it->first == key;
    if (exists) {
      before = it->second.location;
      kept = Keep(key, it->second, sequence);
      snapshots_.AddUndoBytes(kept);
    }
    if (location.exists()) {
      if (!exists) {
        it = newest_.emplace_hint(it, std::string(key), Newest());
        key_bytes_ += HeapBytes(key);
      }
      it->second = {sequence, location, false};
    } else if (exists) {
      newest_.erase(it);
      key_bytes_ -= HeapBytes(key);
    }
    size_.store(newest_.size(), std::memory_order_relaxed);
  }
  if (kept > 0) snapshots_.KeepToBound();
  return before;
}

bool IndexBuffer::Relocate(std::string_view key, Location from, Location to) {
  ExclusiveLock lock(mutex_);
  auto it = newest_.find(key);
  if (it == newest_.end() || it->second.location != from) return false;
  it->second.location = to;
  return true;
}

uint64_t IndexBuffer::MemoryBytes() const {
  // A B-tree of random keys is filled to about three quarters.
  SharedLock lock(mutex_);
  return newest_.size() * sizeof(Tree::value_type) * 4 / 3 + key_bytes_ +
         snapshots_.Usage().undo_bytes;
}

// ---- loading ----

void IndexBuffer::Load(absl::Span<const LoadEntry> entries, LoadContext* context) {
  ExclusiveLock lock(mutex_);
  for (const LoadEntry& entry : entries) {
    auto it = newest_.lower_bound(entry.key);
    const Newest loaded = {entry.sequence, entry.location, entry.is_delete};
    if (it == newest_.end() || it->first != entry.key) {
      newest_.emplace_hint(it, std::string(entry.key), loaded);
      key_bytes_ += HeapBytes(entry.key);
      continue;
    }
    const Newest loser = std::min(it->second, loaded, [](const Newest& a, const Newest& b) {
      return a.sequence < b.sequence;
    });
    if (it->second.sequence < loaded.sequence) it->second = loaded;
    if (!loser.is_delete) context->Superseded(loser.location);
  }
}

void IndexBuffer::FinishLoad() {
  ExclusiveLock lock(mutex_);
  for (auto it = newest_.begin(); it != newest_.end();) {
    if (it->second.is_delete) {
      key_bytes_ -= HeapBytes(it->first);
      it = newest_.erase(it);
    } else {
      ++it;
    }
  }
  size_.store(newest_.size(), std::memory_order_relaxed);
}

// ---- snapshots ----

std::shared_ptr<const KeystoreSnapshot> IndexBuffer::TakeSnapshot(uint64_t sequence) {
  std::shared_ptr<const KeystoreSnapshot> snapshot = snapshots_.Take(sequence);
  ExclusiveLock lock(mutex_);
  kept_for_.try_emplace(sequence);
  return snapshot;
}

IndexBuffer::KeptFor::iterator IndexBuffer::NewestIn(uint64_t begin, uint64_t end) {
  auto it = kept_for_.lower_bound(end);
  if (it == kept_for_.begin() || (--it)->first < begin) return kept_for_.end();
  return it;
}

uint64_t IndexBuffer::Keep(std::string_view key, const Newest& version, uint64_t end) {
  auto sees = NewestIn(version.sequence, end);
  if (sees == kept_for_.end()) return 0;
  past_[std::string(key)].push_back({version.sequence, end, version.location});
  sees->second.emplace_back(key);
  return PastBytes(key);
}

void IndexBuffer::Forget(uint64_t sequence, const OpenSnapshots& open) {
  if (open.NewestIn(sequence, sequence + 1) != nullptr) return;  // another one of the same moment
  std::vector<std::string> keys;
  {
    ExclusiveLock lock(mutex_);
    auto it = kept_for_.find(sequence);
    keys = std::move(it->second);
    kept_for_.erase(it);
  }
  for (size_t begin = 0; begin < keys.size(); begin += kTrimmedAtOnce) {
    ExclusiveLock lock(mutex_);
    for (size_t i = begin; i < std::min(begin + kTrimmedAtOnce, keys.size()); ++i) {
      snapshots_.SubtractUndoBytes(Trim(std::move(keys[i]), sequence));
    }
  }
}

uint64_t IndexBuffer::Trim(std::string key, uint64_t ended) {
  auto it = past_.find(key);
  std::vector<Past>& versions = it->second;
  const auto seen = FirstEndingAfter(versions, ended);
  const auto sees = NewestIn(seen->begin, seen->end);
  if (sees != kept_for_.end()) {
    sees->second.push_back(std::move(key));
    return 0;
  }
  versions.erase(seen);
  if (versions.empty()) past_.erase(it);
  return PastBytes(key);
}

uint64_t IndexBuffer::PastBytes(std::string_view key) {
  return sizeof(Past) + sizeof(PastTree::value_type) + sizeof(std::string) + 2 * HeapBytes(key);
}

const IndexBuffer::Newest* IndexBuffer::SeenAt(const Newest* newest, const std::vector<Past>* past,
                                               uint64_t sequence, Newest* storage) {
  if (newest != nullptr && newest->sequence <= sequence) return newest;
  if (past == nullptr) return nullptr;
  const auto it = FirstEndingAfter(*past, sequence);
  if (it == past->end() || it->begin > sequence) return nullptr;
  *storage = {it->begin, it->location, false};
  return storage;
}

absl::Status IndexBuffer::GetAt(const KeystoreSnapshot& snapshot, std::string_view key,
                                Location* location) const {
  SharedLock lock(mutex_);
  const absl::Status status = SnapshotRegistry::Check(snapshot);
  if (!status.ok()) return status;
  auto it = newest_.find(key);
  const Newest* const newest = it == newest_.end() ? nullptr : &it->second;
  const std::vector<Past>* past = nullptr;
  if (!past_.empty()) {
    auto found = past_.find(key);
    if (found != past_.end()) past = &found->second;
  }
  Newest storage;
  const Newest* const seen = SeenAt(newest, past, snapshot.sequence(), &storage);
  if (seen == nullptr) return absl::Status(absl::StatusCode::kNotFound, "");
  *location = seen->location;
  return absl::OkStatus();
}

// ---- scanning ----

template <typename Iterator, typename PastIterator, typename Before>
const std::string* IndexBuffer::Merge(Iterator it, Iterator end, PastIterator past,
                                      PastIterator past_end, Before before, uint64_t sequence,
                                      size_t limit, KeyBlock* block) {
  const std::string* key = nullptr;
  for (size_t looks = 0; block->size() < limit && (it != end || past != past_end); ++looks) {
    if (looks == kScannedAtOnce) return key;
    const bool has_newest = it != end && (past == past_end || !before(past->first, it->first));
    const bool has_past = past != past_end && (it == end || !before(it->first, past->first));
    key = has_newest ? &it->first : &past->first;
    Newest storage;
    const Newest* const seen = SeenAt(has_newest ? &it->second : nullptr,
                                      has_past ? &past->second : nullptr, sequence, &storage);
    if (seen != nullptr) block->Add(*key, seen->location, seen->sequence);
    if (has_newest) ++it;
    if (has_past) ++past;
  }
  return nullptr;
}

const std::string* IndexBuffer::ScanSome(const KeyRange& range, uint64_t sequence, size_t limit,
                                         KeyBlock* block) const {
  const auto begin = [&](const auto& tree) {
    return range.after_lower ? tree.upper_bound(range.lower) : tree.lower_bound(range.lower);
  };
  const auto end = [&](const auto& tree) {
    return range.upper.empty() ? tree.end() : tree.lower_bound(range.upper);
  };
  if (range.reverse) {
    return Merge(std::make_reverse_iterator(end(newest_)),
                 std::make_reverse_iterator(begin(newest_)), std::make_reverse_iterator(end(past_)),
                 std::make_reverse_iterator(begin(past_)), std::greater<>(), sequence, limit,
                 block);
  }
  return Merge(begin(newest_), end(newest_), begin(past_), end(past_), std::less<>(), sequence,
               limit, block);
}

absl::Status IndexBuffer::Scan(const KeystoreSnapshot& snapshot, const KeyRange& range,
                               size_t limit, KeyBlock* block) const {
  block->Clear();
  KeyRange rest = range;
  std::string last;
  // With an upper bound that is not above the lower one, the ends of the range would be in reverse.
  while (rest.upper.empty() || rest.lower < rest.upper) {
    SharedLock lock(mutex_);
    const absl::Status status = SnapshotRegistry::Check(snapshot);
    if (!status.ok()) {
      block->Clear();
      return status;
    }
    const std::string* const looked_at = ScanSome(rest, snapshot.sequence(), limit, block);
    if (looked_at == nullptr) break;
    last = *looked_at;
    if (range.reverse) {
      rest.upper = last;
    } else {
      rest.lower = last;
      rest.after_lower = true;
    }
  }
  return absl::OkStatus();
}

}  // namespace rumcask
