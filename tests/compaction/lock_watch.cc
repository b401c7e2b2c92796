#include "tests/compaction/lock_watch.h"

#include <dlfcn.h>
#include <pthread.h>
#include <signal.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

#include <atomic>
#include <cstddef>
#include <cstdlib>
#include <mutex>
#include <type_traits>
#include <utility>

namespace rumcask {
namespace {

// A Mutex is one std::mutex, and that one pthread_mutex_t, each of which begins where it does.
static_assert(std::is_standard_layout_v<Mutex> && sizeof(Mutex) == sizeof(pthread_mutex_t));
const pthread_mutex_t* PthreadMutexOf(const Mutex& mutex) {
  return reinterpret_cast<const pthread_mutex_t*>(&mutex);
}

}  // namespace

bool HoldsLock(const Mutex& mutex) {
  // The owner is written by the one who locks and unlocks: whoever reads its own number there has
  // written it.
  const int owner = __atomic_load_n(&PthreadMutexOf(mutex)->__data.__owner, __ATOMIC_RELAXED);
  return owner == static_cast<int>(::syscall(SYS_gettid));
}

#ifdef RUMCASK_LOCK_WATCH

namespace {

constexpr size_t kMostCalls = 64;

std::atomic<const pthread_mutex_t*> watched{nullptr};
thread_local LockWatch* watch_of_thread = nullptr;

// Of the hold that goes on. A signal handler takes no memory.
struct Counts {
  uint64_t instructions;
  size_t calls;
  uint64_t numbers[kMostCalls];
};
Counts counts;

// Runs before each instruction.
void OnInstruction(int /*signal*/, siginfo_t* /*info*/, void* context) {
  const greg_t* const registers = static_cast<const ucontext_t*>(context)->uc_mcontext.gregs;
  const auto* const next = reinterpret_cast<const unsigned char*>(registers[REG_RIP]);
  ++counts.instructions;
  const bool is_system_call = next[0] == 0x0f && next[1] == 0x05;
  if (is_system_call && counts.calls < kMostCalls) {
    counts.numbers[counts.calls++] = static_cast<uint64_t>(registers[REG_RAX]);
  }
}

// The trap flag of the calling thread. Below the stack pointer lies what the compiler may use.
inline void BeginStepping() {
  asm volatile(
      "lea -128(%%rsp), %%rsp\n pushfq\n orq $0x100, (%%rsp)\n popfq\n lea 128(%%rsp), %%rsp"
      :
      :
      : "memory", "cc");
}
inline void EndStepping() {
  asm volatile(
      "lea -128(%%rsp), %%rsp\n pushfq\n andq $~0x100, (%%rsp)\n popfq\n lea 128(%%rsp), %%rsp"
      :
      :
      : "memory", "cc");
}

bool IsWatched(const pthread_mutex_t* mutex) {
  return mutex == watched.load(std::memory_order_relaxed) && watch_of_thread != nullptr;
}

void OnLocked(const pthread_mutex_t* mutex) {
  if (!IsWatched(mutex)) return;
  counts = Counts();
  BeginStepping();
}

void OnUnlock(const pthread_mutex_t* mutex) {
  if (!IsWatched(mutex)) return;
  EndStepping();
  Hold hold;
  hold.instructions = counts.instructions;
  hold.calls.assign(counts.numbers, counts.numbers + counts.calls);
  watch_of_thread->Note(std::move(hold));
}

// The C library's function of that name.
using Function = int (*)(pthread_mutex_t*);
Function TheLibrarys(std::atomic<Function>* known, const char* name) {
  Function function = known->load(std::memory_order_relaxed);
  if (function == nullptr) {
    function = reinterpret_cast<Function>(::dlsym(RTLD_NEXT, name));
    known->store(function, std::memory_order_relaxed);
  }
  return function;
}

}  // namespace

LockWatch::LockWatch(const Mutex& mutex) {
  struct sigaction action = {};
  action.sa_sigaction = OnInstruction;
  action.sa_flags = SA_SIGINFO;
  if (::sigaction(SIGTRAP, &action, nullptr) != 0) std::abort();
  watch_of_thread = this;
  watched.store(PthreadMutexOf(mutex), std::memory_order_relaxed);
}

LockWatch::~LockWatch() {
  watched.store(nullptr, std::memory_order_relaxed);
  watch_of_thread = nullptr;
  ::signal(SIGTRAP, SIG_DFL);
}

void LockWatch::Note(Hold hold) {
  hold.step = step_;
  holds_.push_back(std::move(hold));
}

#endif  // RUMCASK_LOCK_WATCH

}  // namespace rumcask

#ifdef RUMCASK_LOCK_WATCH

// The program's own come before those of the C library.

extern "C" int pthread_mutex_lock(pthread_mutex_t* mutex) noexcept {
  static std::atomic<rumcask::Function> lock{nullptr};
  const int error = rumcask::TheLibrarys(&lock, "pthread_mutex_lock")(mutex);
  if (error == 0) rumcask::OnLocked(mutex);
  return error;
}

extern "C" int pthread_mutex_trylock(pthread_mutex_t* mutex) noexcept {
  static std::atomic<rumcask::Function> trylock{nullptr};
  const int error = rumcask::TheLibrarys(&trylock, "pthread_mutex_trylock")(mutex);
  if (error == 0) rumcask::OnLocked(mutex);
  return error;
}

extern "C" int pthread_mutex_unlock(pthread_mutex_t* mutex) noexcept {
  static std::atomic<rumcask::Function> unlock{nullptr};
  rumcask::OnUnlock(mutex);
  return rumcask::TheLibrarys(&unlock, "pthread_mutex_unlock")(mutex);
}

#endif  // RUMCASK_LOCK_WATCH
