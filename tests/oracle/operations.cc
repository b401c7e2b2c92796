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
  for (const auto& [key, value] : operations) {
    if (value.has_value()) {
      batch.Put(key, *value);
    } else {
      batch.Delete(key);
    }
  }
  return db->Write(batch, options, result);
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

absl::Status Iterate(DB* db, State* state) {
  auto it = db->NewIterator();
  if (!it.ok()) return it.status();
  for (; (*it)->Valid(); (*it)->Next()) {
    if (!state->emplace((*it)->key(), (*it)->value()).second) {
      return absl::InternalError("iterator returned a key twice");
    }
  }
  return (*it)->status();
}

absl::Status ReadAll(DB* db, State* state) {
  absl::Status status = Iterate(db, state);
  if (!status.ok()) return status;
  if (db->GetStats().keys_exact && db->KeyCount() != state->size()) {
    return absl::InternalError("count differs from iteration");
  }
  std::string value;
  for (const auto& [key, expected] : *state) {
    status = db->Get(key, &value);
    if (!status.ok()) return status;
    if (value != expected) return absl::InternalError("get and iterator differ");
  }
  return absl::OkStatus();
}

}  // namespace rumcask
