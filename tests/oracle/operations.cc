#include "tests/oracle/operations.h"

#include "absl/strings/str_cat.h"

#include "core/stats.h"

namespace rumcask {

void Apply(const Operations& operations, State* state) {
  for (const auto& [key, value] : operations) {
    if (value.has_value()) {
      (*state)[key] = *value;
    } else {
      state->erase(key);
    }
  }
}

absl::Status Perform(const Operations& operations, DB* db, const WriteOptions& options,
                     WriteResult* result) {
  if (operations.size() == 1) {
    const auto& [key, value] = operations.front();
    return value.has_value() ? db->Put(key, *value, options, result)
                             : db->Delete(key, options, result);
  }
  WriteBatch batch;
  // About half of the batches have a requirement. It holds, so the result is that of the batch
  // without it; only the way through the code differs.
  const std::string& first = operations.front().first;
  if (!first.empty() && first.back() % 2 == 0) batch.Require("a key that nobody writes", 0);
  for (const auto& [key, value] : operations) {
    if (value.has_value()) {
      batch.Put(key, *value);
    } else {
      batch.Delete(key);
    }
  }
  return db->Write(batch, options, result);
}

absl::Status ReadVersions(DB* db, const State& found, Versions* versions) {
  std::string value;
  for (const auto& [key, expected] : found) {
    absl::Status status = db->Get(key, &value, {}, &(*versions)[key]);
    if (!status.ok()) return status;
  }
  return absl::OkStatus();
}

std::string Difference(const State& found, const State& expected) {
  for (const auto& [key, value] : expected) {
    auto it = found.find(key);
    if (it == found.end()) return absl::StrCat("key ", key, " is missing");
    if (it->second != value) {
      return absl::StrCat("key ", key, " has ", it->second.substr(0, 20), " instead of ",
                          value.substr(0, 20));
    }
  }
  for (const auto& [key, value] : found) {
    if (expected.count(key) == 0) return absl::StrCat("key ", key, " should not be there");
  }
  return "no difference";
}

absl::Status Iterate(DB* db, State* state, bool ordered) {
  IteratorOptions options;
  options.ordered = ordered;
  auto it = db->NewIterator(options);
  if (!it.ok()) return it.status();
  std::string last;
  for (; (*it)->Valid(); (*it)->Next()) {
    std::string key((*it)->key());
    if (ordered && !last.empty() && key <= last) {
      return absl::UnknownError(absl::StrCat("iterator returned ", key, " after ", last));
    }
    if (!state->emplace(key, (*it)->value()).second) {
      return absl::UnknownError(absl::StrCat("iterator returned a key twice: ", key));
    }
    last = std::move(key);
  }
  return (*it)->status();
}

absl::Status ReadAll(DB* db, State* state, bool ordered) {
  absl::Status status = Iterate(db, state, ordered);
  if (!status.ok()) return status;
  if (db->GetStats().keys_exact && db->KeyCount() != state->size()) {
    return absl::UnknownError("count differs from iteration");
  }
  std::string value;
  for (const auto& [key, expected] : *state) {
    status = db->Get(key, &value);
    if (absl::IsNotFound(status))
      return absl::UnknownError("get does not find what iterator found");
    if (!status.ok()) return status;
    if (value != expected) return absl::UnknownError("get and iterator differ");
  }
  return absl::OkStatus();
}

}  // namespace rumcask
