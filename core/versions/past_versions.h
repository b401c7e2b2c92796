// Versions of keys that only open snapshots still see.

#ifndef RUMCASK_CORE_VERSIONS_PAST_VERSIONS_H_
#define RUMCASK_CORE_VERSIONS_PAST_VERSIONS_H_

#include "rumcask/require_cxx17.h"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "absl/container/btree_set.h"
#include "absl/container/inlined_vector.h"
#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "rumcask/counted_allocator.h"
#include "rumcask/key_block.h"
#include "rumcask/key_range.h"
#include "rumcask/key_version.h"
#include "rumcask/keystore.h"
#include "rumcask/mutex.h"
#include "rumcask/snapshot_registry.h"

namespace rumcask {

// Empty while no snapshot is open. Before a version is replaced, in memory or in an index on disk,
// it is given to Keep. It stays here as long as a snapshot is open that sees it, and until it is
// forgotten; see snapshot_registry.h.
//
// A version is kept together with its end, the number of the record that replaced it. The end may
// be too high only if the versions in between were kept as well. So of a key's versions here, a
// snapshot s sees the one with the highest number <= s, and only if that one did not end at or
// before s. The versions in between are always kept first, if at all, because the only caller that
// may know just a higher end is the applier of an index on disk, which comes after the buffers in
// memory.
//
// TakeSnapshot: one thread at a time. Everything else: any thread at any time.
class PastVersions {
 public:
  // `config` has the bound, and whether there may be a thread that forgets.
  explicit PastVersions(const SnapshotRegistry::Config& config);
  ~PastVersions();
  PastVersions(const PastVersions&) = delete;
  PastVersions& operator=(const PastVersions&) = delete;

  // These do what SnapshotRegistry's functions of similar names promise.
  std::shared_ptr<const KeystoreSnapshot> TakeSnapshot(uint64_t sequence) {
    return snapshots_.Take(sequence);
  }
  SnapshotUsage Usage() const { return snapshots_.Usage(); }
  bool GiveUpOldestSnapshot() { return snapshots_.GiveUpOldest(); }
  void FinishForgetting() { snapshots_.Finish(); }

  // Whether anything has to be kept or forgotten. Costs one relaxed load.
  bool wanted() const { return snapshots_.any(); }
  // Keeps `version`, which the record with number `end` replaces, if a snapshot sees it. May be
  // called again with the same version.
  void Keep(std::string_view key, const KeyVersion& version, uint64_t end);
  // To be called after changes while wanted() is true, without locks that readers take. Gives up
  // the oldest snapshots beyond the bound, and helps to forget.
  void KeepUp() { snapshots_.KeepUp(); }

  // Whether one of the versions here is what the snapshot sees of the key. The caller must look at
  // the newer sources first, or it may miss a version that moves here in between. ResourceExhausted
  // if the snapshot was given up.
  absl::Status Find(const KeystoreSnapshot& snapshot, std::string_view key, bool* found,
                    KeyVersion* version) const;
  // Replaces `*block` by the first `limit` keys of the range that have versions here, each with the
  // version that the snapshot sees, which may be a delete. A key of which the snapshot sees none
  // here has the number kNotSeen, so that the caller learns how far the scan got.
  absl::Status Scan(const KeystoreSnapshot& snapshot, const KeyRange& range, size_t limit,
                    KeyBlock* block) const;
  // The number of a key in Scan's block of which the snapshot sees no version here.
  static constexpr uint64_t kNotSeen = 0;
  // Calls `visit` with the location of each version here, some hundred under one lock.
  void VisitLocations(absl::FunctionRef<void(Location)> visit) const;

 private:
  class Entry;
  struct Past {
    KeyVersion version;
    uint64_t end = 0;
    uint64_t watcher = 0;   // newest snapshot that sees it; examined when that one ends
    Entry* next = nullptr;  // next key that has a version with this watcher
  };
  // In ascending order of numbers, and so of watchers. A snapshot watches at most one version of a
  // key.
  using Versions = absl::InlinedVector<Past, 1>;

  // A key and its versions, in one block of memory.
  class Entry {
   public:
    static Entry* Make(std::string_view key);
    static void Free(Entry* entry);

    std::string_view key() const {
      return {reinterpret_cast<const char*>(this) + sizeof(Entry), key_bytes_};
    }
    // Heap bytes of the entry and everything it owns.
    uint64_t HeapBytes() const;

    Versions versions;

   private:
    explicit Entry(uint32_t key_bytes) : key_bytes_(key_bytes) {}
    ~Entry() = default;

    const uint32_t key_bytes_;
  };
  struct ByKey {
    using is_transparent = void;
    static std::string_view KeyOf(const Entry* entry) { return entry->key(); }
    static std::string_view KeyOf(std::string_view key) { return key; }
    template <typename A, typename B>
    bool operator()(const A& a, const B& b) const {
      return KeyOf(a) < KeyOf(b);
    }
  };
  using Tree = absl::btree_set<Entry*, ByKey, CountedAllocator<Entry*>>;
  // For each watcher, the first of the keys that have a version with it.
  using Watched =
      std::map<uint64_t, Entry*, std::less<>, CountedAllocator<std::pair<const uint64_t, Entry*>>>;

  static const KeyVersion* SeenAt(const Versions& versions, uint64_t sequence);
  template <typename Iterator>
  static void ScanFrom(Iterator it, Iterator end, uint64_t sequence, size_t limit, KeyBlock* block);

  void Forget(uint64_t ended, size_t count);
  // Makes the snapshot `watcher` watch a version of the key.
  void Watch(uint64_t watcher, Entry* entry, Past* past) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void CountChange(uint64_t before, uint64_t after);

  // Declared first, because it counts the memory of the others.
  SnapshotRegistry snapshots_;
  mutable SharedMutex mutex_;
  Tree tree_ ABSL_GUARDED_BY(mutex_);
  Watched watched_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace rumcask

#endif  // RUMCASK_CORE_VERSIONS_PAST_VERSIONS_H_
