// Where a run took place.

#ifndef RUMCASK_TOOLS_BENCH_MACHINE_H_
#define RUMCASK_TOOLS_BENCH_MACHINE_H_

#include <string>

#include "tools/bench/report.h"

namespace rumcask::bench {

// Processor, memory, kernel, file system of `path`, compiler, what the clock costs and what can be
// counted here.
Facts MachineFacts(const std::string& path);

// "2026-11-23 18:20:00 UTC"
std::string Now();

// The file system that `path` is on, from the text of /proc/self/mounts: "ext4 on /dev/vda".
std::string FileSystemOf(const std::string& path, const std::string& mounts);

}  // namespace rumcask::bench

#endif  // RUMCASK_TOOLS_BENCH_MACHINE_H_
