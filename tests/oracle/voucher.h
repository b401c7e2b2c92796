// Who says that writes survive a power cut.

#ifndef RUMCASK_TESTS_ORACLE_VOUCHER_H_
#define RUMCASK_TESTS_ORACLE_VOUCHER_H_

#include <cstdint>

namespace rumcask {

// What says that all versions through some one survive a power cut.
enum class Voucher : uint64_t {
  kNobody,
  kSyncedWrite,
  kSync,
  kRefusal,  // of a conditional write with sync: what it observed is durable
  kStats,    // Stats::durable_version
  kClose,
};

inline const char* VoucherName(Voucher voucher) {
  constexpr const char* kNames[] = {"nobody",    "a synced write",  "Sync",
                                    "a refusal", "durable_version", "Close"};
  return kNames[static_cast<uint64_t>(voucher)];
}

}  // namespace rumcask

#endif  // RUMCASK_TESTS_ORACLE_VOUCHER_H_
