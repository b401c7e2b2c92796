// Simulates a power cut and a kill after every file operation of a workload, and checks that the
// database opens correctly from each state that the disk may be in. After a kill, it also simulates
// a power cut at every operation of the next process.

#ifndef RUMCASK_TESTS_CRASH_CRASH_ENUMERATION_H_
#define RUMCASK_TESTS_CRASH_CRASH_ENUMERATION_H_

#include <functional>

#include "tests/crash/crash_judge.h"
#include "tests/crash/crash_run.h"

namespace rumcask {

// Runs `workload` and judges every crash.
CrashReport EnumerateCrashes(CrashModes modes, int random_images,
                             const std::function<void(CrashRun&)>& workload);

}  // namespace rumcask

#endif  // RUMCASK_TESTS_CRASH_CRASH_ENUMERATION_H_
