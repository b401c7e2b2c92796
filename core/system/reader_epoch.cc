#include "core/system/reader_epoch.h"

#include <pthread.h>

#include "core/system/seeded_bug.h"

namespace rumcask {
namespace {

// Slots are never freed, so that they can be walked without a lock: as many stay as there were
// threads at once.
std::atomic<ReaderSlot*> slots{nullptr};

// A key of the C library: its destructor runs after those of all thread-local objects, which may
// read in theirs, and again if another key's destructor has read since.
pthread_key_t slot_key;

void GiveBack(void* slot) {
  auto* const mine = static_cast<ReaderSlot*>(slot);
  mine->entered.store(0, std::memory_order_release);
  mine->taken.store(false, std::memory_order_release);
}

// In a forked child only one thread goes on. What the others announced would never end.
void ForgetOtherThreads(const ReaderSlot* mine) {
  for (ReaderSlot* slot = slots.load(); slot != nullptr; slot = slot->next) {
    if (slot != mine && !SeededBug("readers-of-the-parent-kept")) GiveBack(slot);
  }
}

}  // namespace

std::atomic<uint64_t> ReaderEpoch::now_{1};

ReaderSlot* ReaderEpoch::TakeSlot() {
  static const int prepared = [] {
    const int made = ::pthread_key_create(&slot_key, [](void* slot) {
      mine_ = nullptr;
      GiveBack(slot);
    });
    (void)::pthread_atfork(nullptr, nullptr, [] { ForgetOtherThreads(mine_); });
    return made;
  }();
  ReaderSlot* slot = slots.load();
  for (; slot != nullptr; slot = slot->next) {
    bool taken = false;
    if (slot->taken.compare_exchange_strong(taken, true)) break;
  }
  if (slot == nullptr) {
    slot = new ReaderSlot;
    slot->taken.store(true);
    slot->next = slots.load();
    while (!slots.compare_exchange_weak(slot->next, slot)) {
    }
  }
  // Without a key, a thread's slot is not used again.
  if (prepared == 0) (void)::pthread_setspecific(slot_key, slot);
  return mine_ = slot;
}

bool ReaderEpoch::HasPassed(uint64_t epoch) {
  for (const ReaderSlot* slot = slots.load(); slot != nullptr; slot = slot->next) {
    const uint64_t entered = slot->entered.load(std::memory_order_acquire);
    if (entered != 0 && entered < epoch) return false;
  }
  return true;
}

}  // namespace rumcask
