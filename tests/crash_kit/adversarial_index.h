// An index on disk whose disk is memory, and which after a crash is in any state that an index may
// be in, or in a worse one.

#ifndef RUMCASK_TESTS_CRASH_KIT_ADVERSARIAL_INDEX_H_
#define RUMCASK_TESTS_CRASH_KIT_ADVERSARIAL_INDEX_H_

#include "rumcask/require_cxx17.h"

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "rumcask/keystore.h"
#include "rumcask/mutex.h"

namespace rumcask {

// What a crash leaves of an index.
enum class IndexFate {
  kLatest,   // everything that was applied
  kPrefix,   // some of what was applied since the last flush
  kFlushed,  // nothing of that
  // States that an index must not be in. None of them may lose data: core has to notice each.
  kOlder,      // as it was before some earlier flush, as after restoring a backup
  kNewer,      // its position is beyond the log
  kForeign,    // it belongs to another history
  kEmpty,      // there is no file
  kTooNew,     // it has a format that is not known yet
  kBroken,     // it cannot be opened
  kNoEntries,  // it has a position and nothing else
};
const char* IndexFateName(IndexFate fate);
inline constexpr IndexFate kAllowedFates[] = {IndexFate::kLatest, IndexFate::kPrefix,
                                              IndexFate::kFlushed};
inline constexpr IndexFate kAllFates[] = {
    IndexFate::kLatest, IndexFate::kPrefix,   IndexFate::kFlushed, IndexFate::kOlder,
    IndexFate::kNewer,  IndexFate::kForeign,  IndexFate::kEmpty,   IndexFate::kTooNew,
    IndexFate::kBroken, IndexFate::kNoEntries};

// The disk that holds the index of one database. Outlives the indexes that are opened on it.
// Thread-safe.
class AdversarialDisk : public std::enable_shared_from_this<AdversarialDisk> {
 public:
  struct State {
    std::map<std::string, std::string> entries;
    std::map<std::string, std::string> notes;
  };
  using Image = std::shared_ptr<const State>;

  static std::shared_ptr<AdversarialDisk> Make() {
    return std::shared_ptr<AdversarialDisk>(new AdversarialDisk);
  }

  // A keystore whose index is on this disk; `name` goes into MANIFEST.
  KeystoreFactory Keystore(const std::string& name, bool reports_replaced);

  // A disk as a crash at this moment may leave this one. This disk stays in use.
  std::shared_ptr<AdversarialDisk> Cut(IndexFate fate, uint64_t seed) const;

  // Sets a function that is called after every "apply" and "flush" that succeeded, before ("get")
  // and after ("got") every lookup, and after every scan that found something to look at
  // ("scanned"), by the calling thread. Null: none.
  void SetObserver(std::function<void(const char* what)> observer);
  // From now on every Apply fails with `status`. OK: no longer.
  void FailApply(absl::Status status);
  // The next `flushes` Flushes return OK before anything is durable. What they cover becomes
  // durable with the next Flush after them.
  void Lag(uint64_t flushes);
  // How many of those Flushes have not been called yet.
  uint64_t lagging() const;
  // From now on the `call`-th call of the index (opening, Get, Scan, Apply, Flush or GetNote) fails
  // with the given status, and with `for_ever` all calls after it do. OK: none. Returns the counts
  // up to now; no call is missed between them and the new plan.
  struct Counts {
    uint64_t calls = 0;
    uint64_t failed = 0;
  };
  Counts FailCalls(uint64_t call, absl::Status status, bool for_ever);
  // Calls since then, and how many of them failed.
  uint64_t calls() const;
  uint64_t failed_calls() const;
  // Changes the content, as a failing disk does.
  void Tamper(const std::function<void(State*)>& change);
  // The number of Applies that succeeded.
  uint64_t applied() const;
  State latest() const;

 private:
  class Index;
  AdversarialDisk() = default;
  void Observe(const char* what) const;
  // Called at the beginning of every call: counts it, and returns the error if it is to fail.
  absl::Status Begin();

  mutable Mutex mutex_;
  // The states since the last flush in ascending order; the last one is the current state.
  std::vector<Image> history_ ABSL_GUARDED_BY(mutex_);
  // The flushed states, in ascending order.
  std::vector<Image> flushed_ ABSL_GUARDED_BY(mutex_);
  bool broken_ ABSL_GUARDED_BY(mutex_) = false;
  absl::Status apply_error_ ABSL_GUARDED_BY(mutex_);
  std::function<void(const char*)> observer_ ABSL_GUARDED_BY(mutex_);
  uint64_t applied_ ABSL_GUARDED_BY(mutex_) = 0;
  uint64_t lagging_ ABSL_GUARDED_BY(mutex_) = 0;
  uint64_t calls_ ABSL_GUARDED_BY(mutex_) = 0;
  uint64_t failed_calls_ ABSL_GUARDED_BY(mutex_) = 0;
  uint64_t first_failing_ ABSL_GUARDED_BY(mutex_) = 0;
  bool fails_for_ever_ ABSL_GUARDED_BY(mutex_) = false;
  absl::Status call_error_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace rumcask

#endif  // RUMCASK_TESTS_CRASH_KIT_ADVERSARIAL_INDEX_H_
