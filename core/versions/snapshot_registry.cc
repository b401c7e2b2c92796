#include "core/versions/snapshot_registry.h"

#include <algorithm>
#include <chrono>
#include <iterator>
#include <thread>

#include "absl/strings/str_cat.h"

#include "core/plugin/keystore.h"

namespace rumcask {
namespace {

// Snapshots that one change gives up at most, since there may be many that own nothing.
constexpr int kGivenUpAtOnce = 64;
// Pause between two slices in the background. A thread that waits for the keystore's lock sleeps,
// and waking it takes longer than beginning the next slice: without a pause it would get the lock
// only when everything is forgotten.
constexpr std::chrono::microseconds kPause(100);

}  // namespace

class SnapshotRegistry::Held : public KeystoreSnapshot {
 public:
  Held(uint64_t sequence, SnapshotRegistry* registry)
      : KeystoreSnapshot(sequence), registry_(registry) {}
  ~Held() override { registry_->Release(this); }

  std::shared_ptr<Moment> moment;

 private:
  SnapshotRegistry* const registry_;
};

// ---- opening and ending ----

std::shared_ptr<const KeystoreSnapshot> SnapshotRegistry::Take(uint64_t sequence) {
  auto held = std::make_shared<Held>(sequence, this);
  MutexLock lock(mutex_);
  std::shared_ptr<Moment>& moment = open_[sequence];
  if (moment == nullptr) moment = std::make_shared<Moment>();
  held->moment = moment;
  ++moment->holders;
  ++holders_;
  Note();
  return held;
}

absl::Status SnapshotRegistry::Check(const KeystoreSnapshot& snapshot) {
  if (!static_cast<const Held&>(snapshot).moment->given_up.load(std::memory_order_acquire)) {
    return absl::OkStatus();
  }
  return absl::ResourceExhaustedError(
      absl::StrCat("the snapshot of version ", snapshot.sequence(),
                   " was given up: it and older ones kept more memory than max_undo_bytes, or too "
                   "much of the log"));
}

void SnapshotRegistry::Release(Held* held) {
  {
    MutexLock lock(mutex_);
    Moment& moment = *held->moment;
    --moment.holders;
    if (!moment.given_up.load(std::memory_order_relaxed)) {
      --holders_;
      if (moment.holders == 0) End(open_.find(held->sequence()));
    }
    if (ended_.empty()) return;
  }
  ForgetSlice(kSlice);
}

void SnapshotRegistry::End(Moments::iterator moment) {
  const uint64_t records = moment->second->records;
  open_records_ -= records;
  ended_records_ += records;
  if (records > 0) ended_.push_back({moment->first, records});
  open_.erase(moment);
  Note();
}

void SnapshotRegistry::Note() {
  busy_.store(open_.size() + ended_.size(), std::memory_order_relaxed);
  newest_.store(open_.empty() ? 0 : std::prev(open_.end())->first, std::memory_order_relaxed);
  wants_help_.store(!background_ && !ended_.empty(), std::memory_order_relaxed);
}

SnapshotUsage SnapshotRegistry::Usage() const {
  MutexLock lock(mutex_);
  return {holders_, undo_bytes_.load(std::memory_order_relaxed), looked_at_};
}

// ---- keeping ----

std::optional<uint64_t> SnapshotRegistry::AssignLocked(uint64_t begin, uint64_t end) {
  auto it = open_.lower_bound(end);
  if (it == open_.begin() || (--it)->first < begin) return std::nullopt;
  ++it->second->records;
  ++open_records_;
  return it->first;
}

std::optional<uint64_t> SnapshotRegistry::Assign(uint64_t begin, uint64_t end) {
  MutexLock lock(mutex_);
  for (int i = 0; i < kGivenUpAtOnce && !open_.empty() && IsFarAboveBound(); ++i) {
    GiveUp(open_.begin());
  }
  return AssignLocked(begin, end);
}

std::optional<uint64_t> SnapshotRegistry::Reassign(uint64_t begin, uint64_t end) {
  MutexLock lock(mutex_);
  return AssignLocked(begin, end);
}

bool SnapshotRegistry::IsFarAboveBound() const {
  const uint64_t bytes = undo_bytes_.load(std::memory_order_relaxed);
  return bytes > max_undo_bytes_ && bytes - max_undo_bytes_ > max_undo_bytes_ / 8;
}

void SnapshotRegistry::GiveUp(Moments::iterator moment) {
  moment->second->given_up.store(true, std::memory_order_release);
  holders_ -= moment->second->holders;
  End(moment);
}

void SnapshotRegistry::GiveUpBeyondBound() {
  const uint64_t bytes = undo_bytes_.load(std::memory_order_relaxed);
  // Assumes that all records have about the same size.
  const double each =
      static_cast<double>(bytes) / static_cast<double>(open_records_ + ended_records_);
  for (int i = 0; i < kGivenUpAtOnce && open_records_ > 0; ++i) {
    if (static_cast<double>(open_records_) * each <= static_cast<double>(max_undo_bytes_)) break;
    GiveUp(open_.begin());
  }
}

bool SnapshotRegistry::GiveUpOldest() {
  {
    MutexLock lock(mutex_);
    if (open_.empty()) return false;
    GiveUp(open_.begin());
  }
  ForgetSlice(kSlice);
  return true;
}

void SnapshotRegistry::KeepUp() {
  const bool above = undo_bytes_.load(std::memory_order_relaxed) > max_undo_bytes_;
  if (!above && !wants_help_.load(std::memory_order_relaxed)) return;
  if (above) {
    MutexLock lock(mutex_);
    GiveUpBeyondBound();
  }
  ForgetSlice(kHelp);
}

// ---- forgetting ----

bool SnapshotRegistry::ForgetSome(size_t most) {
  {
    MutexLock lock(mutex_);
    if (forgetting_) return false;
    forgetting_ = true;
  }
  while (true) {
    uint64_t sequence = 0;
    size_t count = 0;
    {
      MutexLock lock(mutex_);
      if (ended_.empty() || most == 0 || stopping_) {
        forgetting_ = false;
        forgotten_.NotifyAll();
        return !ended_.empty() && !stopping_;
      }
      sequence = ended_.front().sequence;
      count = std::min<uint64_t>(most, ended_.front().records);
    }
    forget_(sequence, count);
    most -= count;
    MutexLock lock(mutex_);
    looked_at_ += count;
    ended_records_ -= count;
    ended_.front().records -= count;
    if (ended_.front().records == 0) ended_.pop_front();
    Note();
  }
}

void SnapshotRegistry::ForgetSlice(size_t most) {
  if (!ForgetSome(most)) return;
  {
    MutexLock lock(mutex_);
    if (!background_) return;
  }
  if (!started_.exchange(true)) StartThread();
  thread_.Wake();
}

// Without holding the registry's lock, for which changes to the database wait.
void SnapshotRegistry::StartThread() {
  MutexLock starting(start_mutex_);
  {
    MutexLock lock(mutex_);
    if (!background_) return;  // Finish or Stop was called first
  }
  const auto forget = [this](bool) { ForgetInBackground(); };
  if (thread_.Start(std::chrono::milliseconds(0), forget).ok()) return;
  MutexLock lock(mutex_);
  background_ = false;
  Note();
}

void SnapshotRegistry::StopThread() {
  MutexLock starting(start_mutex_);
  thread_.Stop();
}

void SnapshotRegistry::ForgetInBackground() {
  while (ForgetSome(kSlice)) std::this_thread::sleep_for(kPause);
}

void SnapshotRegistry::Finish() {
  {
    MutexLock lock(mutex_);
    background_ = false;
    Note();
  }
  StopThread();
  while (true) {
    {
      MutexLock lock(mutex_);
      while (forgetting_) forgotten_.Wait(mutex_);
      if (ended_.empty()) return;
    }
    (void)ForgetSome(kSlice);
  }
}

void SnapshotRegistry::Stop() {
  {
    MutexLock lock(mutex_);
    stopping_ = true;
    background_ = false;
  }
  StopThread();
}

}  // namespace rumcask
