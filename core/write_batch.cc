#include "core/write_batch.h"

#include "core/format/format.h"

namespace rumcask {

void WriteBatch::Put(std::string_view key, std::string_view value) {
  operations_.push_back({data_.size(), key.size(), value.size(), false});
  data_.append(key);
  data_.append(value);
  encoded_bytes_ += RecordBytes(key.size(), value.size());
}

void WriteBatch::Delete(std::string_view key) {
  operations_.push_back({data_.size(), key.size(), 0, true});
  data_.append(key);
  encoded_bytes_ += RecordBytes(key.size(), 0);
}

void WriteBatch::Require(std::string_view key, uint64_t version) {
  requirements_.push_back({data_.size(), key.size(), version});
  data_.append(key);
}

void WriteBatch::Clear() {
  data_.clear();
  operations_.clear();
  requirements_.clear();
  encoded_bytes_ = 0;
}

WriteBatch::Operation WriteBatch::operation(size_t i) const {
  const StoredOperation& stored = operations_[i];
  const char* const key = data_.data() + stored.begin;
  return {{key, stored.key_bytes}, {key + stored.key_bytes, stored.value_bytes}, stored.is_delete};
}

WriteBatch::Requirement WriteBatch::requirement(size_t i) const {
  const StoredRequirement& stored = requirements_[i];
  return {{data_.data() + stored.begin, stored.key_bytes}, stored.version};
}

}  // namespace rumcask
