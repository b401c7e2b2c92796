// Limits how many of the process's mappings the databases keep.

#ifndef RUMCASK_CORE_SYSTEM_MAPPING_BUDGET_H_
#define RUMCASK_CORE_SYSTEM_MAPPING_BUDGET_H_

#include "rumcask/require_cxx17.h"

#include <atomic>
#include <cstdint>
#include <memory>

namespace rumcask {

// Counts the mappings through which segments are read for as long as their database is open. A
// process that has all the mappings the system allows (65,530 by default) gets no more memory
// either, and ends. So three quarters of them are left to the host program. Thread-safe.
class MappingBudget : public std::enable_shared_from_this<MappingBudget> {
 public:
  // One in this many of the process's mappings may be taken.
  static constexpr uint64_t kShare = 4;

  // The right to one more mapping, where the process may have `process_limit`. It is given back
  // when the last copy of the pointer goes. Null if the budget is used up.
  std::shared_ptr<const void> Take(uint64_t process_limit) {
    if (taken_.fetch_add(1, std::memory_order_relaxed) >= process_limit / kShare) {
      taken_.fetch_sub(1, std::memory_order_relaxed);
      return nullptr;
    }
    return std::shared_ptr<const void>(this, [kept = shared_from_this()](const void*) {
      kept->taken_.fetch_sub(1, std::memory_order_relaxed);
    });
  }

  // How many more mappings Take would grant.
  uint64_t left(uint64_t process_limit) const {
    const uint64_t taken = taken_.load(std::memory_order_relaxed);
    return taken < process_limit / kShare ? process_limit / kShare - taken : 0;
  }

 private:
  std::atomic<uint64_t> taken_{0};
};

}  // namespace rumcask

#endif  // RUMCASK_CORE_SYSTEM_MAPPING_BUDGET_H_
