// Enumerates the crashes of every workload in every mode.
//
// RUMCASK_FULL=1 adds random images at each operation and combines all modes, for more than 200,000
// images in all. Without it the same operations are covered with fewer images each.

#include "tests/crash/crash_enumeration.h"

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>

#include "absl/types/span.h"
#include "gtest/gtest.h"

#include "tests/crash/crash_workloads.h"

namespace rumcask {
namespace {

// Two pairings, in each of which every mode occurs.
constexpr CrashModes kMemoryModes[] = {{AppendMode::kMapped, ReadMode::kMapped},
                                       {AppendMode::kWrite, ReadMode::kPread},
                                       {AppendMode::kMapped, ReadMode::kPread},
                                       {AppendMode::kWrite, ReadMode::kMapped}};

// With an index on disk, what the crash leaves of the index matters, not how the log is read and
// appended to, so not every combination is run.
constexpr CrashModes kIndexModes[] = {
    {AppendMode::kMapped, ReadMode::kMapped, CrashIndex::kLooking},
    {AppendMode::kWrite, ReadMode::kPread, CrashIndex::kBlind}};

std::string Name(const testing::TestParamInfo<CrashWorkload>& param) { return param.param.name; }

void Enumerate(const CrashWorkload& workload, absl::Span<const CrashModes> all_modes) {
  const bool full = std::getenv("RUMCASK_FULL") != nullptr;
  uint64_t images = 0;
  for (const CrashModes& modes : all_modes) {
    SCOPED_TRACE(modes.ToString());
    const CrashReport report = EnumerateCrashes(modes, full ? 25 : kBoundedImages, workload.run);
    std::printf(
        "%s, %s: %llu operations, %llu images, %llu inside recovery, %llu after a kill, "
        "%llu violations\n",
        workload.name, modes.ToString().c_str(), static_cast<unsigned long long>(report.operations),
        static_cast<unsigned long long>(report.images),
        static_cast<unsigned long long>(report.second_images),
        static_cast<unsigned long long>(report.images_after_kill),
        static_cast<unsigned long long>(report.violations));
    EXPECT_EQ(report.violations, 0u) << report.first_violation;
    images += report.images + report.second_images + report.images_after_kill;
  }
  EXPECT_GE(images, 1000u);
}

class CrashEnumerationTest : public testing::TestWithParam<CrashWorkload> {};

INSTANTIATE_TEST_SUITE_P(Workloads, CrashEnumerationTest, testing::ValuesIn(CrashWorkloads()),
                         Name);

TEST_P(CrashEnumerationTest, WhatWasPromisedIsThereAndNothingElse) {
  // What is read and what is written hardly depend on one another, so without RUMCASK_FULL every
  // workload has each mode once, and the pairings take turns.
  const absl::Span<const CrashModes> all = kMemoryModes;
  const bool full = std::getenv("RUMCASK_FULL") != nullptr;
  const uint64_t turn = std::string_view(GetParam().name).size() % 2;
  Enumerate(GetParam(), full ? all : all.subspan(2 * turn, 2));
}

class IndexCrashEnumerationTest : public testing::TestWithParam<CrashWorkload> {};

INSTANTIATE_TEST_SUITE_P(Workloads, IndexCrashEnumerationTest,
                         testing::ValuesIn(IndexCrashWorkloads()), Name);

TEST_P(IndexCrashEnumerationTest, WhatWasPromisedIsThereWhateverIsLeftOfTheIndex) {
  Enumerate(GetParam(), kIndexModes);
}

}  // namespace
}  // namespace rumcask
