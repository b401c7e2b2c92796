// Several writes that happen together or not at all. Public.

#ifndef RUMCASK_CORE_WRITE_BATCH_H_
#define RUMCASK_CORE_WRITE_BATCH_H_

#include "rumcask/require_cxx17.h"

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "rumcask/limits.h"

namespace rumcask {

// Collects puts and deletes for DB::Write. After a crash, and for every reader that starts after
// Write has returned, either all of them have happened or none. Each operation gets its own
// version, in the order of the calls; if several name the same key, the last one wins.
//
// With Require the batch depends on keys being as they were read, those that it writes as well as
// others. So reading some keys, computing, and writing a batch that requires the versions that were
// read is an optimistic transaction: it takes effect as if it had run alone at the moment of the
// write, or it is refused, and is to be run again. For that, every key that was looked up must be
// required, those that were missing at version 0. What nobody looked up by its key is not noticed:
// if keys were walked or counted, one may have come in between them; let who adds one write a key
// of the range's own as well, and require that. Who reads at one snapshot computes with values
// that were there together; otherwise they may not have been, which is found out only at the write.
//
// The batch holds copies of keys and values. It can be reused: Clear keeps its memory. Not
// thread-safe. DB::Write does not change it, so a batch may be written to several databases, unless
// it requires versions, which are one database's own.
class WriteBatch {
 public:
  // These add an operation. Keys and values are checked only by DB::Write.
  void Put(std::string_view key, std::string_view value);
  void Delete(std::string_view key);

  // The batch is written only if `key` is at this version then; 0 means that the key must be
  // missing. What the batch itself does to the key does not count, and neither does the order of
  // the calls. Several requirements of one key must all hold. They take nothing in the log.
  void Require(std::string_view key, uint64_t version);

  // Forgets operations and requirements.
  void Clear();

  // The number of operations.
  size_t count() const { return operations_.size(); }
  // Whether there is no operation; there may be requirements.
  bool empty() const { return operations_.empty(); }
  // The number of bytes it will take in the log; at most kMaxBatchBytes can be written.
  uint64_t encoded_bytes() const { return encoded_bytes_; }

  // A put, or a delete, which has no value. The views are valid until the batch is changed.
  struct Operation {
    std::string_view key;
    std::string_view value;
    bool is_delete;
  };
  // What Require was called with. The view is valid until the batch is changed.
  struct Requirement {
    std::string_view key;
    uint64_t version;
  };
  // Operations and requirements are in the order of the calls; `i` must be less than count().
  Operation operation(size_t i) const;
  // The number of requirements.
  size_t requirement_count() const { return requirements_.size(); }
  // `i` must be less than requirement_count().
  Requirement requirement(size_t i) const;

 private:
  // Keys and values lie one after the other in data_.
  struct StoredOperation {
    size_t begin;
    size_t key_bytes;
    size_t value_bytes;
    bool is_delete;
  };
  struct StoredRequirement {
    size_t begin;
    size_t key_bytes;
    uint64_t version;
  };

  std::string data_;
  std::vector<StoredOperation> operations_;
  std::vector<StoredRequirement> requirements_;
  uint64_t encoded_bytes_ = 0;
};

}  // namespace rumcask

#endif  // RUMCASK_CORE_WRITE_BATCH_H_
