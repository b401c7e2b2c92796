#include "core/format/key_packing.h"

#include <algorithm>
#include <array>
#include <cstring>

#include "core/format/varint.h"

namespace rumcask {
namespace {

constexpr uint8_t kAsTheyAre = 0;
// With at most ten different bytes, three of them have at most 1,000 values and take ten bits.
constexpr uint8_t kThreeInTenBits = 10;
constexpr size_t kGroup = 3;
constexpr size_t kGroupBits = 10;
constexpr size_t kGroupAlphabet = 10;

// The coding that takes the fewest bits for an alphabet of that size.
uint8_t CodingFor(size_t alphabet) {
  uint8_t bits = 1;
  while ((size_t{1} << bits) < alphabet) ++bits;
  if (bits == 8) return kAsTheyAre;
  return bits == 4 && alphabet <= kGroupAlphabet ? kThreeInTenBits : bits;
}

uint64_t CodeBytes(uint8_t coding, uint64_t bytes) {
  if (coding == kAsTheyAre) return bytes;
  const uint64_t bits =
      coding == kThreeInTenBits ? (bytes + kGroup - 1) / kGroup * kGroupBits : bytes * coding;
  return (bits + 7) / 8;
}

class BitWriter {
 public:
  explicit BitWriter(std::string* to) : to_(to) {}

  void Add(uint64_t value, size_t bits) {
    held_ |= value << held_bits_;
    held_bits_ += bits;
    for (; held_bits_ >= 8; held_bits_ -= 8, held_ >>= 8) to_->push_back(static_cast<char>(held_));
  }
  void Finish() {
    if (held_bits_ > 0) to_->push_back(static_cast<char>(held_));
  }

 private:
  std::string* const to_;
  uint64_t held_ = 0;
  size_t held_bits_ = 0;
};

// Takes numbers of a fixed count of bits, at most 16, off bytes that are enough for all of them.
class BitReader {
 public:
  BitReader(std::string_view from, size_t bits)
      : from_(from), bits_(bits), mask_((uint64_t{1} << bits) - 1) {}

  size_t Next() {
    while (held_bits_ < bits_) {
      held_ |= uint64_t{static_cast<uint8_t>(from_[at_++])} << held_bits_;
      held_bits_ += 8;
    }
    const size_t value = static_cast<size_t>(held_ & mask_);
    held_ >>= bits_;
    held_bits_ -= bits_;
    return value;
  }

 private:
  const std::string_view from_;
  const size_t bits_;
  const uint64_t mask_;
  size_t at_ = 0;
  uint64_t held_ = 0;
  size_t held_bits_ = 0;
};

// What all keys that are not empty begin with.
std::string_view CommonPrefix(std::string_view keys, const std::vector<uint32_t>& sizes) {
  std::string_view prefix;
  bool first = true;
  for (const uint32_t size : sizes) {
    if (size == 0) continue;
    const std::string_view key = keys.substr(0, size);
    keys.remove_prefix(size);
    if (first) prefix = key;
    first = false;
    const size_t most = std::min(prefix.size(), key.size());
    const auto differs = std::mismatch(prefix.begin(), prefix.begin() + most, key.begin());
    prefix = prefix.substr(0, static_cast<size_t>(differs.first - prefix.begin()));
    if (prefix.empty()) break;
  }
  return prefix;
}

}  // namespace

void PackKeys(std::string_view keys, const std::vector<uint32_t>& sizes, std::string* to) {
  const std::string_view prefix = CommonPrefix(keys, sizes);
  AppendVarint(to, prefix.size());
  to->append(prefix);
  std::string rest;
  rest.reserve(keys.size());
  std::array<bool, 256> occurs = {};
  for (const uint32_t size : sizes) {
    if (size == 0) continue;
    rest.append(keys.substr(prefix.size(), size - prefix.size()));
    keys.remove_prefix(size);
  }
  for (const char byte : rest) occurs[static_cast<uint8_t>(byte)] = true;
  std::array<uint8_t, 256> code = {};
  std::string alphabet;
  for (size_t byte = 0; byte < occurs.size(); ++byte) {
    if (!occurs[byte]) continue;
    code[byte] = static_cast<uint8_t>(alphabet.size());
    alphabet.push_back(static_cast<char>(byte));
  }
  uint8_t coding = CodingFor(alphabet.size());
  if (CodeBytes(coding, rest.size()) + alphabet.size() + 1 >= rest.size()) coding = kAsTheyAre;
  to->push_back(static_cast<char>(coding));
  if (coding == kAsTheyAre) {
    to->append(rest);
    return;
  }
  to->push_back(static_cast<char>(alphabet.size()));
  to->append(alphabet);
  BitWriter writer(to);
  if (coding != kThreeInTenBits) {
    for (const char byte : rest) writer.Add(code[static_cast<uint8_t>(byte)], coding);
  } else {
    for (size_t i = 0; i < rest.size(); i += kGroup) {
      uint64_t group = 0;
      for (size_t j = std::min(kGroup, rest.size() - i); j > 0; --j) {
        group = group * alphabet.size() + code[static_cast<uint8_t>(rest[i + j - 1])];
      }
      writer.Add(group, kGroupBits);
    }
  }
  writer.Finish();
}

bool PackedKeys::Parse(std::string_view* from, const std::vector<uint32_t>& sizes, uint64_t total) {
  uint64_t prefix_bytes;
  if (!ReadVarint(from, &prefix_bytes) || prefix_bytes > from->size()) return false;
  prefix_ = from->substr(0, prefix_bytes);
  from->remove_prefix(prefix_bytes);
  if (from->empty()) return false;
  coding_ = static_cast<uint8_t>((*from)[0]);
  from->remove_prefix(1);
  alphabet_ = {};
  if (coding_ != kAsTheyAre) {
    if ((coding_ > 7 && coding_ != kThreeInTenBits) || from->empty()) return false;
    const size_t size = static_cast<uint8_t>((*from)[0]);
    const size_t most = coding_ == kThreeInTenBits ? kGroupAlphabet : size_t{1} << coding_;
    from->remove_prefix(1);
    if (size == 0 || size > most || size > from->size()) return false;
    alphabet_ = from->substr(0, size);
    from->remove_prefix(size);
  }
  total_bytes_ = bytes_ = total;
  if (prefix_bytes > 0) {
    for (const uint32_t size : sizes) {
      if (size == 0) continue;
      if (size < prefix_bytes) return false;
      bytes_ -= prefix_bytes;
    }
  }
  const uint64_t code_bytes = CodeBytes(coding_, bytes_);
  if (code_bytes > from->size()) return false;
  codes_ = from->substr(0, code_bytes);
  from->remove_prefix(code_bytes);
  return true;
}

void PackedKeys::Decode(char* to) const {
  if (coding_ == kAsTheyAre) {
    codes_.copy(to, codes_.size());
    return;
  }
  if (coding_ != kThreeInTenBits) {
    std::array<char, 128> bytes = {};
    alphabet_.copy(bytes.data(), alphabet_.size());
    BitReader reader(codes_, coding_);
    for (uint64_t i = 0; i < bytes_; ++i) to[i] = bytes[reader.Next()];
    return;
  }
  // A group's bytes are looked up together. Values that no group has stand for zeros.
  std::array<std::array<char, 4>, 1 << kGroupBits> groups = {};
  const size_t n = alphabet_.size();
  for (size_t value = 0; value < n * n * n; ++value) {
    groups[value] = {alphabet_[value % n], alphabet_[value / n % n], alphabet_[value / n / n], 0};
  }
  BitReader reader(codes_, kGroupBits);
  uint64_t i = 0;
  for (; i + kGroup <= bytes_; i += kGroup) {
    std::memcpy(to + i, groups[reader.Next()].data(), kGroup);
  }
  if (i < bytes_) std::memcpy(to + i, groups[reader.Next()].data(), bytes_ - i);
}

const char* PackedKeys::Unpack(const std::vector<uint32_t>& sizes,
                               std::vector<char>* buffer) const {
  if (coding_ == kAsTheyAre && prefix_.empty()) return codes_.data();
  // The bytes without prefixes are decoded to the end, and moved to the front key by key.
  if (buffer->size() < total_bytes_) buffer->resize(total_bytes_);
  char* to = buffer->data();
  const char* from = to + (total_bytes_ - bytes_);
  Decode(to + (total_bytes_ - bytes_));
  if (prefix_.empty()) return buffer->data();
  for (const uint32_t size : sizes) {
    if (size == 0) continue;
    const size_t rest = size - prefix_.size();
    std::memmove(to + prefix_.size(), from, rest);
    prefix_.copy(to, prefix_.size());
    to += size;
    from += rest;
  }
  return buffer->data();
}

}  // namespace rumcask
