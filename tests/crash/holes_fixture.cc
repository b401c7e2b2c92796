#include "tests/crash/holes_fixture.h"

#include "tests/crash/index_holes_fixture.h"

namespace rumcask {

// Instantiated here once, for the tests in all files.
INSTANTIATE_TEST_SUITE_P(AppendModes, HolesTest,
                         testing::Values(AppendMode::kMapped, AppendMode::kWrite),
                         [](const auto& param) {
                           return param.param == AppendMode::kMapped ? "Mapped" : "Write";
                         });

INSTANTIATE_TEST_SUITE_P(Indexes, IndexHolesTest, testing::Bool(),
                         [](const auto& param) { return param.param ? "Looking" : "Blind"; });

}  // namespace rumcask
