// What compaction costs those who read and write beside it, as figures and as ratios.

#ifndef RUMCASK_TOOLS_BENCH_STORE_COMPACTION_COSTS_H_
#define RUMCASK_TOOLS_BENCH_STORE_COMPACTION_COSTS_H_

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "tools/bench/histogram.h"

namespace rumcask::bench {

// The calls of the writer or the reader.
struct CallsOfThread {
  uint64_t calls = 0;
  double seconds = 0;
  double processor_seconds = 0;  // on a processor
  double waiting_seconds = 0;    // ready, without a processor
  // Nanoseconds; "own" is without the waits for a processor.
  Histogram elapsed;
  Histogram own;
  uint64_t elapsed_stalls = 0;
  uint64_t own_stalls = 0;

  double PerSecond() const { return static_cast<double>(calls) / seconds; }
  double OwnPerSecond() const;
  void Merge(const CallsOfThread& other);
};

// One round of a store that compacts, or of one that does not.
struct StoreRound {
  CallsOfThread puts;
  CallsOfThread gets;
  double background_seconds = 0;  // on a processor, of all other threads
  double busiest_seconds = 0;     // on a processor, of that one of them which had most
  uint64_t writer_waits = 0;      // at the bound on space

  // What the rate of puts would be if each thread had a processor and nothing else to wait for.
  double PutsPerSecondAtBest() const;
};

struct CompactionRound {
  StoreRound compacting;
  StoreRound growing;
  double device_bytes_per_second = 0;
  // Bytes written to the log for each byte that the writer wrote to it.
  double write_amplification = 1;
  double live_share = 0;  // of the log, at the end
  uint64_t jobs = 0;
};

// A figure that has a goal.
struct Goal {
  std::string name;
  double figure = 0;  // the median of the rounds, or their sum for what is counted
  double min = 0;
  double max = 0;
  std::string text;  // ">= 0.85"
  bool met = false;
};

class CompactionCosts {
 public:
  // Of a put.
  explicit CompactionCosts(uint64_t record_bytes) : record_bytes_(record_bytes) {}

  void Add(CompactionRound round) { rounds_.push_back(std::move(round)); }

  // Puts per second with compaction / the lower of those without it and what the device allows, by
  // the clock, in own time, and by the time on a processor of the thread that needs most of it; p99
  // of gets with / without; stalls of puts with - without.
  std::vector<Goal> Goals() const;
  bool Met() const;

  std::string AsTable() const;
  // `settings` are names and values.
  std::string AsJson(const std::vector<std::pair<std::string, std::string>>& settings) const;

 private:
  // Puts per second.
  double DeviceRate(const CompactionRound& round) const;
  // All rounds in one.
  StoreRound Sum(StoreRound CompactionRound::*side) const;

  const uint64_t record_bytes_;
  std::vector<CompactionRound> rounds_;
};

}  // namespace rumcask::bench

#endif  // RUMCASK_TOOLS_BENCH_STORE_COMPACTION_COSTS_H_
