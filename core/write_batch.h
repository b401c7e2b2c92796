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
// The batch holds copies of keys and values. It can be reused: Clear keeps its memory. Not
// thread-safe. DB::Write does not change it, so one batch may be written to several databases.
class WriteBatch {
 public:
  void Put(std::string_view key, std::string_view value);
  void Delete(std::string_view key);
  void Clear();

  size_t count() const { return operations_.size(); }
  bool empty() const { return operations_.empty(); }
  // The number of bytes it will take in the log; at most kMaxBatchBytes can be written.
  uint64_t encoded_bytes() const { return encoded_bytes_; }

 private:
  friend class DB;

  // Keys and values lie one after the other in data_.
  struct Operation {
    size_t begin;
    size_t key_bytes;
    size_t value_bytes;
    bool is_delete;
  };

  std::string data_;
  std::vector<Operation> operations_;
  uint64_t encoded_bytes_ = 0;
};

}  // namespace rumcask

#endif  // RUMCASK_CORE_WRITE_BATCH_H_
