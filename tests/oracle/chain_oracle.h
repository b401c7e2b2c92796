// What a database must hold after the n-th crash in a row on one directory, and who says so.
//
// One thread writes. What may be found is the state after all writes up to some one: the prefix
// property. After the death of the process that is no earlier one than the last that returned OK;
// after a power cut no earlier one than the last that anything vouched for. A write that returned
// an error may be found or not, and stays so.

#ifndef RUMCASK_TESTS_ORACLE_CHAIN_ORACLE_H_
#define RUMCASK_TESTS_ORACLE_CHAIN_ORACLE_H_

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "core/system/mutex.h"
#include "tests/oracle/operations.h"
#include "tests/oracle/voucher.h"

namespace rumcask {

// What is promised at one moment.
struct ChainPromise {
  uint64_t returned = 0;  // of the last write that returned OK
  uint64_t vouched = 0;
  Voucher by = Voucher::kNobody;
  std::string ToString() const;
};

class ChainOracle {
 public:
  struct Entry {
    std::string value;
    uint64_t version = 0;  // 0: not known
  };
  using State = std::map<std::string, Entry>;

  // A write that returned OK with the version of its last operation. Says what is wrong with that,
  // or nothing: a version is never given out twice, whatever became of the first.
  std::string Wrote(uint64_t version, Operations operations);
  // A write that returned an error.
  void Failed(Operations operations);
  void Vouch(Voucher by, uint64_t version);
  // A crash at the moment of `promise`: what was acknowledged later was so in vain.
  void Forget(const ChainPromise& promise);

  // From any thread.
  ChainPromise promise() const;
  // The last write to the key, 0 if none is known.
  uint64_t LastVersionOf(const std::string& key) const;
  // After all writes that returned OK.
  State Now() const;
  size_t failed_writes() const;

  // Whether `found` is the state after all writes up to one through `floor` or later. If so, that
  // is what was written from now on, and the later ones never were; otherwise says what is wrong.
  std::string Settle(const State& found, uint64_t floor);

 private:
  struct Written {
    // Of the last operation. Of a write that failed nobody was told it: that of the one before.
    uint64_t version;
    bool ok;         // or else it may be there or not
    bool versioned;  // it returned OK
    Operations operations;
  };

  static void Apply(const Written& write, State* state);
  // Whether the first so many writes leave what was found, failed ones counted where their bit in
  // `kept` is set: `*fewest` at the least, `*count` at the most.
  bool Matches(const State& found, uint64_t floor, uint64_t kept, size_t* fewest,
               size_t* count) const;
  std::string Difference(const State& found, uint64_t floor) const;

  State base_;  // before all of writes_
  std::vector<Written> writes_;
  std::map<std::string, uint64_t> last_versions_;  // of keys, deletes included
  uint64_t highest_ = 0;                           // that was ever given out, as is known
  uint64_t highest_told_ = 0;                      // that the dead processes had told of
  mutable Mutex mutex_;
  ChainPromise promise_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace rumcask

#endif  // RUMCASK_TESTS_ORACLE_CHAIN_ORACLE_H_
