// Disk space that is held so that a full disk leaves room for what makes room.
//
// On a full disk space comes back by deleting and compacting, and both write before anything can be
// removed: tombstones, survivors, MANIFEST, the index. So a file, RESERVE, holds blocks that nobody
// else gets. Whoever is making room and meets a full disk has the file give up a part of them and
// tries again. From then on whoever only adds is refused until the file is whole again: what comes
// back goes there first, or the next full disk would be final.
//
// Only what the system calls free counts, so that a want of descriptors costs nothing. The quota of
// a user is not seen. What is in the file does not matter. Where the file system cannot allocate
// blocks ahead (NFS, FUSE) there is no reserve.

#ifndef RUMCASK_CORE_SYSTEM_SPACE_RESERVE_H_
#define RUMCASK_CORE_SYSTEM_SPACE_RESERVE_H_

#include <atomic>
#include <chrono>
#include <cstdint>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"

#include "core/system/file_system.h"
#include "core/system/mutex.h"

namespace rumcask {

inline constexpr char kReserveName[] = "RESERVE";

// Thread-safe. Its lock is held during calls of the file system, and taken last but for what these
// take.
class SpaceReserve {
 public:
  // `directory` must outlive it.
  explicit SpaceReserve(Directory* directory) : directory_(directory) {}

  // Takes over the file that an earlier opening has left, if there is one.
  void Begin() ABSL_LOCKS_EXCLUDED(mutex_);

  // From now on so many bytes are to be held. Tries to get them; gives the rest back if more than
  // twice as many are held. It is spent if less than half can be had, or if it was and not all can.
  void Hold(uint64_t bytes) ABSL_LOCKS_EXCLUDED(mutex_);

  // Does the step, and as long as it fails for want of room, gives up a part of the reserve and
  // does it again. Only for what makes room in the end.
  absl::Status Run(absl::FunctionRef<absl::Status()> step) {
    absl::Status status = step();
    while (absl::IsResourceExhausted(status) && GiveUp()) status = step();
    return status;
  }
  // Gives up a part. False if there is none left, or if the disk has plenty of room.
  bool GiveUp() ABSL_LOCKS_EXCLUDED(mutex_);

  // How much may be written to make room: what is free and what it holds.
  uint64_t Room() ABSL_LOCKS_EXCLUDED(mutex_);
  // The same, so that a quarter of the reserve is left for other steps, or half of what there is.
  uint64_t Spare() ABSL_LOCKS_EXCLUDED(mutex_);
  // Whether there is room for less than half of the reserve, with what it holds.
  bool IsLow() ABSL_LOCKS_EXCLUDED(mutex_);

  // OK, or ResourceExhausted while the reserve is spent. For those who only add. Now and then it
  // tries to fill the reserve, so that writing resumes as soon as there is room.
  absl::Status CheckWhole() { return is_spent() ? FillOrRefuse() : absl::OkStatus(); }

  // Whoever only adds has met a full disk.
  void NoteFull() { full_.store(true, std::memory_order_relaxed); }
  // Whether that has happened since this was asked last, or the reserve is spent.
  bool TakeFull() { return full_.exchange(false, std::memory_order_relaxed) || is_spent(); }
  bool is_full() const { return full_.load(std::memory_order_relaxed) || is_spent(); }

  // Whether something was given up that it has not got back.
  bool is_spent() const { return spent_.load(std::memory_order_relaxed); }

  // What the file takes.
  uint64_t bytes() const { return bytes_.load(std::memory_order_relaxed); }

 private:
  absl::Status FillOrRefuse() ABSL_LOCKS_EXCLUDED(mutex_);
  uint64_t RoomNow() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // It is spent if then fewer than `enough` bytes are held.
  void Fill(uint64_t enough) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  bool Shrink(uint64_t bytes) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // A file that was copied may have lost its blocks.
  void FillHoles() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  Directory* const directory_;
  std::atomic<uint64_t> bytes_{0};
  std::atomic<bool> spent_{false};
  std::atomic<bool> full_{false};
  Mutex mutex_;
  uint64_t wanted_ ABSL_GUARDED_BY(mutex_) = 0;
  bool supported_ ABSL_GUARDED_BY(mutex_) = false;
  bool has_holes_ ABSL_GUARDED_BY(mutex_) = false;
  std::chrono::steady_clock::time_point tried_at_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace rumcask

#endif  // RUMCASK_CORE_SYSTEM_SPACE_RESERVE_H_
