// What trials measure.

#ifndef RUMCASK_TOOLS_ADVISE_TRIAL_FIGURES_H_
#define RUMCASK_TOOLS_ADVISE_TRIAL_FIGURES_H_

#include <cstdint>

namespace rumcask::advise {

// Seconds of processor time that one operation takes; 0 for scans of a keystore without order.
struct OperationSeconds {
  double get = 0;
  double overwrite = 0;
  double insert = 0;
  double scan = 0;
};

struct Trial {
  uint64_t keys = 0;
  // Anonymous memory beyond what the process had before: when all keys are there and nothing is
  // written, and at most until they are there and all of the index is on disk.
  uint64_t memory_bytes = 0;
  uint64_t peak_memory_bytes = 0;
  // When each key has been put once: of the log, without RESERVE, and of the index.
  uint64_t log_bytes = 0;
  uint64_t index_file_bytes = 0;
  uint64_t reserve_bytes = 0;  // of RESERVE
  // After overwriting.
  uint64_t worn_log_bytes = 0;
  uint64_t worn_index_file_bytes = 0;
  // Written to the log, its compaction and the index, for each byte of keys and values put.
  double written_per_byte = 0;
  OperationSeconds seconds;
  // How long opening takes after a clean close, and after a process ended without closing.
  double open_seconds = 0;
  double recovery_seconds = 0;
};

// The anonymous memory of an index with so many keys.
struct MemoryPoint {
  uint64_t keys = 0;
  uint64_t bytes = 0;
};

}  // namespace rumcask::advise

#endif  // RUMCASK_TOOLS_ADVISE_TRIAL_FIGURES_H_
