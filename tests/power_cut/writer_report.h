// What the writing program tells about itself while it can.

#ifndef RUMCASK_TESTS_POWER_CUT_WRITER_REPORT_H_
#define RUMCASK_TESTS_POWER_CUT_WRITER_REPORT_H_

#include <cstdint>

namespace rumcask {

// The descriptor to tell it through.
inline constexpr int kReports = 3;

struct WriterReport {
  enum What : uint64_t {
    kOpened,   // the database, which held the first `number` operations and nothing else
    kBehind,   // its index ended `number` versions before the log
    kRebuilt,  // its index was built anew; why is in the log
    kIndexed,  // the index is up to date through version `number`, for good
    kWritten,  // operation `number` has returned
    kSynced,   // so it has, and all until then survives a power cut
  };

  uint64_t what;
  uint64_t number;
};

// How it ends if what it finds in the database can't be, whatever the disk does meanwhile.
inline constexpr int kWrong = 3;

}  // namespace rumcask

#endif  // RUMCASK_TESTS_POWER_CUT_WRITER_REPORT_H_
