#include "core/versions/empty_ranges.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "core/system/seeded_bug.h"

namespace rumcask {
namespace {

// More ranges would cost every put more than they save the scans.
constexpr size_t kMostRanges = 256;
constexpr size_t kMostSnapshots = 8;
constexpr uint64_t kMostKeyBytes = 256 << 10;

// Compares ends of ranges; an empty end is above all keys.
bool Above(std::string_view end, std::string_view key) { return end.empty() || end > key; }
bool HigherEnd(std::string_view a, std::string_view b) {
  return !b.empty() && (a.empty() || a > b);
}

// The least key greater than `key`.
std::string After(std::string_view key) {
  std::string after;
  after.reserve(key.size() + 1);
  after.append(key);
  after.push_back('\0');
  return after;
}

}  // namespace

EmptyRanges::Watch::Watch(EmptyRanges* ranges, std::string_view from, bool reverse)
    : ranges_(ranges), from_(from), reverse_(reverse) {
  MutexLock lock(ranges_->mutex_);
  ranges_->watches_.push_back(this);
  ranges_->Count();
}

EmptyRanges::Watch::~Watch() {
  MutexLock lock(ranges_->mutex_);
  std::vector<Watch*>& watches = ranges_->watches_;
  watches.erase(std::find(watches.begin(), watches.end(), this));
  ranges_->Count();
}

void EmptyRanges::Count() {
  in_use_.store(watches_.size() + ranges_.size());
  known_.store(ranges_.size() + for_snapshots_.size());
}

EmptyRanges::Ranges::const_iterator EmptyRanges::RangeAt(const Ranges& ranges, std::string_view at,
                                                         bool reverse) {
  // The last range that begins at or before the place, which in reverse is just below `at`.
  auto it = reverse ? (at.empty() ? ranges.end() : ranges.lower_bound(at)) : ranges.upper_bound(at);
  if (it == ranges.begin()) return ranges.end();
  --it;
  const bool holds = reverse ? !HigherEnd(at, it->second.upper) : Above(it->second.upper, at);
  return holds ? it : ranges.end();
}

EmptyRanges::Kind EmptyRanges::Find(uint64_t snapshot, std::string_view at, bool reverse,
                                    std::string* end) const {
  if (known_.load() == 0) return Kind::kNone;
  MutexLock lock(mutex_);
  const auto it = RangeAt(ranges_, at, reverse);
  if (it != ranges_.end() && it->second.since <= snapshot) {
    *end = reverse ? it->first : it->second.upper;
    return Kind::kForLater;
  }
  const auto own = for_snapshots_.find(snapshot);
  if (own != for_snapshots_.end()) {
    const auto own_it = RangeAt(own->second, at, reverse);
    if (own_it != own->second.end()) {
      *end = reverse ? own_it->first : own_it->second.upper;
      return Kind::kForSnapshot;
    }
  }
  return it == ranges_.end() ? Kind::kNone : Kind::kTooNew;
}

bool EmptyRanges::NextRange(const Ranges& ranges, uint64_t snapshot, std::string_view at,
                            bool reverse, std::string* begin) {
  if (!reverse) {
    for (auto it = ranges.upper_bound(at); it != ranges.end(); ++it) {
      if (it->second.since > snapshot) continue;
      *begin = it->first;
      return true;
    }
    return false;
  }
  for (auto it = at.empty() ? ranges.end() : ranges.lower_bound(at); it != ranges.begin();) {
    --it;
    // The range that contains `at`, if any, does not begin behind it.
    if (!HigherEnd(at, it->second.upper) || it->second.since > snapshot) continue;
    *begin = it->second.upper;
    return true;
  }
  return false;
}

bool EmptyRanges::FindNext(uint64_t snapshot, std::string_view at, bool reverse,
                           std::string* begin) const {
  if (known_.load() == 0) return false;
  MutexLock lock(mutex_);
  const bool found = NextRange(ranges_, snapshot, at, reverse, begin);
  const auto own = for_snapshots_.find(snapshot);
  std::string nearer;
  if (own == for_snapshots_.end() || !NextRange(own->second, snapshot, at, reverse, &nearer)) {
    return found;
  }
  if (!found || (reverse ? nearer > *begin : nearer < *begin)) *begin = std::move(nearer);
  return true;
}

EmptyRanges::Ranges::iterator EmptyRanges::Erase(Ranges* ranges, Ranges::iterator it) {
  key_bytes_ -= it->first.size() + it->second.upper.size();
  return ranges->erase(it);
}

// Inserts the range, merged with those that it touches.
void EmptyRanges::Insert(Ranges* ranges, std::string lower, Range range) {
  auto it = ranges->upper_bound(lower);
  if (it != ranges->begin()) {
    const std::string& upper = std::prev(it)->second.upper;
    if (Above(upper, lower) || upper == lower) --it;
  }
  while (it != ranges->end() && (range.upper.empty() || it->first <= range.upper)) {
    if (it->first < lower) lower = it->first;
    if (HigherEnd(it->second.upper, range.upper)) range.upper = it->second.upper;
    range.since = std::max(range.since, it->second.since);
    it = Erase(ranges, it);
  }
  key_bytes_ += lower.size() + range.upper.size();
  ranges->emplace(std::move(lower), std::move(range));
}

void EmptyRanges::KeepToBound(Ranges* ranges, std::string_view but) {
  while (ranges->size() > 1 && (ranges->size() > kMostRanges || key_bytes_ > kMostKeyBytes)) {
    auto it = ranges->upper_bound(hand_);
    if (it == ranges->end()) it = ranges->begin();
    hand_ = it->first;
    if (hand_ == but) continue;
    Erase(ranges, it);
  }
}

void EmptyRanges::Learn(const Watch& watch, std::string_view lower, std::string_view upper) {
  MutexLock lock(mutex_);
  std::string first(lower);
  std::string last(upper);
  if (watch.any_ && watch.reverse_ && watch.nearest_ >= first) first = After(watch.nearest_);
  if (watch.any_ && !watch.reverse_ && Above(last, watch.nearest_)) last = watch.nearest_;
  if (!Above(last, first)) return;
  const std::string kept = first;
  Insert(&ranges_, std::move(first), {std::move(last), last_change_.load()});
  KeepToBound(&ranges_, kept);
  Count();
}

void EmptyRanges::LearnFor(uint64_t snapshot, std::string_view lower, std::string_view upper) {
  if (!Above(upper, lower)) return;
  MutexLock lock(mutex_);
  Ranges* const ranges = &for_snapshots_[snapshot];
  Insert(ranges, std::string(lower), {std::string(upper), snapshot});
  KeepToBound(ranges, lower);
  while (for_snapshots_.size() > kMostSnapshots ||
         (for_snapshots_.size() > 1 && key_bytes_ > kMostKeyBytes)) {
    // The oldest snapshot other than this one.
    auto oldest = for_snapshots_.begin();
    if (oldest->first == snapshot) ++oldest;
    while (!oldest->second.empty()) Erase(&oldest->second, oldest->second.begin());
    for_snapshots_.erase(oldest);
  }
  Count();
}

void EmptyRanges::Cut(std::string_view key) {
  if (SeededBug("put-into-an-empty-range")) return;
  MutexLock lock(mutex_);
  for (Watch* const watch : watches_) {
    const bool in_range = watch->reverse_ ? Above(watch->from_, key) : key >= watch->from_;
    if (!in_range) continue;
    const bool nearer = watch->reverse_ ? key > watch->nearest_ : key < watch->nearest_;
    if (watch->any_ && !nearer) continue;
    watch->nearest_.assign(key);
    watch->any_ = true;
  }
  auto it = ranges_.upper_bound(key);
  if (it == ranges_.begin()) return;
  --it;
  if (!Above(it->second.upper, key)) return;
  // What is left on both sides is still empty.
  std::string lower = it->first;
  Range above = std::move(it->second);
  key_bytes_ -= lower.size() + above.upper.size();
  ranges_.erase(it);
  std::string after = After(key);
  if (lower < key) {
    key_bytes_ += lower.size() + key.size();
    ranges_.emplace(std::move(lower), Range{std::string(key), above.since});
  }
  if (Above(above.upper, after)) {
    key_bytes_ += after.size() + above.upper.size();
    ranges_.emplace(std::move(after), std::move(above));
  }
  KeepToBound(&ranges_, {});
  Count();
}

uint64_t EmptyRanges::MemoryBytes() const {
  MutexLock lock(mutex_);
  // A node of a map holds the value, three pointers and a color.
  constexpr uint64_t kNode = sizeof(Ranges::value_type) + 4 * sizeof(void*);
  uint64_t ranges = ranges_.size();
  for (const auto& [snapshot, own] : for_snapshots_) ranges += own.size();
  return ranges * kNode + key_bytes_;
}

}  // namespace rumcask
