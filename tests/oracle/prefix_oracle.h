// What a database must hold after a crash: the state after some prefix of its writes.
//
// A run is a list of writes, each with the versions that the database gave its operations. What may
// be found after a crash is the state after all writes up to some version c: the prefix property.
// How low c may be depends on what had been acknowledged: after the death of the process,
// everything that returned OK; after a power cut, everything that a sync returned OK for.

#ifndef RUMCASK_TESTS_ORACLE_PREFIX_ORACLE_H_
#define RUMCASK_TESTS_ORACLE_PREFIX_ORACLE_H_

#include <cstdint>
#include <map>
#include <string>

#include "absl/status/status.h"

#include "core/db.h"
#include "core/system/mutex.h"
#include "tests/oracle/operations.h"

namespace rumcask {

// What acknowledgements promise at one moment.
struct Promise {
  uint64_t returned = 0;  // every write with a version up to this has returned OK
  uint64_t synced = 0;    // every write with a version up to this survives a power cut
};

// Does writes on a database and remembers them. Thread-safe, except SetDb and state functions.
class PrefixOracle {
 public:
  PrefixOracle() = default;
  // Knows the writes that `other` does, of which no more is promised than `promise`. Has no
  // database yet.
  PrefixOracle(const PrefixOracle& other, const Promise& promise);

  // Writes from here on go to `db`.
  void SetDb(DB* db) { db_ = db; }
  DB* db() const { return db_; }

  // Each returns what the database returned. Writes that fail are expected to have left nothing.
  absl::Status Put(const std::string& key, const std::string& value, bool sync = false);
  absl::Status Delete(const std::string& key, bool sync = false);
  absl::Status Write(const Operations& operations, bool sync = false);
  absl::Status Sync();
  // After a clean Close everything is durable.
  absl::Status Close();
  // What a reopening found is the truth from now on: writes that it did not find never were.
  void Forget(uint64_t above);

  Promise promise() const;
  uint64_t last_version() const;
  // The version of the last write with a version up to `version`. Compaction takes numbers, too.
  uint64_t LastWriteThrough(uint64_t version) const;

  // Whether `found`, with these versions, is the state after all writes up to some version >=
  // `floor`; then `*cut` is the highest such version among those recorded. Otherwise says what is
  // wrong.
  bool Explains(const State& found, const Versions& versions, uint64_t floor, uint64_t* cut,
                std::string* why) const;
  // The state after all writes up to `version`.
  State StateAt(uint64_t version) const;

 private:
  struct Written {
    uint64_t version;  // of the last operation
    Operations operations;
  };

  absl::Status Record(Operations operations, bool sync, const WriteResult& result,
                      absl::Status status);

  DB* db_ = nullptr;
  mutable Mutex mutex_;
  std::map<uint64_t, Written> writes_ ABSL_GUARDED_BY(mutex_);
  uint64_t synced_ ABSL_GUARDED_BY(mutex_) = 0;
  uint64_t returned_ ABSL_GUARDED_BY(mutex_) = 0;
};

}  // namespace rumcask

#endif  // RUMCASK_TESTS_ORACLE_PREFIX_ORACLE_H_
