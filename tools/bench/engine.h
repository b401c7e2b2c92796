// A store that can be benchmarked. The one thing to implement for another.

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
  // To the first key from `key` on; Unimplemented where keys have no order.
  virtual absl::Status Seek(std::string_view key) = 0;
  virtual bool Valid() const = 0;
  virtual void Next() = 0;
  // Until the next call that is not const.
  virtual std::string_view key() const = 0;
  virtual std::string_view value() const = 0;
  virtual absl::Status status() const = 0;
};

// An open store. Thread-safe unless its type says otherwise. What it cannot do is Unimplemented,
// with the reason as message.
//
// Writes without `sync` survive the death of the process; with it, they survive a power cut before
// they return.
class Engine {
 public:
  virtual ~Engine() = default;

  // Copies the value into `*value`, whose memory is reused; NotFound with an empty message.
  virtual absl::Status Get(std::string_view key, std::string* value) = 0;
  // Reads keys[i] into (*values)[i], which is resized, and counts those found.
  virtual absl::Status MultiGet(absl::Span<const std::string_view> keys,
                                std::vector<std::string>* values, uint64_t* found) = 0;
  virtual absl::Status Put(std::string_view key, std::string_view value, bool sync) = 0;
  virtual absl::Status Delete(std::string_view key, bool sync) = 0;
  // All or nothing.
  virtual absl::Status Write(
      absl::Span<const std::pair<std::string_view, std::string_view>> entries, bool sync) = 0;
  virtual absl::StatusOr<std::unique_ptr<EngineCursor>> NewCursor() = 0;
  // Held as long as what it returns, which must not outlive the store.
  virtual absl::StatusOr<std::shared_ptr<const void>> TakeSnapshot() {
    return absl::UnimplementedError("its snapshots are not measured");
  }

  // Everything written so far survives a power cut.
  virtual absl::Status Sync() = 0;
  // Reclaims what is dead and returns when nothing more can be.
  virtual absl::Status Compact() = 0;
  // Nothing else may be called afterwards.
  virtual absl::Status Close() = 0;
};

// How to open one.
struct EngineSettings {
  std::string path;  // of a directory, which exists
  // For stores with caches of their own: as much as all the data, so that hot is hot everywhere.
  uint64_t cache_bytes = 0;
  // Upper bounds of what will be written, for stores that must know.
  uint64_t expected_keys = 0;
  uint64_t expected_bytes = 0;
};

struct EngineType {
  // The column's head, and the value of the flag that asks for it.
  std::string name;
  // "LevelDB 1.23"
  std::string library;
  // Whether the library was built with assertions, in words.
  std::string assertions;
  // Settings that matter, in words.
  std::function<std::string(const EngineSettings& settings)> options;
  // How an unsynced write survives the death of the process, or that it does not.
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
