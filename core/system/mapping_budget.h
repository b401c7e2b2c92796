// How many mappings may be kept, of all that a process may have.

#ifndef RUMCASK_CORE_SYSTEM_MAPPING_BUDGET_H_
#define RUMCASK_CORE_SYSTEM_MAPPING_BUDGET_H_

#include "rumcask/require_cxx17.h"

#include <atomic>
#include <cstdint>
#include <memory>

namespace rumcask {

// Counts the mappings that segments are read from for as long as their database is open. A process
// that has all the mappings the system allows (65,530 by default) gets no memory either, and ends:
// so three of four are left to the host program. Thread-safe.
class MappingBudget : public std::enable_shared_from_this<MappingBudget> {
 public:
  static constexpr uint64_t kShare = 4;

  // The right to one more mapping, of `process_limit` that the process may have; given back when
  // the last copy goes. Null if there are as many as there may be.
  std::shared_ptr<const void> Take(uint64_t process_limit) {
    if (taken_.fetch_add(1, std::memory_order_relaxed) >= process_limit / kShare) {
      taken_.fetch_sub(1, std::memory_order_relaxed);
      return nullptr;
    }
    return std::shared_ptr<const void>(this, [kept = shared_from_this()](const void*) {
      kept->taken_.fetch_sub(1, std::memory_order_relaxed);
    });
  }

  // How many more it would give.
  uint64_t left(uint64_t process_limit) const {
    const uint64_t taken = taken_.load(std::memory_order_relaxed);
    return taken < process_limit / kShare ? process_limit / kShare - taken : 0;
  }

 private:
  std::atomic<uint64_t> taken_{0};
};

}  // namespace rumcask

#endif  // RUMCASK_CORE_SYSTEM_MAPPING_BUDGET_H_
