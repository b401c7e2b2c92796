// The parts of an open database, put together by opening and used by DB and its iterators.

#ifndef RUMCASK_CORE_STORE_H_
#define RUMCASK_CORE_STORE_H_

#include <atomic>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/base/attributes.h"
#include "absl/base/optimization.h"
#include "absl/status/status.h"

#include "core/compaction/compactor.h"
#include "core/compaction/controller.h"
#include "core/compaction/writer_gate.h"
#include "core/format/limits.h"
#include "core/index/index_gate.h"
#include "core/listener.h"
#include "core/log/database_lock.h"
#include "core/log/log.h"
#include "core/options.h"
#include "core/plugin/keystore.h"
#include "core/system/file_system.h"
#include "core/system/mutex.h"
#include "core/versions/held_locations.h"

namespace rumcask {

// Counts the forks that led to this process, so that a child recognizes a Store of its parent.
class ForkGeneration {
 public:
  static uint64_t Now() { return generation_.load(std::memory_order_relaxed); }
  // Starts counting; idempotent.
  static void Watch();

 private:
  static std::atomic<uint64_t> generation_;
};

class Store {
 public:
  Store(std::unique_ptr<Directory> directory, const Options& options, bool read_only,
        size_t max_key_bytes)
      : options_(options),
        read_only_(read_only),
        max_key_bytes_(max_key_bytes),
        directory_(std::move(directory)),
        log_(directory_.get(), LogConfig(options), read_only),
        fork_generation_(ForkGeneration::Now()) {}

  // OK if the database is open, and was opened by this process.
  absl::Status CheckUsable() const { return usable() ? absl::OkStatus() : Unusable(); }
  // The same for calls that write or sync.
  absl::Status CheckWritable() const {
    if (usable() && !read_only_) return absl::OkStatus();
    return usable() ? NotWritable() : Unusable();
  }
  bool in_forked_child() const { return fork_generation_ != ForkGeneration::Now(); }
  absl::Status CheckKey(std::string_view key) const {
    return IsKey(key) ? absl::OkStatus() : BadKey(key);
  }
  // CheckUsable or CheckWritable, and CheckKey, in one step.
  absl::Status CheckRead(std::string_view key) const {
    if (usable() && IsKey(key)) return absl::OkStatus();
    return usable() ? BadKey(key) : Unusable();
  }
  absl::Status CheckWrite(std::string_view key) const {
    if (usable() && !read_only_ && IsKey(key)) return absl::OkStatus();
    return usable() && !read_only_ ? BadKey(key) : CheckWritable();
  }
  static absl::Status CheckValue(std::string_view value) {
    return value.size() <= kMaxValueBytes ? absl::OkStatus() : BadValue(value);
  }

  // To be called before writing, without the write lock and not in a ReaderScope. Waits while the
  // index is far behind, or the log takes too much space; the error is the reason why nothing can
  // be written. A full disk keeps out only what `adds`; when little is left of the reserve, the
  // rest waits for compaction, which needs that more.
  ABSL_ATTRIBUTE_ALWAYS_INLINE absl::Status WaitForRoom(bool adds) {
    if (ABSL_PREDICT_FALSE(log_.reserve().is_spent())) return WaitForReserve(adds);
    return Pass();
  }
  // To be called after writing, without the lock.
  void AfterWrite() {
    log_.AfterWrite();
    index_.AfterWrite();
  }

  // Reads the record at `location` and makes sure it is one of `key`. DataLoss names file and
  // offset; the caller must Report it, once it is in no ReaderScope.
  absl::Status ReadRecord(const PreparedKey& key, Location location, RecordBuffer* buffer,
                          RecordView* record);
  // Sets the version of the record at `location`, which the keystore has for `key`. As to DataLoss,
  // see ReadRecord; the write lock must not be held either when it is reported.
  absl::Status ReadVersion(const PreparedKey& key, Location location, uint64_t* version);
  // Reads the record at `location`, whatever its key. As to DataLoss, see ReadRecord.
  absl::Status ReadPut(Location location, RecordBuffer* buffer, RecordView* record);
  // Calls the listener, so no lock may be held. Returns `damage`.
  absl::Status Report(absl::Status damage);

  const Options options_;
  const bool read_only_;
  const size_t max_key_bytes_;
  // Members are destroyed in reverse order, so the database's lock is released last.
  std::unique_ptr<DatabaseLock> lock_;
  const std::unique_ptr<Directory> directory_;
  Log log_;
  std::unique_ptr<Keystore> keystore_;
  IndexGate index_;
  HeldLocations held_locations_;
  WriterGate gate_{&log_.space()};
  // Null in a read-only opening.
  std::unique_ptr<Compactor> compactor_;
  std::unique_ptr<CompactionController> controller_;
  std::string index_rebuilt_;  // why the index was rebuilt, or empty
  std::atomic<bool> closed_{false};
  // Held while closing, so that a second Close waits for the first.
  Mutex close_mutex_;
  std::optional<absl::Status> close_result_ ABSL_GUARDED_BY(close_mutex_);
  const uint64_t fork_generation_;
  RecoveryReport recovery_;
  std::atomic<uint64_t> puts_{0};
  std::atomic<uint64_t> deletes_{0};
  std::atomic<bool> woke_for_room_{false};

 private:
  static Log::Config LogConfig(const Options& options);
  // WaitForRoom after something was given up of the reserve.
  absl::Status WaitForReserve(bool adds);
  ABSL_ATTRIBUTE_ALWAYS_INLINE absl::Status Pass() {
    absl::Status status = gate_.Pass();
    if (status.ok()) status = index_.WaitForRoom();
    if (!status.ok()) log_.TellListener();
    return status;
  }
  bool usable() const {
    return fork_generation_ == ForkGeneration::Now() && !closed_.load(std::memory_order_acquire);
  }
  bool IsKey(std::string_view key) const { return !key.empty() && key.size() <= max_key_bytes_; }
  absl::Status Unusable() const;
  absl::Status NotWritable() const;
  absl::Status BadKey(std::string_view key) const;
  static absl::Status BadValue(std::string_view value);
  absl::Status Lost(Location location);
};

// Releases a snapshot and then its store. In a forked child neither is released, since threads that
// exist only in the parent may hold the locks.
inline void ReleaseUnlessForked(std::shared_ptr<Store> store,
                                std::shared_ptr<const KeystoreSnapshot> snapshot) {
  if (store != nullptr && store->in_forked_child()) {
    (void)new std::shared_ptr<Store>(std::move(store));
    (void)new std::shared_ptr<const KeystoreSnapshot>(std::move(snapshot));
    return;
  }
  snapshot.reset();
}

// The calling thread's buffer for reads through pread.
RecordBuffer* ThreadRecordBuffer();

}  // namespace rumcask

#endif  // RUMCASK_CORE_STORE_H_
