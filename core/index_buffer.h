// Keys in order, in memory: the btree keystore, and what stands in front of an index on disk.

#ifndef RUMCASK_CORE_INDEX_BUFFER_H_
#define RUMCASK_CORE_INDEX_BUFFER_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "absl/container/btree_map.h"
#include "absl/types/span.h"

#include "core/key_block.h"
#include "core/key_range.h"
#include "core/key_version.h"
#include "core/keystore.h"
#include "core/location.h"
#include "core/mutex.h"
#include "core/past_versions.h"

namespace rumcask {

// A B-tree from each key to the number and location of its newest record. What a record replaces
// goes to the past versions if a snapshot sees it, before it is gone here.
//
// Apply and Relocate: one thread at a time. Everything else: any thread, any time. Readers share a
// lock that waiting writers pass through first.
class IndexBuffer {
 public:
  enum class Deletes {
    kForget,  // a deleted key leaves no trace
    kKeep,    // it is an entry without location: something older is elsewhere
  };

  // `past` must outlive the buffer.
  IndexBuffer(Deletes deletes, PastVersions* past) : deletes_(deletes), past_(past) {}

  // Whether the key has an entry.
  bool Get(std::string_view key, KeyVersion* version) const;
  // What Keystore's functions of the same names promise, of this buffer alone.
  Location Apply(std::string_view key, Location location, uint64_t sequence);
  bool Relocate(std::string_view key, Location from, Location to);
  void Load(absl::Span<const LoadEntry> entries, LoadContext* context);
  // For Deletes::kForget, after Load.
  void FinishLoad();

  // Replaces `*block` by the first `limit` entries of the range, deletes included, as they are.
  void Scan(const KeyRange& range, size_t limit, KeyBlock* block) const;

  uint64_t size() const { return size_.load(std::memory_order_relaxed); }
  uint64_t MemoryBytes() const;

 private:
  using Tree = absl::btree_map<std::string, KeyVersion, std::less<>>;

  void Add(Tree::iterator hint, std::string_view key, const KeyVersion& version)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  Tree::iterator Erase(Tree::iterator it) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const Deletes deletes_;
  PastVersions* const past_;
  mutable SharedMutex mutex_;
  Tree tree_ ABSL_GUARDED_BY(mutex_);
  std::atomic<uint64_t> size_{0};
  std::atomic<uint64_t> key_bytes_{0};  // on the heap
};

}  // namespace rumcask

#endif  // RUMCASK_CORE_INDEX_BUFFER_H_
