// The workloads whose crashes are enumerated.

#ifndef RUMCASK_TESTS_CRASH_CRASH_WORKLOADS_H_
#define RUMCASK_TESTS_CRASH_CRASH_WORKLOADS_H_

#include <functional>
#include <vector>

#include "tests/crash/crash_enumeration.h"

namespace rumcask {

struct CrashWorkload {
  const char* name;
  std::function<void(CrashRun&)> run;
};

std::vector<CrashWorkload> CrashWorkloads();
// The same workloads, and those that need an index on disk.
std::vector<CrashWorkload> IndexCrashWorkloads();

}  // namespace rumcask

#endif  // RUMCASK_TESTS_CRASH_CRASH_WORKLOADS_H_
