// Lets writers go on as fast as space comes back.
//
// The compactor measures how much room there is: by how many bytes the log may still exceed what
// live records justify. What writers do takes room away, and the gate can tell how much from two
// counters, without looking at segments. While there is room, passing the gate costs one
// comparison. Without room, writers wait. A running compaction gives room back little by little, as
// if the victims shrank while it reads them, so that nobody waits for the whole of it.

#ifndef RUMCASK_CORE_COMPACTION_WRITER_GATE_H_
#define RUMCASK_CORE_COMPACTION_WRITER_GATE_H_

#include <atomic>
#include <cstdint>
#include <functional>
#include <utility>

#include "absl/status/status.h"

#include "core/log/space.h"
#include "core/system/mutex.h"

namespace rumcask {

// What was measured.
struct Room {
  // Bytes of files until writers have to wait; negative if they have to already.
  double bytes = 0;
  // Once there is less room than this, the compactor is woken.
  double wake_below = 0;
  // What Space said before the measurement began.
  uint64_t born = 0;
  uint64_t died = 0;
  // How many bytes the log may take for each live one, and files take for each byte of records.
  double amplification = 1;
  double file_bytes_per_record_byte = 1;
};

// Thread-safe. Its lock is taken last but for that of a background thread.
class WriterGate {
 public:
  // `space` must outlive it. It is open until Watch.
  explicit WriterGate(const Space* space) : space_(space) {}

  // To be called before a write, without locks and not in a ReaderScope. Waits for room, if need
  // be. The error is the reason why none will come back.
  absl::Status Pass() {
    return space_->died() < limit_.load(std::memory_order_relaxed) ? absl::OkStatus()
                                                                   : PassSlowly();
  }

  // From now on the writers call `wake` when there is little room, first at the next write. It is
  // called under the gate's lock. If it fails, that write does.
  void Watch(std::function<absl::Status()> wake) ABSL_LOCKS_EXCLUDED(mutex_);

  // Wakes, whatever room there is. False if there is nobody to wake.
  bool Wake() ABSL_LOCKS_EXCLUDED(mutex_);

  // ---- for the one who compacts ----

  // Begins a new account, in which a running job has given nothing back yet.
  void SetRoom(const Room& room) ABSL_LOCKS_EXCLUDED(mutex_);
  // There will be so much more room at the end of a job, and this share of the job is done.
  void SetProgress(double gain, double share) ABSL_LOCKS_EXCLUDED(mutex_);
  // The job has ended and made that much room, or none.
  void EndJob(double gain) ABSL_LOCKS_EXCLUDED(mutex_);
  // Lets all writers through, and wakes nobody, until the next SetRoom.
  void Open() ABSL_LOCKS_EXCLUDED(mutex_);
  // The next writer wakes.
  void Rearm() ABSL_LOCKS_EXCLUDED(mutex_);
  // Refuses all writers until then.
  void Refuse(absl::Status reason) ABSL_LOCKS_EXCLUDED(mutex_);
  // Lets all writers through for ever, and wakes nobody any more.
  void Close() ABSL_LOCKS_EXCLUDED(mutex_);

  // How often writers have waited.
  uint64_t waits() const { return waits_.load(std::memory_order_relaxed); }

 private:
  absl::Status PassSlowly() ABSL_LOCKS_EXCLUDED(mutex_);
  double RoomNow() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Wakes those who wait, and makes the next writer come this way.
  void Changed() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const Space* const space_;
  // Passing is free while fewer bytes than this have died.
  std::atomic<uint64_t> limit_{UINT64_MAX};
  std::atomic<uint64_t> waits_{0};
  Mutex mutex_;
  CondVar changed_;
  Room room_ ABSL_GUARDED_BY(mutex_);
  double given_back_ ABSL_GUARDED_BY(mutex_) = 0;
  bool open_ ABSL_GUARDED_BY(mutex_) = true;
  bool woken_ ABSL_GUARDED_BY(mutex_) = false;
  absl::Status refusal_ ABSL_GUARDED_BY(mutex_);
  std::function<absl::Status()> wake_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace rumcask

#endif  // RUMCASK_CORE_COMPACTION_WRITER_GATE_H_
