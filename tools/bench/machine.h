// Describes the machine of a run.

#ifndef RUMCASK_TOOLS_BENCH_MACHINE_H_
#define RUMCASK_TOOLS_BENCH_MACHINE_H_

#include <cstdint>
#include <string>

#include "tools/bench/report.h"

namespace rumcask::bench {

// Processor, memory, kernel, file system of `path`, compiler, the cost of reading the clock, and
// what can be counted here.
Facts MachineFacts(const std::string& path);

// "2026-11-23 18:20:00 UTC"
std::string Now();

// The file system that contains `path`, from the text of /proc/self/mounts: "ext4 on /dev/vda".
std::string FileSystemOf(const std::string& path, const std::string& mounts);
// As this machine has it mounted; `path` may be relative.
std::string FileSystemOf(const std::string& path);

// All of this machine's memory.
uint64_t MemoryBytes();

}  // namespace rumcask::bench

#endif  // RUMCASK_TOOLS_BENCH_MACHINE_H_
