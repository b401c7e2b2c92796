// The reports that the writing program sends to the test.

#ifndef RUMCASK_TESTS_POWER_CUT_WRITER_REPORT_H_
#define RUMCASK_TESTS_POWER_CUT_WRITER_REPORT_H_

#include <cstdint>

#include "tests/oracle/voucher.h"

namespace rumcask {

// The descriptor that reports are written to.
inline constexpr int kReports = 3;

struct WriterReport {
  enum What : uint64_t {
    kOpened,      // the database is open and held the first `number` operations and nothing else
    kBehind,      // its index ended `number` versions before the log
    kUnopenable,  // its index does not open, for which the writer's log says why
    kRebuilt,     // its index was rebuilt; the writer's log says why
    kIndexed,     // the index is durably up to date through version `number`
    kWritten,     // operation `number` has returned
    kSynced,      // operation `number` has returned, and all through it survive a power cut
    kRetired,     // compaction has removed `number` segments since the opening
    kCompacting,  // the same, and a compaction is running
  };

  uint64_t what;
  uint64_t number;
  Voucher by;  // used with kSynced
};

// The exit code if the database has wrong contents, which a power cut cannot explain.
inline constexpr int kWrong = 3;

}  // namespace rumcask

#endif  // RUMCASK_TESTS_POWER_CUT_WRITER_REPORT_H_
