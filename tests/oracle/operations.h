// Writes as the oracles know them, and what they make of a database's contents.

#ifndef RUMCASK_TESTS_ORACLE_OPERATIONS_H_
#define RUMCASK_TESTS_ORACLE_OPERATIONS_H_

#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"

#include "core/db.h"

namespace rumcask {

// A put, or without a value a delete.
using Operation = std::pair<std::string, std::optional<std::string>>;
// A write: one operation, or a batch.
using Operations = std::vector<Operation>;
// The contents of a database.
using State = std::map<std::string, std::string>;

// Changes `*state` as the write would.
void Apply(const Operations& operations, State* state);

// Does the write on a database: one operation by Put or Delete, others as a batch, which has a
// requirement if they are an even number. `result` may be null.
absl::Status Perform(const Operations& operations, DB* db, const WriteOptions& options,
                     WriteResult* result = nullptr);

// The version of each key.
using Versions = std::map<std::string, uint64_t>;
// Of those that were found.
absl::Status ReadVersions(DB* db, const State& found, Versions* versions);

// The first key in which two states differ, for a failure message.
std::string Difference(const State& found, const State& expected);

// Adds all that an iterator yields to `*state`, which has what came before an error. UnknownError,
// which no database returns, if a key comes twice or, where order is asked for, at the wrong place.
absl::Status Iterate(DB* db, State* state, bool ordered = false);
// The same, with UnknownError if the count of keys or a Get differs from it.
absl::Status ReadAll(DB* db, State* state, bool ordered = false);

}  // namespace rumcask

#endif  // RUMCASK_TESTS_ORACLE_OPERATIONS_H_
