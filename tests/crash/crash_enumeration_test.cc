// Every operation of every workload, cut in every mode.
//
// RUMCASK_FULL=1 takes enough random images for a campaign of 200,000 and more; without it the same
// operations are cut with fewer.

#include "tests/crash/crash_enumeration.h"

#include <cstdio>
#include <cstdlib>

#include "gtest/gtest.h"

#include "tests/crash/crash_workloads.h"

namespace rumcask {
namespace {

constexpr CrashModes kModes[] = {{AppendMode::kMapped, ReadMode::kMapped},
                                 {AppendMode::kMapped, ReadMode::kPread},
                                 {AppendMode::kWrite, ReadMode::kMapped},
                                 {AppendMode::kWrite, ReadMode::kPread}};

class CrashEnumerationTest : public testing::TestWithParam<CrashWorkload> {};

INSTANTIATE_TEST_SUITE_P(Workloads, CrashEnumerationTest, testing::ValuesIn(CrashWorkloads()),
                         [](const auto& param) { return std::string(param.param.name); });

TEST_P(CrashEnumerationTest, WhatWasPromisedIsThereAndNothingElse) {
  const bool full = std::getenv("RUMCASK_FULL") != nullptr;
  uint64_t images = 0;
  for (const CrashModes& modes : kModes) {
    SCOPED_TRACE(modes.ToString());
    const CrashReport report = EnumerateCrashes(modes, full ? 25 : 2, GetParam().run);
    std::printf("%s, %s: %llu operations, %llu images, %llu inside recovery, %llu violations\n",
                GetParam().name, modes.ToString().c_str(),
                static_cast<unsigned long long>(report.operations),
                static_cast<unsigned long long>(report.images),
                static_cast<unsigned long long>(report.second_images),
                static_cast<unsigned long long>(report.violations));
    EXPECT_EQ(report.violations, 0u) << report.first_violation;
    images += report.images + report.second_images;
  }
  EXPECT_GE(images, 1000u);
}

}  // namespace
}  // namespace rumcask
