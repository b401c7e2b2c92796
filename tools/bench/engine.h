// A store that can be benchmarked. To add another store, implement this.

#ifndef RUMCASK_TOOLS_BENCH_ENGINE_H_
#define RUMCASK_TOOLS_BENCH_ENGINE_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"

namespace rumcask::bench {

// Walks the entries. Not thread-safe.
class EngineCursor {
 public:
  virtual ~EngineCursor() = default;
  virtual absl::Status SeekToFirst() = 0;
  // Moves to the first key >= `key`. Unimplemented if keys have no order.
  virtual absl::Status Seek(std::string_view key) = 0;
  virtual bool Valid() const = 0;
  virtual void Next() = 0;
  // Valid until the next non-const call.
  virtual std::string_view key() const = 0;
  virtual std::string_view value() const = 0;
  virtual absl::Status status() const = 0;
};

// What a store has written to its files, by its own count; only differences mean something.
struct WrittenBytes {
  uint64_t log = 0;   // so that writes survive, each once
  uint64_t rest = 0;  // flushes, compaction, blobs
};

// An open store. Thread-safe unless its type says otherwise. What it cannot do is Unimplemented,
// with the reason as the message.
//
// A write without `sync` survives the death of the process; one with `sync` survives a power cut
// once it has returned.
class Engine {
 public:
  virtual ~Engine() = default;

  // Copies the value into `*value`, whose memory is reused. NotFound with an empty message if there
  // is no such key.
  virtual absl::Status Get(std::string_view key, std::string* value) = 0;
  // Reads keys[i] into (*values)[i], which is resized, and adds the number of keys found to
  // `*found`.
  virtual absl::Status MultiGet(absl::Span<const std::string_view> keys,
                                std::vector<std::string>* values, uint64_t* found) = 0;
  virtual absl::Status Put(std::string_view key, std::string_view value, bool sync) = 0;
  virtual absl::Status Delete(std::string_view key, bool sync) = 0;
  // Writes all of the entries or none.
  virtual absl::Status Write(
      absl::Span<const std::pair<std::string_view, std::string_view>> entries, bool sync) = 0;
  virtual absl::StatusOr<std::unique_ptr<EngineCursor>> NewCursor() = 0;
  // The snapshot exists as long as the result, which must not outlive the store.
  virtual absl::StatusOr<std::shared_ptr<const void>> TakeSnapshot() {
    return absl::UnimplementedError("its snapshots are not measured");
  }

  // Makes everything written so far survive a power cut.
  virtual absl::Status Sync() = 0;
  // Counts from the opening on, if the settings ask for it. A running job may not be counted yet.
  virtual absl::StatusOr<WrittenBytes> Written() {
    return absl::UnimplementedError("it does not count what it writes");
  }
  // Reclaims dead space, and returns when no more can be reclaimed.
  virtual absl::Status Compact() = 0;
  // No other function may be called afterwards.
  virtual absl::Status Close() = 0;
};

// How to open a store.
struct EngineSettings {
  std::string path;  // an existing directory
  // For stores with their own caches: enough for all data, so that cached data is cached in every
  // store.
  uint64_t cache_bytes = 0;
  // Upper bounds of what will be written, for stores that need them.
  uint64_t expected_keys = 0;
  uint64_t expected_bytes = 0;
  // Bound on the space that a log takes, as a multiple of what is live in it; 0 is the store's own.
  double max_space_amplification = 0;
  // Whether Written will be called, because counting may cost something.
  bool count_written = false;
};

struct EngineType {
  // The title of the column, and the name by which the store is requested.
  std::string name;
  // "LevelDB 1.23"
  std::string library;
  // A phrase that says whether the library was built with assertions.
  std::string assertions;
  // A phrase with the settings that matter.
  std::function<std::string(const EngineSettings& settings)> options;
  // A phrase that says how an unsynced write survives the death of the process, or that it does
  // not.
  std::string durability;
  bool ordered = false;
  // Whether it can be closed and opened again.
  bool persistent = true;
  // Whether one thread may write beside others.
  bool concurrent_writes = true;
  // Whether its locks are those of core/system/mutex.h, which count how long they are waited for.
  bool counts_lock_waits = false;
  std::function<absl::StatusOr<std::unique_ptr<Engine>>(const EngineSettings& settings)> open;
};

}  // namespace rumcask::bench

#endif  // RUMCASK_TOOLS_BENCH_ENGINE_H_
