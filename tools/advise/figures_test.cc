#include "tools/advise/figures.h"

#include "gtest/gtest.h"

namespace rumcask::advise {
namespace {

TEST(FiguresTest, SecondsHaveNoExponent) {
  EXPECT_EQ(SecondsText(0), "0.0 s");
  EXPECT_EQ(SecondsText(1.234e-6), "1.23 us");
  EXPECT_EQ(SecondsText(0.0045), "4.5 ms");
  EXPECT_EQ(SecondsText(0.12), "120 ms");
  EXPECT_EQ(SecondsText(380), "380.0 s");
  EXPECT_EQ(SecondsText(1234567), "1234567.0 s");
}

TEST(FiguresTest, SharesHaveNoExponent) {
  EXPECT_EQ(ShareText(0), "0 %");
  EXPECT_EQ(ShareText(0.00002), "0.002 %");
  EXPECT_EQ(ShareText(0.01), "1 %");
  EXPECT_EQ(ShareText(1.0 / 3), "33.3 %");
  EXPECT_EQ(ShareText(0.996), "99.6 %");
  EXPECT_EQ(ShareText(1), "100 %");
}

TEST(FiguresTest, BytesMayBeMoreThanANumberHolds) {
  EXPECT_EQ(BytesText(1536), "1.5 KiB");
  EXPECT_EQ(BytesText(1e30), "7.8 EiB");
}

}  // namespace
}  // namespace rumcask::advise
