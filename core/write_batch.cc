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

void WriteBatch::Clear() {
  data_.clear();
  operations_.clear();
  encoded_bytes_ = 0;
}

}  // namespace rumcask
