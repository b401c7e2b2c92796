#include "core/format/key_packing.h"

#include <random>
#include <string>
#include <vector>

#include "gtest/gtest.h"

namespace rumcask {
namespace {

using Keys = std::vector<std::string>;

struct Packed {
  std::vector<uint32_t> sizes;
  std::string joined;
  std::string bytes;
};

Packed Pack(const Keys& keys) {
  Packed packed;
  for (const std::string& key : keys) {
    packed.sizes.push_back(static_cast<uint32_t>(key.size()));
    packed.joined += key;
  }
  PackKeys(packed.joined, packed.sizes, &packed.bytes);
  return packed;
}

// Packs and unpacks the keys, and returns how many bytes they took.
size_t Check(const Keys& keys) {
  const Packed packed = Pack(keys);
  const std::string bytes = packed.bytes + "rest";
  std::string_view from = bytes;
  PackedKeys reader;
  EXPECT_TRUE(reader.Parse(&from, packed.sizes, packed.joined.size()));
  EXPECT_EQ(from, "rest");
  std::vector<char> buffer;
  const char* const unpacked = reader.Unpack(packed.sizes, &buffer);
  EXPECT_EQ(std::string(unpacked, packed.joined.size()), packed.joined);
  return packed.bytes.size();
}

Keys RandomKeys(const std::string& alphabet, size_t size, size_t count) {
  std::mt19937_64 random(alphabet.size());
  Keys keys(count);
  for (std::string& key : keys) {
    for (size_t i = 0; i < size; ++i) key.push_back(alphabet[random() % alphabet.size()]);
  }
  return keys;
}

std::string Bytes(int first, int count) {
  std::string bytes;
  for (int i = 0; i < count; ++i) bytes.push_back(static_cast<char>(first + i));
  return bytes;
}

TEST(KeyPackingTest, EveryAlphabetRoundTripsAndTakesItsBits) {
  for (int size = 1; size <= 256; ++size) {
    SCOPED_TRACE(size);
    const Keys keys = RandomKeys(Bytes(0, size), 16, 1000);
    const size_t bytes = Check(keys);
    double bits = 1;
    while (size > 1 << static_cast<int>(bits)) ++bits;
    if (bits == 4 && size <= 10) bits = 10.0 / 3;
    EXPECT_LE(static_cast<double>(bytes), 16000 * bits / 8 + 140);
  }
}

TEST(KeyPackingTest, WhatAllKeysBeginWithIsThereOnce) {
  Keys keys = RandomKeys(Bytes('0', 10), 7, 300);
  for (std::string& key : keys) key = "customer:" + key;
  EXPECT_LT(Check(keys), 300 * 3 + 60);
  keys.push_back("");  // a record without a key does not count
  EXPECT_LT(Check(keys), 300 * 3 + 60);
  keys.push_back("c");
  Check(keys);
  EXPECT_LT(Check(Keys(500, "always the same")), 40u);
}

TEST(KeyPackingTest, OddListsRoundTrip) {
  Check({});
  Check({""});
  Check({"", "", ""});
  Check({"a"});
  Check({"a", "", "ab", "abc", ""});
  Check({std::string(1, '\0'), std::string(2, '\0')});
  Check({std::string(65535, 'x'), std::string(65535, 'x') + "y"});
  Check(RandomKeys(Bytes(0, 256), 3000, 20));
  for (size_t digits = 1; digits < 20; ++digits) Check({std::string(digits, '7'), "12"});
}

TEST(KeyPackingTest, ACutIsNoticed) {
  for (const Keys& keys : {RandomKeys(Bytes('0', 10), 5, 7), RandomKeys(Bytes('a', 16), 5, 7),
                           RandomKeys(Bytes(0, 256), 5, 7), Keys{"prefix1", "prefix2"}}) {
    const Packed packed = Pack(keys);
    for (size_t size = 0; size < packed.bytes.size(); ++size) {
      std::string_view from = std::string_view(packed.bytes).substr(0, size);
      EXPECT_FALSE(PackedKeys().Parse(&from, packed.sizes, packed.joined.size())) << size;
    }
  }
}

TEST(KeyPackingTest, HostileBytesGiveSomeKeysOrNone) {
  std::mt19937_64 random(1);
  const std::vector<uint32_t> sizes = {3, 0, 5, 9, 200};
  for (int i = 0; i < 200000; ++i) {
    std::string bytes(random() % 300, '\0');
    for (char& byte : bytes) byte = static_cast<char>(random());
    if (bytes.size() > 3) {
      bytes[0] = static_cast<char>(random() % 4);
      bytes[static_cast<size_t>(bytes[0]) + 1 < bytes.size() ? bytes[0] + 1 : 1] =
          static_cast<char>(random() % 12);
    }
    // The exact size, so that a read beyond it is noticed.
    const std::vector<char> exact(bytes.begin(), bytes.end());
    std::string_view from(exact.data(), exact.size());
    PackedKeys reader;
    if (!reader.Parse(&from, sizes, 217)) continue;
    std::vector<char> buffer;
    const char* const keys = reader.Unpack(sizes, &buffer);
    uint64_t sum = 0;
    for (int at = 0; at < 217; ++at) sum += static_cast<uint8_t>(keys[at]);
    EXPECT_LE(sum, 217u * 255);
  }
}

}  // namespace
}  // namespace rumcask
