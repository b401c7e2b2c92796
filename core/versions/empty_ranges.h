// Ranges of keys that scans can skip.

#ifndef RUMCASK_CORE_VERSIONS_EMPTY_RANGES_H_
#define RUMCASK_CORE_VERSIONS_EMPTY_RANGES_H_

#include "rumcask/require_cxx17.h"

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "rumcask/mutex.h"

namespace rumcask {

// Ranges of keys in which snapshots see nothing although there is much to step over: deletes on
// their way to an index, remains of deleted keys in the index, versions that other snapshots see.
// Scans find such ranges and note them here, and later scans continue behind them. So a program
// that takes the first of many keys and deletes it, again and again, does not step over everything
// it deleted before. Memory is bounded: a range that there is no room for is found again.
//
// A range is noted either for all snapshots from a number on, and then holds until a key in it is
// put, or for one snapshot alone, whose content does not change any more. Thread-safe.
//
// Why a noted range holds for all later snapshots: a scan first watches the range and then looks
// into it. A put may reach the keystore before the scan looks; then the scan finds it. Otherwise
// the put finds the watch, because the writer changes the keystore first and looks for watches
// second, while the scan watches first and looks second, all sequentially consistent. Snapshots
// that may still see what is deleted by now have lower numbers than the last change that the scan
// may have seen; the writer announces the number of each change before it makes it (Changing).
class EmptyRanges {
 public:
  EmptyRanges() = default;
  EmptyRanges(const EmptyRanges&) = delete;
  EmptyRanges& operator=(const EmptyRanges&) = delete;

  // ---- for the one thread that changes the keystore ----

  // To be called before each change.
  void Changing(uint64_t sequence) { last_change_.store(sequence); }
  // To be called after each change that gives a key a record.
  void HasPut(std::string_view key) {
    if (in_use_.load() != 0) Cut(key);
  }

  // ---- for scans ----

  // While it exists, records which keys are put among those from `from` on; in reverse, among those
  // below `from`, or among all if `from` is empty.
  class Watch {
   public:
    // `ranges` must outlive it.
    Watch(EmptyRanges* ranges, std::string_view from, bool reverse);
    ~Watch();
    Watch(const Watch&) = delete;
    Watch& operator=(const Watch&) = delete;

   private:
    friend class EmptyRanges;

    EmptyRanges* const ranges_;
    const std::string from_;
    const bool reverse_;
    // The key nearest to `from` that was put, if any was.
    std::string nearest_;
    bool any_ = false;
  };

  // Whether a range is known to be empty, and for which snapshots.
  enum class Kind {
    kNone,         // not known
    kForLater,     // empty for this snapshot and all later ones
    kForSnapshot,  // empty for this snapshot only
    kTooNew,       // empty, but only for snapshots later than this one
  };
  // Whether the range at `at` is known to be empty: the keys from `at` on or, in reverse, those
  // below `at`, where an empty `at` is above all keys. If so, replaces `*end` by the end of the
  // range in this direction: the first key behind it or, in reverse, the key below which the scan
  // continues. `*end` is empty if no keys are left.
  Kind Find(uint64_t snapshot, std::string_view at, bool reverse, std::string* end) const;

  // Whether a range that is known to be empty for the snapshot begins behind `at` in this
  // direction. If so, replaces `*begin` by the beginning of the nearest one: its first key or, in
  // reverse, the key below which it lies.
  bool FindNext(uint64_t snapshot, std::string_view at, bool reverse, std::string* begin) const;

  // Notes that there is no key k with lower <= k < upper, as a scan found while `watch` existed. An
  // empty `upper` means that there is no upper bound.
  void Learn(const Watch& watch, std::string_view lower, std::string_view upper);
  // Notes that the snapshot sees no key in the range.
  void LearnFor(uint64_t snapshot, std::string_view lower, std::string_view upper);

  // Memory of what is noted, approximately.
  uint64_t MemoryBytes() const;

 private:
  struct Range {
    std::string upper;
    uint64_t since;  // the first snapshot that the range is empty for
  };
  // Keyed by their lower ends. Ranges neither overlap nor touch.
  using Ranges = std::map<std::string, Range, std::less<>>;

  void Cut(std::string_view key);
  static Ranges::const_iterator RangeAt(const Ranges& ranges, std::string_view at, bool reverse);
  static bool NextRange(const Ranges& ranges, uint64_t snapshot, std::string_view at, bool reverse,
                        std::string* begin);
  void Insert(Ranges* ranges, std::string lower, Range range) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  Ranges::iterator Erase(Ranges* ranges, Ranges::iterator it) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void KeepToBound(Ranges* ranges, std::string_view but) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Count() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  std::atomic<uint64_t> last_change_{0};
  // The number of watches and ranges, so that a put need not take the lock if there are none.
  std::atomic<size_t> in_use_{0};
  // The number of ranges, including those for one snapshot, so that a scan need not take the lock
  // if there are none.
  std::atomic<size_t> known_{0};
  mutable Mutex mutex_;
  std::vector<Watch*> watches_ ABSL_GUARDED_BY(mutex_);
  Ranges ranges_ ABSL_GUARDED_BY(mutex_);
  // Keyed by the number of the snapshot.
  std::map<uint64_t, Ranges> for_snapshots_ ABSL_GUARDED_BY(mutex_);
  uint64_t key_bytes_ ABSL_GUARDED_BY(mutex_) = 0;
  // The next range to be dropped for lack of room is the first one above this key.
  std::string hand_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace rumcask

#endif  // RUMCASK_CORE_VERSIONS_EMPTY_RANGES_H_
