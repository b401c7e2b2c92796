// What the writing program tells of itself, besides its acknowledgements.

#ifndef RUMCASK_TESTS_KILL_WRITER_FIGURES_H_
#define RUMCASK_TESTS_KILL_WRITER_FIGURES_H_

#include <cstdint>

namespace rumcask {

struct WriterFigures {
  uint64_t retired = 0;     // segments that compaction has removed
  uint64_t compacting = 0;  // whether a compaction was running when this was written
  uint64_t snapshots = 0;   // at which a walk and Get were the same
};

}  // namespace rumcask

#endif  // RUMCASK_TESTS_KILL_WRITER_FIGURES_H_
