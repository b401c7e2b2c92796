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
    kIndexed,  // the index is durably up to date through version `number`
    kWritten,  // operation `number` has returned
    kSynced,   // all operations through `number` survive a power cut; it has returned
  };

  // What says that operations survive a power cut.
  enum By : uint64_t { kNobody, kSyncedOperation, kSync, kRefusal, kDurableVersion, kClose };

  uint64_t what;
  uint64_t number;
  uint64_t by;  // of kSynced
};

inline const char* VoucherName(uint64_t by) {
  constexpr const char* kNames[] = {"nobody",    "a synced operation", "Sync",
                                    "a refusal", "durable_version",    "Close"};
  return kNames[by];
}

// How it ends if what it finds in the database can't be, whatever the disk does meanwhile.
inline constexpr int kWrong = 3;

}  // namespace rumcask

#endif  // RUMCASK_TESTS_POWER_CUT_WRITER_REPORT_H_
