#include "tools/bench/db_bench.h"

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"

#include "core/system/text.h"

namespace rumcask::bench {
namespace {

constexpr uint64_t kFillBatch = 1000;
constexpr uint64_t kMultiRead = 32;

Workload Fill(const DbBenchSettings& settings, KeyOrder order) {
  Workload workload;
  workload.fresh = !settings.use_existing_db;
  workload.keys = settings.num;
  workload.operations = settings.num;
  workload.updates = 1;
  workload.order = order;
  workload.sync = settings.sync;
  return workload;
}

Workload Read(const DbBenchSettings& settings) {
  Workload workload;
  workload.keys = settings.num;
  workload.operations = settings.reads.value_or(settings.num);
  workload.seconds = settings.duration;
  workload.reads = 1;
  workload.sync = settings.sync;
  return workload;
}

Workload FillSequential(const DbBenchSettings& settings) {
  return Fill(settings, KeyOrder::kSequential);
}

Workload FillRandom(const DbBenchSettings& settings) { return Fill(settings, KeyOrder::kUniform); }

Workload FillUniqueRandom(const DbBenchSettings& settings) {
  return Fill(settings, KeyOrder::kPermuted);
}

Workload FillBatch(const DbBenchSettings& settings) {
  Workload workload = Fill(settings, KeyOrder::kSequential);
  workload.batch = settings.batch_size.value_or(kFillBatch);
  return workload;
}

Workload FillSync(const DbBenchSettings& settings) {
  Workload workload = Fill(settings, KeyOrder::kUniform);
  workload.operations = std::max<uint64_t>(1, settings.num / 1000);
  workload.sync = true;
  return workload;
}

Workload Overwrite(const DbBenchSettings& settings) {
  Workload workload = Fill(settings, KeyOrder::kUniform);
  workload.fresh = false;
  workload.seconds = settings.duration;
  return workload;
}

Workload ReadRandom(const DbBenchSettings& settings) { return Read(settings); }

Workload ReadMissing(const DbBenchSettings& settings) {
  Workload workload = Read(settings);
  workload.reads = 0;
  workload.missing_reads = 1;
  return workload;
}

Workload MultiReadRandom(const DbBenchSettings& settings) {
  Workload workload = Read(settings);
  workload.batch = settings.batch_size.value_or(kMultiRead);
  return workload;
}

Workload ReadSequential(const DbBenchSettings& settings) {
  Workload workload = Read(settings);
  workload.action = Workload::Action::kReadAll;
  return workload;
}

Workload SeekRandom(const DbBenchSettings& settings) {
  Workload workload = Read(settings);
  workload.reads = 0;
  workload.scans = 1;
  workload.min_scan_length = workload.max_scan_length = settings.seek_nexts + 1;
  return workload;
}

// Half of the overwrites run beside a snapshot of their own. All of them run beside large
// snapshots: at first two with half of the keys each, later more and more, up to what the store
// allows.
Workload SnapshotsBeside(const DbBenchSettings& settings) {
  Workload workload = Overwrite(settings);
  workload.operations = settings.reads.value_or(4 * settings.num);
  workload.snapshots.brief_each = 2;
  workload.snapshots.long_each = std::max<uint64_t>(1, settings.num / 2);
  workload.snapshots.held = 2;
  return workload;
}

// Long enough to bring a store into the state that overwrites keep it in; another one shows what it
// writes there.
Workload Churn(const DbBenchSettings& settings) {
  Workload workload = Overwrite(settings);
  workload.operations = settings.reads.value_or(4 * settings.num);
  workload.counts_written = true;
  return workload;
}

Workload DeleteRandom(const DbBenchSettings& settings) {
  Workload workload = Overwrite(settings);
  workload.updates = 0;
  workload.deletes = 1;
  return workload;
}

Workload ReadWhileWriting(const DbBenchSettings& settings) {
  Workload workload = Read(settings);
  workload.writer_beside = true;
  workload.writer_rate = settings.writer_rate;
  return workload;
}

// The queue has the keys of the settings, and each read is one turn.
Workload Queue(const DbBenchSettings& settings) {
  Workload workload = Read(settings);
  workload.action = Workload::Action::kQueue;
  workload.fresh = !settings.use_existing_db;
  workload.seconds = 0;
  return workload;
}

Workload Compact(const DbBenchSettings& settings) {
  Workload workload = Read(settings);
  workload.action = Workload::Action::kCompact;
  return workload;
}

Workload Open(const DbBenchSettings& settings) {
  Workload workload = Read(settings);
  workload.action = Workload::Action::kOpen;
  return workload;
}

// How much an opening has to do depends on what was written before the process ended; here that is
// a tenth of the keys.
Workload OpenUnclean(const DbBenchSettings& settings) {
  Workload workload = Overwrite(settings);
  workload.action = Workload::Action::kOpenUnclean;
  workload.operations = std::max<uint64_t>(1, settings.num / 10);
  workload.seconds = 0;
  return workload;
}

struct Named {
  std::string_view name;
  Workload (*make)(const DbBenchSettings& settings);
};

constexpr Named kBenchmarks[] = {
    {"fillseq", FillSequential},
    {"fillbatch", FillBatch},
    {"fillrandom", FillRandom},
    {"filluniquerandom", FillUniqueRandom},
    {"fillsync", FillSync},
    {"overwrite", Overwrite},
    {"churn", Churn},
    {"readrandom", ReadRandom},
    {"readmissing", ReadMissing},
    {"multireadrandom", MultiReadRandom},
    {"readseq", ReadSequential},
    {"seekrandom", SeekRandom},
    {"readwhilewriting", ReadWhileWriting},
    {"snapshots", SnapshotsBeside},
    {"deleterandom", DeleteRandom},
    {"queue", Queue},
    {"compact", Compact},
    {"open", Open},
    {"openunclean", OpenUnclean},
};

}  // namespace

std::vector<std::string> DbBenchNames() {
  std::vector<std::string> names;
  for (const Named& benchmark : kBenchmarks) names.emplace_back(benchmark.name);
  return names;
}

absl::StatusOr<std::vector<Workload>> DbBenchWorkloads(std::string_view list,
                                                       const DbBenchSettings& settings) {
  std::vector<Workload> workloads;
  const std::vector<std::string> wanted = absl::StrSplit(Text(list), ',', absl::SkipEmpty());
  for (const std::string& name : wanted) {
    const Named* found =
        std::find_if(std::begin(kBenchmarks), std::end(kBenchmarks),
                     [&name](const Named& benchmark) { return benchmark.name == name; });
    if (found == std::end(kBenchmarks)) {
      return absl::InvalidArgumentError(absl::StrFormat("unknown benchmark '%s'; there are: %s",
                                                        name, absl::StrJoin(DbBenchNames(), ", ")));
    }
    workloads.push_back(found->make(settings));
    workloads.back().name = name;
  }
  if (workloads.empty()) return absl::InvalidArgumentError("no benchmark is named");
  return workloads;
}

}  // namespace rumcask::bench
