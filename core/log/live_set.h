// The segments that make up the database, as MANIFEST lists them.
//
// This is the only code that writes MANIFEST. It is replaced as a whole, and rarely: when a
// database is made, when the first write commits what recovery found, when the keystore or the
// incarnation changes, when a compaction adds or retires segments, and at a clean close. A
// replacement takes two fsyncs, so it never happens under the write lock.

#ifndef RUMCASK_CORE_LOG_LIVE_SET_H_
#define RUMCASK_CORE_LOG_LIVE_SET_H_

#include <cstdint>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"

#include "core/format/manifest.h"
#include "core/log/recovery.h"
#include "core/system/file_system.h"
#include "core/system/mutex.h"
#include "core/system/space_reserve.h"

namespace rumcask {

// Thread-safe, except where it says otherwise. Its lock is held while MANIFEST is written, and
// acquired before the write lock or without it.
class LiveSet {
 public:
  // Both must outlive it. On a full disk MANIFEST is written from the reserve, if there is one.
  explicit LiveSet(Directory* directory, SpaceReserve* reserve = nullptr)
      : directory_(directory), reserve_(reserve) {}

  // Takes over what recovery found; to be called once, before all else. `made_in` is null if there
  // is a MANIFEST. Otherwise the database is being made in that file system, and the first MANIFEST
  // makes the directory's own entry durable before itself.
  void Begin(RecoveredLog found, FileSystem* made_in) ABSL_LOCKS_EXCLUDED(mutex_);

  // What recovery found, and MANIFEST as it is by now. Only while the database is being opened, by
  // the thread that opens it.
  const RecoveredLog& recovered() const { return recovered_; }
  const Manifest& manifest() const ABSL_NO_THREAD_SAFETY_ANALYSIS { return manifest_; }

  // Replaces MANIFEST by what `change` makes of it. On error nothing is changed, except that after
  // a failed fsync of the directory either version may be found later. Does nothing after Freeze.
  absl::Status Change(absl::FunctionRef<absl::Status(Manifest*)> change)
      ABSL_LOCKS_EXCLUDED(mutex_);

  // Makes the directory agree with what recovery found, in an order that repeats harmlessly. Kept
  // segments that were not sealed are written anew unless known to be durable, cut, given a footer
  // and made durable; MANIFEST is replaced, listing what was kept; files it does not list are
  // removed. What was vouched for is not read again: the first write reads no more than the opening
  // did. After a clean close nothing but MANIFEST's state changes.
  //
  // After an error it may be called again, except if it set `*final`: then something could not be
  // made durable, and as the kernel may count it as written now, a repetition would prove nothing.
  // To be called by one thread at a time.
  absl::Status CommitRecovery(bool* final) ABSL_LOCKS_EXCLUDED(mutex_);

  // A segment that MANIFEST is to list. Nothing is known of the end of one that is not sealed if
  // `end` is 0.
  struct LiveSegment {
    uint64_t id;
    Stream stream;
    bool sealed;
    uint64_t end;
  };

  // Writes the MANIFEST of a clean close, after which nothing was appended. `live` are the
  // segments, ascending.
  absl::Status Close(const std::vector<LiveSegment>& live, uint64_t highest_id,
                     uint64_t last_sequence, uint64_t next_sequence) ABSL_LOCKS_EXCLUDED(mutex_);

  // Writes the MANIFEST in which compaction adds or leaves out segments. `live` are all segments
  // with ids up to `highest_id`, ascending, also those that are only prepared; all records up to
  // `durable` are durable; an index that ends below `horizon` may lead to segments that are gone,
  // and 0 leaves that as it is. After an error with `*final` set, either MANIFEST may be found
  // later, and nothing that the old one lists may be removed.
  absl::Status TurnOver(const std::vector<LiveSegment>& live, uint64_t highest_id, uint64_t durable,
                        uint64_t horizon, bool* final) ABSL_LOCKS_EXCLUDED(mutex_);

  // MANIFEST as it is now.
  Manifest Copy() ABSL_LOCKS_EXCLUDED(mutex_) {
    MutexLock lock(mutex_);
    return manifest_;
  }

  // Writes the MANIFEST of a database of its own into `directory`, which has the segments `live`,
  // all sealed, and no other. It is like `original`, as closed cleanly, but for its incarnation.
  static absl::Status WriteCopy(Directory* directory, Manifest original,
                                const std::vector<LiveSegment>& live, uint64_t highest_id,
                                uint64_t last_sequence, uint64_t next_sequence);

  // From now on MANIFEST stays as it is: to be called before the database's lock is let go of.
  void Freeze() ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  // Replaces MANIFEST and takes note of it. `*sync_failed` as WriteManifest sets it; may be null.
  absl::Status Write(Manifest next, bool* sync_failed) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  Directory* const directory_;
  SpaceReserve* const reserve_;
  RecoveredLog recovered_;
  Mutex mutex_;
  Manifest manifest_ ABSL_GUARDED_BY(mutex_);
  FileSystem* made_in_ ABSL_GUARDED_BY(mutex_) = nullptr;
  bool frozen_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace rumcask

#endif  // RUMCASK_CORE_LOG_LIVE_SET_H_
