// Where scans need not look.

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

// Ranges of keys in which snapshots see nothing, although there is much to step over: deletes on
// their way to an index, what the index still has of deleted keys, versions that other snapshots
// see. Scans find such ranges and note them here; the next one goes on behind them. So whoever
// takes the first of many keys and deletes it, again and again, does not step over all that went
// before. Bounded in memory: what has no room is found again.
//
// A range is noted for all snapshots from a number on, and holds until a key in it is put, or for
// one snapshot alone, whose moment does not change any more. Thread-safe.
//
// Why a range that is noted holds for all later snapshots: a scan watches the range before it looks
// for the first time. A put either comes to the keystore before the scan looks, which then finds
// it, or it finds the watch. For that the writer changes the keystore first and then asks for
// watches, and the scan does it the other way round, both sequentially consistent. A snapshot that
// may see what is deleted by now has a lower number than the last change that the scan may have
// seen, which the writer tells before it makes it.
class EmptyRanges {
 public:
  EmptyRanges() = default;
  EmptyRanges(const EmptyRanges&) = delete;
  EmptyRanges& operator=(const EmptyRanges&) = delete;

  // ---- for the one thread that changes the keystore ----

  // Before each change.
  void Changing(uint64_t sequence) { last_change_.store(sequence); }
  // After each change that gives a key a record.
  void HasPut(std::string_view key) {
    if (in_use_.load() != 0) Cut(key);
  }

  // ---- for scans ----

  // Notes which keys are put from now on, among those from `from` on - in reverse those below it,
  // empty for all.
  class Watch {
   public:
    Watch(EmptyRanges* ranges, std::string_view from, bool reverse);
    ~Watch();
    Watch(const Watch&) = delete;
    Watch& operator=(const Watch&) = delete;

   private:
    friend class EmptyRanges;

    EmptyRanges* const ranges_;
    const std::string from_;
    const bool reverse_;
    // The one nearest to `from` that was put, if any was.
    std::string nearest_;
    bool any_ = false;
  };

  enum class Kind {
    kNone,
    kForLater,     // empty for this snapshot and later ones
    kForSnapshot,  // for this one
    kTooNew,       // for later ones only
  };
  // Whether the range at `at` is known to be empty: the keys from `at` on or, in reverse, below it,
  // where empty is above all. If so, replaces `*end` by where it ends in this direction: its first
  // key no more, or, in reverse, the last key below which to go on; empty if nothing is left.
  Kind Find(uint64_t snapshot, std::string_view at, bool reverse, std::string* end) const;

  // Whether there is a range known to be empty for the snapshot that begins behind `at`, in this
  // direction. If so, replaces `*begin` by where the nearest one does: its first key, or, in
  // reverse, the end below which it lies.
  bool FindNext(uint64_t snapshot, std::string_view at, bool reverse, std::string* begin) const;

  // Notes that no key k with lower <= k < upper is there, as was found while watching. An empty
  // `upper` is no bound.
  void Learn(const Watch& watch, std::string_view lower, std::string_view upper);
  // Notes that the snapshot sees none.
  void LearnFor(uint64_t snapshot, std::string_view lower, std::string_view upper);

  uint64_t MemoryBytes() const;

 private:
  struct Range {
    std::string upper;
    uint64_t since;  // the first snapshot it is for
  };
  // By their lower ends. They neither overlap nor touch.
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
  // Watches and ranges, so that a put need not look if there are none.
  std::atomic<size_t> in_use_{0};
  // Ranges, those for one snapshot included, so that a scan need not look if there are none.
  std::atomic<size_t> known_{0};
  mutable Mutex mutex_;
  std::vector<Watch*> watches_ ABSL_GUARDED_BY(mutex_);
  Ranges ranges_ ABSL_GUARDED_BY(mutex_);
  // By the number of the snapshot.
  std::map<uint64_t, Ranges> for_snapshots_ ABSL_GUARDED_BY(mutex_);
  uint64_t key_bytes_ ABSL_GUARDED_BY(mutex_) = 0;
  // Where the next range is that goes for want of room.
  std::string hand_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace rumcask

#endif  // RUMCASK_CORE_VERSIONS_EMPTY_RANGES_H_
