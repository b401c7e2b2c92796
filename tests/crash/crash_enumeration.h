// Cuts the power, or kills the process, after every operation of a workload, and looks at what
// opening makes of each thing that the disk may have kept. After a kill the power is cut as well,
// at every operation of the next process.

#ifndef RUMCASK_TESTS_CRASH_CRASH_ENUMERATION_H_
#define RUMCASK_TESTS_CRASH_CRASH_ENUMERATION_H_

#include <functional>

#include "tests/crash/crash_judge.h"
#include "tests/crash/crash_run.h"

namespace rumcask {

// Runs `workload` and judges every cut.
CrashReport EnumerateCrashes(CrashModes modes, int random_images,
                             const std::function<void(CrashRun&)>& workload);

}  // namespace rumcask

#endif  // RUMCASK_TESTS_CRASH_CRASH_ENUMERATION_H_
