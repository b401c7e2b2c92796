// An index on disk whose disk is memory, and which after a crash is in whatever state an index may
// be in, or worse.

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
  kFlushed,  // nothing of it
  // Beyond what an index may do, and yet no reason to lose anything: each has to be noticed.
  kOlder,      // as it was before some earlier flush, as after a restored backup
  kNewer,      // its position is beyond the log
  kForeign,    // another history's
  kEmpty,      // no file
  kTooNew,     // of a format that is not known yet
  kBroken,     // can't be opened
  kNoEntries,  // a position, and nothing else
};
const char* IndexFateName(IndexFate fate);
inline constexpr IndexFate kAllowedFates[] = {IndexFate::kLatest, IndexFate::kPrefix,
                                              IndexFate::kFlushed};
inline constexpr IndexFate kAllFates[] = {
    IndexFate::kLatest, IndexFate::kPrefix,   IndexFate::kFlushed, IndexFate::kOlder,
    IndexFate::kNewer,  IndexFate::kForeign,  IndexFate::kEmpty,   IndexFate::kTooNew,
    IndexFate::kBroken, IndexFate::kNoEntries};

// The disk that one database's index is on. Outlives the indexes that are opened on it;
// thread-safe.
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

  // A keystore whose index is here; `name` goes into MANIFEST.
  KeystoreFactory Keystore(const std::string& name, bool looks_cheaply);

  // A disk as a crash at this moment may leave this one; this one goes on.
  std::shared_ptr<AdversarialDisk> Cut(IndexFate fate, uint64_t seed) const;

  // Called after every "apply" and "flush" that succeeded, before every "get" looks and after it
  // has
  // ("got"), by their thread. Null: no more.
  void SetObserver(std::function<void(const char* what)> observer);
  // From now on every Apply fails so; OK: no more.
  void FailApply(absl::Status status);
  // The next `flushes` Flushes say OK before anything is durable. It is so only after the next one.
  void Lag(uint64_t flushes);
  // Flushes that were to be called so, and were not yet.
  uint64_t lagging() const;
  // From now on the `call`-th call of the index - opening, Get, Scan, Apply, Flush, GetNote - fails
  // so, and with `for_ever` all after it. OK: none. Returns the counts until now, beside which no
  // call was missed.
  struct Counts {
    uint64_t calls = 0;
    uint64_t failed = 0;
  };
  Counts FailCalls(uint64_t call, absl::Status status, bool for_ever);
  // Calls since, and those that failed.
  uint64_t calls() const;
  uint64_t failed_calls() const;
  // Changes what is there, as a failing disk does.
  void Tamper(const std::function<void(State*)>& change);
  // Applies that succeeded.
  uint64_t applied() const;
  State latest() const;

 private:
  class Index;
  AdversarialDisk() = default;
  void Observe(const char* what) const;
  // What a call begins with: counts it, and returns the error if it shall fail.
  absl::Status Begin();

  mutable Mutex mutex_;
  // What there is now, last; before it everything back to the last flush.
  std::vector<Image> history_ ABSL_GUARDED_BY(mutex_);
  // As flushed, and before.
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
