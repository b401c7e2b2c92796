// The writes of a ModelRun. Each is made on the database and on the map.

#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"

#include "core/db.h"
#include "core/write_batch.h"
#include "tests/model/model_run.h"

namespace rumcask {

void ModelRun::Put() {
  const std::string& key = AnyKey();
  const std::string value = AnyValue();
  const bool existed = model_.count(key) > 0;
  WriteResult result;
  const bool asks = !OneIn(4);
  const absl::Status status = db_->Put(key, value, AnyWriteOptions(), asks ? &result : nullptr);
  if (!CheckStatus(status, absl::StatusCode::kOk, "Put")) return;
  if (!asks) {
    std::string ignored;
    (void)db_->Get(key, &ignored, {}, &result.version);
  }
  Check(!asks || result.existed == existed, "Put: existed");
  NoteVersion(result.version, "Put");
  model_[key] = {value, result.version};
  Get(key);
}

void ModelRun::Delete() {
  const std::string& key = AnyKey();
  const bool existed = model_.erase(key) > 0;
  WriteResult result;
  const absl::Status status = db_->Delete(key, AnyWriteOptions(), &result);
  if (!CheckStatus(status, absl::StatusCode::kOk, "Delete")) return;
  Check(result.existed == existed, "Delete: existed");
  if (existed) {
    NoteVersion(result.version, "Delete");
  } else {
    Check(result.version == 0, "Delete of a missing key: version");
  }
  Get(key);
}

void ModelRun::Batch() {
  WriteBatch batch;
  std::vector<std::pair<std::string, std::optional<std::string>>> operations;
  for (uint64_t n = OneIn(20) ? 60 : Random(8); n > 0; --n) {
    // Some keys occur twice in a batch.
    const std::string key = !operations.empty() && OneIn(4) ? operations.back().first : AnyKey();
    if (OneIn(3)) {
      batch.Delete(key);
      operations.emplace_back(key, std::nullopt);
    } else {
      operations.emplace_back(key, AnyValue());
      batch.Put(key, *operations.back().second);
    }
  }
  // At which version is the key for which it is to be refused, if any?
  std::optional<uint64_t> refused_at;
  for (uint64_t n = OneIn(3) ? 1 + Random(4) : 0; n > 0; --n) {
    const std::string key = !operations.empty() && OneIn(2) ? operations.back().first : AnyKey();
    const uint64_t before = VersionOf(key);
    const uint64_t asked = OneIn(6) ? Random(last_version_ + 2) : before;
    batch.Require(key, asked);
    if (asked != before && !refused_at.has_value()) refused_at = before;
  }
  WriteResult result;
  const absl::Status status = db_->Write(batch, AnyWriteOptions(), &result);
  if (refused_at.has_value()) {
    if (!CheckStatus(status, absl::StatusCode::kAborted, "Write with a requirement")) return;
    Check(result.version == *refused_at, "Write: version of what is there");
    Check(result.existed == (*refused_at != 0), "Write: existed");
    for (const auto& [key, value] : operations) Get(key);
    return;
  }
  if (!CheckStatus(status, absl::StatusCode::kOk, "Write")) return;
  if (operations.empty()) {
    Check(result.version == 0, "Write of nothing: version");
    return;
  }
  // Each operation has a version of its own; they follow the order of the batch.
  uint64_t version = result.version - operations.size() + 1;
  for (const auto& [key, value] : operations) {
    NoteVersion(version, "Write");
    if (value.has_value()) {
      model_[key] = {*value, version};
    } else {
      model_.erase(key);
    }
    ++version;
  }
  for (const auto& [key, value] : operations) Get(key);
}

void ModelRun::PutIfAbsent() {
  const std::string& key = AnyKey();
  const std::string value = AnyValue();
  const uint64_t before = VersionOf(key);
  WriteResult result;
  const absl::Status status = db_->PutIfAbsent(key, value, AnyWriteOptions(), &result);
  const absl::StatusCode expected =
      before == 0 ? absl::StatusCode::kOk : absl::StatusCode::kAlreadyExists;
  if (!CheckStatus(status, expected, "PutIfAbsent")) return;
  Check(result.existed == (before != 0), "PutIfAbsent: existed");
  if (before == 0) {
    NoteVersion(result.version, "PutIfAbsent");
    model_[key] = {value, result.version};
  } else {
    Check(result.version == before, "PutIfAbsent: version of what is there");
  }
  Get(key);
}

void ModelRun::CompareAndPut() {
  const std::string& key = AnyKey();
  const std::string value = AnyValue();
  const uint64_t before = VersionOf(key);
  const uint64_t asked = OneIn(3) ? Random(last_version_ + 2) : OneIn(4) ? 0 : before;
  WriteResult result;
  const absl::Status status = db_->CompareAndPut(key, value, asked, AnyWriteOptions(), &result);
  const absl::StatusCode expected =
      asked == before ? absl::StatusCode::kOk : absl::StatusCode::kAborted;
  if (!CheckStatus(status, expected, "CompareAndPut")) return;
  Check(result.existed == (before != 0), "CompareAndPut: existed");
  if (asked == before) {
    NoteVersion(result.version, "CompareAndPut");
    model_[key] = {value, result.version};
  } else {
    Check(result.version == before, "CompareAndPut: version of what is there");
  }
  Get(key);
}

void ModelRun::CompareAndDelete() {
  const std::string& key = AnyKey();
  const uint64_t before = VersionOf(key);
  const uint64_t asked = OneIn(3) ? Random(last_version_ + 2) : OneIn(4) ? 0 : before;
  WriteResult result;
  const absl::Status status = db_->CompareAndDelete(key, asked, AnyWriteOptions(), &result);
  const absl::StatusCode expected =
      asked == before ? absl::StatusCode::kOk : absl::StatusCode::kAborted;
  if (!CheckStatus(status, expected, "CompareAndDelete")) return;
  Check(result.existed == (before != 0), "CompareAndDelete: existed");
  if (asked == before && before != 0) {
    NoteVersion(result.version, "CompareAndDelete");
    model_.erase(key);
  } else {
    Check(result.version == before, "CompareAndDelete: version of what is there");
  }
  Get(key);
}

void ModelRun::Refused() {
  WriteBatch batch;
  batch.Put(AnyKey(), "v");
  batch.Put("", "v");
  const std::string long_key(65536, 'k');
  for (const absl::Status& status :
       {db_->Put("", "v"), db_->Put(long_key, "v"), db_->Delete(""), db_->PutIfAbsent("", "v"),
        db_->CompareAndPut(long_key, "v", 0), db_->CompareAndDelete("", 0), db_->Write(batch),
        db_->Get("").status(), db_->Get(long_key).status()}) {
    CheckStatus(status, absl::StatusCode::kInvalidArgument, "a bad key");
  }
  IteratorOptions ordered;
  ordered.ordered = true;
  CheckStatus(db_->NewIterator(ordered).status(),
              ordered_ ? absl::StatusCode::kOk : absl::StatusCode::kUnimplemented,
              "an ordered iterator");
}

}  // namespace rumcask
