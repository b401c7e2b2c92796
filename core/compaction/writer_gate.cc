#include "core/compaction/writer_gate.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "core/system/seeded_bug.h"

namespace rumcask {
namespace {

// A writer that waits looks again after this time, whatever it is told.
constexpr std::chrono::milliseconds kLongestWait(100);

}  // namespace

void WriterGate::Watch(std::function<absl::Status()> wake) {
  MutexLock lock(mutex_);
  wake_ = std::move(wake);
  limit_.store(0, std::memory_order_relaxed);
}

bool WriterGate::Wake() {
  MutexLock lock(mutex_);
  return wake_ != nullptr && wake_().ok();
}

void WriterGate::SetRoom(const Room& room) {
  MutexLock lock(mutex_);
  room_ = room;
  given_back_ = 0;
  open_ = false;
  woken_ = false;
  refusal_ = absl::OkStatus();
  Changed();
}

void WriterGate::SetProgress(double gain, double share) {
  MutexLock lock(mutex_);
  given_back_ = gain * share;
  Changed();
}

void WriterGate::EndJob(double gain) {
  MutexLock lock(mutex_);
  room_.bytes += gain;
  given_back_ = 0;
  Changed();
}

void WriterGate::Open() {
  MutexLock lock(mutex_);
  open_ = true;
  woken_ = true;
  refusal_ = absl::OkStatus();
  Changed();
}

void WriterGate::Rearm() {
  MutexLock lock(mutex_);
  woken_ = false;
  Changed();
}

void WriterGate::Refuse(absl::Status reason) {
  MutexLock lock(mutex_);
  open_ = false;
  refusal_ = std::move(reason);
  Changed();
}

void WriterGate::Close() {
  MutexLock lock(mutex_);
  open_ = true;
  refusal_ = absl::OkStatus();
  wake_ = nullptr;
  Changed();
}

void WriterGate::Changed() {
  limit_.store(wake_ == nullptr ? UINT64_MAX : 0, std::memory_order_relaxed);
  changed_.NotifyAll();
}

double WriterGate::RoomNow() const {
  // A record that replaces one of its size takes its size away; so does a tombstone, and whatever
  // it deletes, as that does not count as live any longer.
  const auto born = static_cast<double>(space_->born() - room_.born);
  // Fewer, if what was assumed did not come true.
  const auto died = static_cast<double>(static_cast<int64_t>(space_->died() - room_.died));
  const double taken = room_.amplification * died - (room_.amplification - 1) * born;
  return room_.bytes + given_back_ - taken * room_.file_bytes_per_record_byte;
}

absl::Status WriterGate::PassSlowly() {
  MutexLock lock(mutex_);
  bool waited = false;
  while (true) {
    if (wake_ == nullptr) return absl::OkStatus();
    if (!refusal_.ok()) return refusal_;
    const uint64_t died = space_->died();
    const double room = open_ ? 0 : RoomNow();
    if (!woken_ && (open_ || room < room_.wake_below)) {
      woken_ = true;
      absl::Status status = wake_();
      if (!status.ok()) {
        woken_ = false;
        return status;
      }
    }
    if (open_ || SeededBug("writers-never-wait")) {
      // Until the next SetRoom, which comes from the one who was woken.
      limit_.store(UINT64_MAX, std::memory_order_relaxed);
      return absl::OkStatus();
    }
    if (room > 0) {
      // What dies takes at most this much room for each byte.
      const double cost = room_.amplification * room_.file_bytes_per_record_byte;
      const double until = woken_ ? room : room - room_.wake_below;
      limit_.store(died + 1 + static_cast<uint64_t>(std::max(0.0, until) / cost),
                   std::memory_order_relaxed);
      return absl::OkStatus();
    }
    if (!std::exchange(waited, true)) waits_.fetch_add(1, std::memory_order_relaxed);
    changed_.WaitFor(mutex_, kLongestWait);
  }
}

}  // namespace rumcask
