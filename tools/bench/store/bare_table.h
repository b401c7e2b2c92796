// The yardstick of gets and puts: what any table of digests over a log must do, and nothing else.

#ifndef RUMCASK_TOOLS_BENCH_STORE_BARE_TABLE_H_
#define RUMCASK_TOOLS_BENCH_STORE_BARE_TABLE_H_

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "absl/container/flat_hash_map.h"

#include "core/format/format.h"
#include "core/plugin/keystore.h"

namespace rumcask::bench {

// An absl::flat_hash_map from digest to place over a single mapping, with the store's own record
// layout, checksums and key digests. It has no locks, limits, errors or recovery. The mapping is
// shared memory with pages of 4 KiB, like that of a file, but no device ever writes it back.
class BareTable {
 public:
  // Has room for `log_bytes` of records. All of its pages exist beforehand.
  explicit BareTable(uint64_t log_bytes);
  ~BareTable();
  BareTable(const BareTable&) = delete;
  BareTable& operator=(const BareTable&) = delete;

  // An upsert in the table, a checksum, and a memcpy into a prefaulted mapping.
  void Put(std::string_view key, std::string_view value) {
    PreparedKey prepared(key);
    digests_->Digest(&prepared);
    const uint64_t at = end_;
    RecordHeader header;
    header.sequence = ++sequence_;
    header.key_bytes = static_cast<uint16_t>(key.size());
    header.value_bytes = static_cast<uint32_t>(value.size());
    char* const to = log_ + at;
    EncodeRecordHeader(to, header, kSeed + at, InnerChecksum(key, value));
    std::memcpy(to + kRecordHeaderBytes, key.data(), key.size());
    std::memcpy(to + kRecordHeaderBytes + key.size(), value.data(), value.size());
    end_ = at + header.record_bytes();
    table_.insert_or_assign(Digest(prepared), Place(at));
  }

  // A lookup of the digest, a checksum, a comparison of keys and a copy from the mapping. Returns
  // whether the key is there. Any number of threads may get while none puts.
  bool Get(std::string_view key, std::string* value) const {
    PreparedKey prepared(key);
    digests_->Digest(&prepared);
    const auto it = table_.find(Digest(prepared));
    if (it == table_.end()) return false;
    const uint64_t at = it->second.offset();
    const char* const record = log_ + at;
    RecordHeader header;
    if (!DecodeRecordHeader(record, end_ - at, &header)) return false;
    if (!VerifyRecord(record, header, kSeed + at) || RecordKey(record, header) != key) return false;
    value->assign(RecordValue(record, header));
    return true;
  }

  // Only that part of a put that concerns the table.
  void Index(std::string_view key, uint64_t at) {
    PreparedKey prepared(key);
    digests_->Digest(&prepared);
    table_.insert_or_assign(Digest(prepared), Place(at));
  }

  uint64_t keys() const { return table_.size(); }
  uint64_t room() const { return log_bytes_ - end_; }
  // Empties the table; the mapping stays.
  void Clear();

 private:
  static constexpr uint64_t kSeed = 77;

  // 12 bytes, as the hash keystore stores of a digest.
  struct Digest {
    explicit Digest(const PreparedKey& key)
        : words{static_cast<uint32_t>(key.digest[1]), static_cast<uint32_t>(key.digest[1] >> 32),
                static_cast<uint32_t>(key.digest[0])} {}
    uint64_t low() const { return words[0] | uint64_t{words[1]} << 32; }
    friend bool operator==(const Digest& a, const Digest& b) {
      return a.low() == b.low() && a.words[2] == b.words[2];
    }
    uint32_t words[3];
  };
  struct DigestHash {
    size_t operator()(const Digest& digest) const { return digest.low(); }
  };
  // 8 bytes, like a location.
  class Place {
   public:
    explicit Place(uint64_t offset)
        : words_{static_cast<uint32_t>(offset), static_cast<uint32_t>(offset >> 32)} {}
    uint64_t offset() const { return words_[0] | uint64_t{words_[1]} << 32; }

   private:
    uint32_t words_[2];
  };

  // A keystore whose Prepare computes the digests.
  std::unique_ptr<Keystore> digests_;
  absl::flat_hash_map<Digest, Place, DigestHash, std::equal_to<Digest>> table_;
  uint64_t log_bytes_;
  char* log_ = nullptr;
  uint64_t end_ = 0;
  uint64_t sequence_ = 0;
};

}  // namespace rumcask::bench

#endif  // RUMCASK_TOOLS_BENCH_STORE_BARE_TABLE_H_
