#include "keystores/hash/siphash.h"

#include <string>
#include <string_view>

#include "gtest/gtest.h"

namespace rumcask {
namespace {

struct Vector {
  size_t bytes;
  const char* two_four;
  const char* one_three;
};

// Key and input count up from 0. The 2-4 column is from vectors.h of the reference implementation.
// Both columns can be reproduced with `openssl mac -macopt size:16 [-macopt c-rounds:1 -macopt
// d-rounds:3] -macopt hexkey:000102030405060708090a0b0c0d0e0f SIPHASH`.
constexpr Vector kVectors[] = {
    {0, "A3817F04BA25A8E66DF67214C7550293", "E77EBCB22788A5BEFD62DB6ADD303001"},
    {1, "DA87C1D86B99AF44347659119B22FC45", "FC6F370460D3EDA85E0573CC2B2FF063"},
    {2, "8177228DA4A45DC7FCA38BDEF60AFFE4", "75787F090569839B855BC9548C6AEA95"},
    {3, "9C70B60C5267A94E5F33B6B02985ED51", "6BC5CCFA1EDCF79F4823187712EBD743"},
    {7, "A1F1EBBED8DBC153C0B84AA61FF08239", "1084B923F2AAE0C3A62F2EC80848AB77"},
    {8, "3B62A9BA6258F5610F83E264F31497B4", "AA12FEE1D5E3DAB4724F16AB35F9C799"},
    {9, "264499060AD9BAABC47F8B02BB6D71ED", "81DDB8042CF33994F4720E0094137C42"},
    {15, "5493E99933B0A8117E08EC0F97CFC3D9", "C17E5505B2BD526C2921CDEC1E7E0109"},
    {16, "6EE2A4CA67B054BBFD3315BF85230577", "D0A8D95715518EEBB513B0F83D9E1793"},
    {63, "5150D1772F50834A503E069A973FBD7C", "4C5800E34EFE426F079F6B0AA75260AD"},
};

std::string CountingBytes(size_t n) {
  std::string bytes;
  for (size_t i = 0; i < n; ++i) bytes.push_back(static_cast<char>(i));
  return bytes;
}

template <int kCompression, int kFinalization>
std::string Hex(std::string_view input) {
  uint64_t digest[2];
  SipHash<kCompression, kFinalization>::Digest128({0x0706050403020100, 0x0f0e0d0c0b0a0908}, input,
                                                  digest);
  std::string hex;
  for (const uint64_t word : digest) {
    for (int shift = 0; shift < 64; shift += 8) {
      const uint64_t byte = word >> shift & 0xff;
      hex += "0123456789ABCDEF"[byte >> 4];
      hex += "0123456789ABCDEF"[byte & 15];
    }
  }
  return hex;
}

TEST(SipHash, GivesTheReferenceResults) {
  for (const Vector& vector : kVectors) {
    SCOPED_TRACE(vector.bytes);
    const std::string input = CountingBytes(vector.bytes);
    EXPECT_EQ((Hex<2, 4>(input)), vector.two_four);
    EXPECT_EQ((Hex<1, 3>(input)), vector.one_three);
  }
}

TEST(SipHash, DependsOnBothHalvesOfTheKey) {
  uint64_t a[2], b[2], c[2];
  SipHash<1, 3>::Digest128({1, 2}, "key", a);
  SipHash<1, 3>::Digest128({1, 3}, "key", b);
  SipHash<1, 3>::Digest128({2, 2}, "key", c);
  EXPECT_NE(a[0], b[0]);
  EXPECT_NE(a[1], b[1]);
  EXPECT_NE(a[0], c[0]);
  EXPECT_NE(a[1], c[1]);
}

}  // namespace
}  // namespace rumcask
