#include "core/versions/snapshot_scan.h"

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "core/plugin/keystore.h"
#include "core/system/seeded_bug.h"
#include "core/versions/scan_work.h"

namespace rumcask {
namespace {

// The number of entries that one fetch asks for.
constexpr size_t kLeastFetched = 16;
constexpr size_t kMostFetched = 4096;
// Past versions examined while their lock is held, for which writers wait.
constexpr size_t kMostPast = 256;
// Entries stepped over in a row before the scan checks whether a known empty range continues here.
constexpr uint64_t kLookEach = 32;
// An empty range is noted if it is that many entries long; fewer are enough if it continues a known
// range.
constexpr uint64_t kWorthNoting = 256;
constexpr uint64_t kWorthContinuing = 32;

std::string After(std::string_view key) {
  std::string after;
  after.reserve(key.size() + 1);
  after.append(key);
  after.push_back('\0');
  return after;
}

// What one source has of the range, one block after the other.
struct Part {
  KeyBlock block;
  size_t at = 0;
  bool complete = false;  // nothing follows the block
  bool end_counted = false;

  bool done() const { return at == block.size(); }
  std::string_view key() const { return block.key(at); }
  std::string_view last() const { return block.key(block.size() - 1); }
  void Clear() {
    block.Clear();
    at = 0;
    complete = false;
    end_counted = false;
  }
  // To be called after a fetch of at most `count` entries.
  void Begin(size_t count) {
    at = 0;
    complete = block.size() < count;
    ScanWork& work = ThreadScanWork();
    ++work.fetches;
    work.steps += block.size() + block.passed_at_end();
    for (size_t i = 0; i < block.size(); ++i) work.steps += block.passed_before(i);
  }
};

class Scan {
 public:
  // With a null `snapshot` and `past`, scans the current state.
  Scan(ScanSources* sources, const PastVersions* past, EmptyRanges* empty,
       const KeystoreSnapshot* snapshot, const KeyRange& range, size_t limit, KeyBlock* block)
      : sources_(sources),
        past_(past),
        empty_(empty),
        snapshot_(snapshot),
        sequence_(snapshot == nullptr ? UINT64_MAX : snapshot->sequence()),
        range_(range),
        limit_(limit),
        block_(block) {}

  absl::Status Run() {
    block_->Clear();
    sources_->Capture();
    run_begin_ = range_.reverse       ? std::string(range_.upper)
                 : range_.after_lower ? After(range_.lower)
                                      : std::string(range_.lower);
    StartAt(run_begin_);
    Jump();
    absl::Status status = Walk();
    if (!status.ok()) block_->Clear();
    return status;
  }

  // Notes how far there is nothing, examining about `most` entries. Returns how many there were.
  uint64_t Explore(uint64_t most) {
    block_->Clear();
    most_ = most;
    run_begin_ = std::string(range_.reverse ? range_.upper : range_.lower);
    BeginWatching();
    return Walk().ok() ? explored_ : 0;
  }

 private:
  // What will be noted about the keys that are being stepped over.
  enum class Noting { kNot, kForLater, kForSnapshot };

  bool Before(std::string_view a, std::string_view b) const {
    return range_.reverse ? b < a : a < b;
  }

  // The rest of the range, up to the next range that is known to be empty.
  KeyRange Rest() const {
    if (exhausted_) return {"x", "x", false, range_.reverse};
    if (range_.reverse) {
      return stops_ ? KeyRange{stop_, place_, false, true}
                    : KeyRange{range_.lower, place_, range_.after_lower, true};
    }
    return {place_, stops_ ? std::string_view(stop_) : range_.upper, false, false};
  }

  // Drops everything fetched and continues at `place`.
  void StartAt(std::string_view place) {
    parts_.resize(sources_->count());
    ForgetFetched();
    place_ = place;
    stepped_ = 0;
    next_look_ = kLookEach;
    newer_ = false;
    FindStop();
  }

  void ForgetFetched() {
    for (Part& part : parts_) part.Clear();
    past_part_.Clear();
    past_through_.clear();
  }

  absl::Status Walk() {
    while (block_->size() < limit_) {
      absl::Status status = FillSources();
      if (!status.ok()) return status;
      const Part* first = First();
      status = FillPast(first);
      if (!status.ok()) return status;
      if (!past_part_.done() && (first == nullptr || Before(past_part_.key(), first->key()))) {
        first = &past_part_;
      }
      if (first == nullptr && stops_) {
        PassStop();
        continue;
      }
      if (first == nullptr) {
        if (WatchesNow()) continue;
        EndRun(range_.reverse ? range_.lower : range_.upper, range_.after_lower);
        return absl::OkStatus();
      }
      key_.assign(first->key());
      if (Take() && snapshot_ == nullptr) return absl::OkStatus();
      if (stepped_ >= most_) {
        EndRun(place_, false);
        return absl::OkStatus();
      }
      if (stepped_ >= next_look_) Look();
    }
    return absl::OkStatus();
  }

  // Fetches the next block of each source whose block is used up and which may have more.
  absl::Status FillSources() {
    for (size_t i = 0; i < parts_.size(); ++i) {
      Part& part = parts_[i];
      if (part.done() && !part.complete) {
        // A short scan should not pay for many entries, and one that steps over many should not pay
        // for many fetches.
        const uint64_t wanted = std::max<uint64_t>(limit_ - block_->size(), stepped_);
        const size_t count = std::clamp<uint64_t>(wanted, kLeastFetched, kMostFetched);
        absl::Status status = sources_->Fetch(i, Rest(), count, &part.block);
        if (!status.ok()) return status;
        part.Begin(count);
      }
      if (part.done() && !part.end_counted) stepped_ += part.block.passed_at_end();
      part.end_counted = part.done();
    }
    return absl::OkStatus();
  }

  const Part* First() const {
    const Part* first = nullptr;
    for (const Part& part : parts_) {
      if (!part.done() && (first == nullptr || Before(part.key(), first->key()))) first = &part;
    }
    return first;
  }

  // Makes sure that the past versions are known up to `first`, or to the end if it is null. They
  // are read no further than the sources have been: if a version beyond that were replaced after
  // the past versions had been read there, the scan would miss it.
  absl::Status FillPast(const Part* first) {
    if (past_ == nullptr) return absl::OkStatus();
    const bool unbounded = SeededBug("past-scanned-to-the-end");
    while (past_part_.done() && !past_part_.complete &&
           (first == nullptr || past_through_.empty() || Before(past_through_, first->key()))) {
      std::string_view bound;
      for (const Part& part : parts_) {
        if (part.complete || unbounded) continue;
        if (bound.empty() || Before(part.last(), bound)) bound = part.last();
      }
      KeyRange range = Rest();
      std::string behind;
      // Continues behind what has been read, unless place_ is further on.
      const bool looked = !past_through_.empty() && !exhausted_;
      if (range_.reverse) {
        if (looked && (place_.empty() || past_through_ < place_)) range.upper = past_through_;
        if (!bound.empty()) {
          range.lower = bound;
          range.after_lower = false;
        }
      } else {
        if (looked && past_through_ >= place_) {
          range.lower = past_through_;
          range.after_lower = true;
        }
        if (!bound.empty()) {
          behind = After(bound);
          range.upper = behind;
        }
      }
      const size_t most = unbounded ? SIZE_MAX : kMostPast;
      absl::Status status = past_->Scan(*snapshot_, range, most, &past_part_.block);
      if (!status.ok()) return status;
      past_part_.Begin(most);
      if (!past_part_.complete) {
        past_through_.assign(past_part_.last());
      } else if (!bound.empty()) {
        past_through_.assign(bound);
        past_part_.complete = false;
      }
    }
    return absl::OkStatus();
  }

  // Takes the version of key_ that the snapshot sees: the past one, if there is one, or else the
  // newest that is not too new. Returns whether the snapshot sees a record that is no delete.
  bool Take() {
    KeyVersion seen;
    KeyVersion newest;
    bool found = false;
    for (Part& part : parts_) {
      if (part.done() || part.key() != key_) continue;
      const KeyVersion version = {part.block.sequence(part.at), part.block.location(part.at)};
      stepped_ += part.block.passed_before(part.at);
      if (version.sequence >= newest.sequence) newest = version;
      if (version.sequence <= sequence_ && (!found || version.sequence > seen.sequence)) {
        seen = version;
        found = true;
      }
      ++part.at;
    }
    if (!past_part_.done() && past_part_.key() == key_) {
      const size_t at = past_part_.at++;
      if (past_part_.block.sequence(at) != PastVersions::kNotSeen) {
        seen = {past_part_.block.sequence(at), past_part_.block.location(at)};
        found = true;
      }
    }
    if (found && seen.location.exists()) {
      if (WatchesNow()) return false;
      EndRun(key_, range_.reverse);
      block_->Add(key_, seen.location, seen.sequence);
      GoBehindKey();
      BeginRun();
      return true;
    }
    ++stepped_;
    if (newest.location.exists()) Newer();
    GoBehindKey();
    return false;
  }

  void GoBehindKey() {
    place_.assign(key_);
    if (!range_.reverse) place_.push_back('\0');
  }

  // ---- what is stepped over ----

  void BeginRun() {
    run_begin_ = place_;
    stepped_ = 0;
    next_look_ = kLookEach;
    continues_ = false;
    newer_ = false;
    too_new_ = false;
    noting_ = Noting::kNot;
    watch_.reset();
  }

  // Ends the run of keys that were stepped over. They lie before `end` or, in reverse, above `end`
  // if `after` is true, else at or above it.
  void EndRun(std::string_view end, bool after) {
    explored_ = stepped_;
    if (stepped_ < Worth()) return;
    if (noting_ == Noting::kForLater) NoteForLater(end, after);
    if (noting_ != Noting::kForSnapshot) return;
    if (range_.reverse) {
      empty_->LearnFor(sequence_, after ? After(end) : std::string(end), run_begin_);
    } else {
      empty_->LearnFor(sequence_, run_begin_, end);
    }
  }

  void NoteForLater(std::string_view end, bool after) {
    if (range_.reverse) {
      empty_->Learn(*watch_, after ? After(end) : std::string(end), run_begin_);
    } else {
      empty_->Learn(*watch_, run_begin_, end);
    }
  }

  uint64_t Worth() const { return continues_ ? kWorthContinuing : kWorthNoting; }

  // key_ exists but is newer than the snapshot, so that later snapshots will see it.
  void Newer() {
    newer_ = true;
    if (noting_ != Noting::kForLater) return;
    if (stepped_ > Worth()) NoteForLater(key_, range_.reverse);
    watch_.reset();
    noting_ = Noting::kForSnapshot;
  }

  // Called after many steps: skips a range known to be empty, or begins to find out whether there
  // is one.
  void Look() {
    next_look_ = stepped_ + kLookEach;
    if (Jump() || WatchesNow()) return;
    if (noting_ == Noting::kNot && stepped_ >= Worth()) noting_ = Noting::kForSnapshot;
  }

  // If a range at place_ is known to be empty, continues behind it and returns true.
  bool Jump() {
    if (SeededBug("dead-keys-walked-again")) return false;
    std::string end;
    const EmptyRanges::Kind kind = empty_->Find(sequence_, place_, range_.reverse, &end);
    too_new_ = kind == EmptyRanges::Kind::kTooNew;
    if (kind == EmptyRanges::Kind::kNone || too_new_) return false;
    continues_ = true;
    if (noting_ == Noting::kForLater && kind == EmptyRanges::Kind::kForSnapshot) {
      watch_.reset();
      noting_ = Noting::kForSnapshot;
    }
    if (noting_ == Noting::kNot && stepped_ >= kWorthContinuing && !newer_) {
      // The keys stepped over before this range are to be noted as well, so the scan goes over them
      // again.
      BeginWatching();
      return true;
    }
    const bool at_end =
        range_.reverse ? end <= range_.lower : !range_.upper.empty() && end >= range_.upper;
    exhausted_ = end.empty() || at_end;
    place_ = std::move(end);
    if (noting_ == Noting::kNot) {
      // What follows continues the known range.
      run_begin_ = place_;
      stepped_ = 0;
      next_look_ = kLookEach;
    }
    ForgetFetched();
    FindStop();
    return true;
  }

  // Finds where the next range begins that is known to be empty. Nothing is fetched beyond that.
  void FindStop() {
    stops_ = !exhausted_ && !SeededBug("dead-keys-walked-again") &&
             empty_->FindNext(sequence_, place_, range_.reverse, &stop_);
    if (!stops_) return;
    // A stop outside the scan's range does not matter.
    stops_ = range_.reverse ? stop_ > range_.lower : range_.upper.empty() || stop_ < range_.upper;
  }

  // Called when everything before the stop has been taken.
  void PassStop() {
    place_ = stop_;
    ForgetFetched();
    // If the known range was cut meanwhile, the keys there have to be read.
    if (!Jump()) FindStop();
  }

  // Begins to watch if the run is long enough to be noted and later snapshots may see nothing there
  // either. Returns whether it did.
  bool WatchesNow() {
    if (noting_ != Noting::kNot || newer_ || too_new_ || stepped_ < Worth()) return false;
    BeginWatching();
    return true;
  }

  // Goes back to the beginning of the run and steps over it again while watching, because a run may
  // be noted for later snapshots only if every put in it is noticed from the first look on.
  void BeginWatching() {
    watch_.reset();
    watch_.emplace(empty_, run_begin_, range_.reverse);
    sources_->Capture();
    StartAt(run_begin_);
    noting_ = Noting::kForLater;
  }

  ScanSources* const sources_;
  const PastVersions* const past_;
  EmptyRanges* const empty_;
  const KeystoreSnapshot* const snapshot_;
  const uint64_t sequence_;
  const KeyRange range_;
  const size_t limit_;
  KeyBlock* const block_;

  std::vector<Part> parts_;
  Part past_part_;
  // The past versions have been read up to this key; empty if none was read.
  std::string past_through_;
  std::string key_;
  // The place where the scan continues: at this key or, in reverse, below it.
  std::string place_;
  bool exhausted_ = false;  // nothing of the range is left at place_
  // A range that is known to be empty begins with this key or, in reverse, below it.
  std::string stop_;
  bool stops_ = false;

  // The following describe the run of keys that are being stepped over.
  std::string run_begin_;
  uint64_t stepped_ = 0;
  uint64_t next_look_ = kLookEach;
  bool continues_ = false;  // the run continues a known range
  bool newer_ = false;      // one of its keys is newer than the snapshot
  bool too_new_ = false;    // the range is known, but only for later snapshots
  Noting noting_ = Noting::kNot;
  std::optional<EmptyRanges::Watch> watch_;
  uint64_t most_ = UINT64_MAX;
  uint64_t explored_ = 0;
};

}  // namespace

absl::Status ScanSnapshot(ScanSources* sources, const PastVersions& past, EmptyRanges* empty,
                          const KeystoreSnapshot& snapshot, const KeyRange& range, size_t limit,
                          KeyBlock* block) {
  return Scan(sources, &past, empty, &snapshot, range, limit, block).Run();
}

uint64_t ExploreAround(ScanSources* sources, EmptyRanges* empty, std::string_view key,
                       size_t most) {
  KeyBlock found;
  const std::string after = After(key);
  const KeyRange below = {{}, after, false, /*reverse=*/true};
  const KeyRange above = {after, {}, false, /*reverse=*/false};
  return Scan(sources, nullptr, empty, nullptr, below, 1, &found).Explore(most) +
         Scan(sources, nullptr, empty, nullptr, above, 1, &found).Explore(most);
}

}  // namespace rumcask
