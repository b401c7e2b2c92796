#include "tools/bench/bench_options.h"

#include <algorithm>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"

#include "keystores/by_name.h"
#include "tools/bench/db_bench.h"
#include "tools/bench/key_format.h"
#include "tools/bench/rumcask_engine.h"
#include "tools/bench/ycsb.h"
#include "tools/cli/figures.h"
#include "tools/cli/file_content.h"

namespace rumcask::bench {
namespace {

constexpr char kDefaultBenchmarks[] = "fillrandom,readrandom,readmissing,overwrite,open";
constexpr uint64_t kMaxThreads = 1024;
constexpr uint64_t kMaxRounds = 1000;

std::vector<std::string> NamesOf(const std::vector<EngineType>& systems) {
  std::vector<std::string> names;
  for (const EngineType& system : systems) names.push_back(system.name);
  return names;
}

absl::StatusOr<std::vector<EngineType>> SystemsOf(const BenchOptions& options,
                                                  const std::vector<EngineType>& systems) {
  std::vector<EngineType> chosen;
  std::vector<std::string> keystores = absl::StrSplit(options.keystore, ',', absl::SkipEmpty());
  if (options.keystore == "all") keystores = KeystoreNames();
  for (const std::string& name : keystores) {
    const absl::StatusOr<KeystoreFactory> keystore = KeystoreByName(name);
    if (!keystore.ok()) return keystore.status();
    chosen.push_back(RumcaskEngine(*keystore));
  }
  const std::vector<std::string> others = absl::StrSplit(options.systems, ',', absl::SkipEmpty());
  for (const std::string& name : others) {
    const auto found = std::find_if(systems.begin(), systems.end(),
                                    [&name](const EngineType& type) { return type.name == name; });
    if (found == systems.end()) {
      return absl::InvalidArgumentError(absl::StrFormat("unknown system '%s'; there are: %s", name,
                                                        absl::StrJoin(NamesOf(systems), ", ")));
    }
    chosen.push_back(*found);
  }
  if (chosen.empty()) return absl::InvalidArgumentError("no keystore and no system is named");
  std::vector<std::string> names = NamesOf(chosen);
  std::sort(names.begin(), names.end());
  const auto twice = std::adjacent_find(names.begin(), names.end());
  if (twice != names.end()) {
    return absl::InvalidArgumentError(absl::StrFormat("'%s' is named twice", *twice));
  }
  return chosen;
}

absl::StatusOr<YcsbProperties> PropertiesOf(const BenchOptions& options, std::string_view letter) {
  absl::StatusOr<YcsbProperties> properties = YcsbProperties::OfWorkload(letter);
  if (!properties.ok()) return properties;
  // This tool's own flags set the sizes, unless a property does.
  absl::Status status = properties->Set("recordcount", absl::StrCat(options.num));
  if (status.ok()) {
    status = properties->Set("operationcount",
                             absl::StrCat(options.reads == 0 ? options.num : options.reads));
  }
  for (const std::string& name : options.property_files) {
    const absl::StatusOr<std::string> text = cli::FileContent(name);
    if (!text.ok()) return text.status();
    if (status.ok()) status = properties->SetAll(name, *text);
  }
  for (const std::string& property : options.properties) {
    if (status.ok()) status = properties->SetPair(property);
  }
  if (!status.ok()) return status;
  return properties;
}

// Adds a load before the first workload, and one before each workload that follows inserts.
absl::Status AddYcsb(const BenchOptions& options, Schedule* schedule) {
  bool as_loaded = false;
  const std::vector<std::string> letters = absl::StrSplit(options.workload, ',', absl::SkipEmpty());
  if (letters.empty()) return absl::InvalidArgumentError("no workload is named");
  for (const std::string& letter : letters) {
    const absl::StatusOr<YcsbProperties> properties = PropertiesOf(options, letter);
    if (!properties.ok()) return properties.status();
    absl::StatusOr<Workload> load = properties->LoadPhase();
    if (!load.ok()) return load.status();
    absl::StatusOr<Workload> run = properties->RunPhase();
    if (!run.ok()) return run.status();
    const absl::StatusOr<uint64_t> bytes = properties->RecordBytes();
    if (!bytes.ok()) return bytes.status();
    const absl::StatusOr<uint64_t> threads = properties->ThreadCount();
    if (!threads.ok()) return threads.status();
    schedule->pass.runner.value_sizes = ValueSizes(*bytes);
    if (*threads > 0)
      schedule->pass.runner.threads = static_cast<int>(std::min(*threads, kMaxThreads));
    load->sync = run->sync = options.sync;
    if (options.duration > 0) run->seconds = options.duration;
    if (!as_loaded && !options.use_existing_db) schedule->pass.workloads.push_back(*load);
    as_loaded = run->inserts == 0;
    schedule->pass.workloads.push_back(*run);
  }
  return absl::OkStatus();
}

absl::Status AddDbBench(const BenchOptions& options, Schedule* schedule) {
  DbBenchSettings settings;
  settings.num = options.num;
  if (options.reads > 0) settings.reads = options.reads;
  if (options.batch_size > 0) settings.batch_size = options.batch_size;
  settings.seek_nexts = options.seek_nexts;
  settings.duration = options.duration;
  settings.writer_rate = options.writer_rate;
  settings.sync = options.sync;
  settings.use_existing_db = options.use_existing_db;
  absl::StatusOr<std::vector<Workload>> workloads = DbBenchWorkloads(
      options.benchmarks.empty() ? kDefaultBenchmarks : options.benchmarks, settings);
  if (!workloads.ok()) return workloads.status();
  // A benchmark that reads needs data to read.
  if (!workloads->front().fresh && !options.use_existing_db) {
    absl::StatusOr<std::vector<Workload>> fill = DbBenchWorkloads("filluniquerandom", settings);
    if (!fill.ok()) return fill.status();
    workloads->insert(workloads->begin(), fill->front());
  }
  schedule->pass.workloads = *std::move(workloads);
  return absl::OkStatus();
}

// Fills in what some stores must know beforehand.
absl::Status SetExpectations(const BenchOptions& options, Schedule* schedule) {
  // The most that a timed benchmark may write.
  constexpr uint64_t kUnknown = uint64_t{64} << 30;
  const uint64_t longest = options.key_size + schedule->pass.runner.value_sizes.Longest();
  uint64_t keys = 0;
  uint64_t data_bytes = 0;
  EngineSettings& engine = schedule->pass.engine;
  for (const Workload& workload : schedule->pass.workloads) {
    const uint64_t inserts = workload.inserts > 0 ? workload.operations : 0;
    keys = std::max(keys, workload.keys + inserts);
    data_bytes = std::max(data_bytes, workload.keys * longest);
    engine.count_written = engine.count_written || workload.counts_written;
    if (workload.Writes()) {
      engine.expected_bytes +=
          workload.seconds > 0 || workload.writer_beside ? kUnknown : workload.operations * longest;
    }
  }
  if (keys > KeyFormat::Capacity(options.key_size)) {
    return absl::InvalidArgumentError(absl::StrFormat("there are not %s of %s",
                                                      cli::FormatCount(keys, "different key"),
                                                      cli::FormatCount(options.key_size, "byte")));
  }
  engine.expected_keys = keys;
  engine.max_space_amplification = options.space_amplification;
  engine.cache_bytes = options.cache_size > 0
                           ? options.cache_size
                           : std::max<uint64_t>(uint64_t{64} << 20, 2 * data_bytes);
  return absl::OkStatus();
}

absl::Status CheckRange(const char* flag, uint64_t value, uint64_t min, uint64_t max) {
  if (value >= min && value <= max) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrFormat("%s: %d is not from %d to %d", flag, value, min, max));
}

}  // namespace

void DeclareFlags(const std::vector<EngineType>& systems, cli::CommandLine* line,
                  BenchOptions* options) {
  line->Option("--benchmarks", "LIST", &options->benchmarks,
               absl::StrFormat("db_bench's: %s; default %s", absl::StrJoin(DbBenchNames(), ", "),
                               kDefaultBenchmarks));
  line->Option("--workload", "LIST", &options->workload,
               "YCSB's core workloads instead: a, b, c, d, e, f, each after a load");
  line->RepeatedOption("-P", "FILE", &options->property_files, "YCSB properties of a file");
  line->RepeatedOption("-p", "NAME=VALUE", &options->properties, "One YCSB property; wins over -P");
  line->Option("--keystore", "LIST", &options->keystore,
               absl::StrFormat("rumcask with each of these keystores: %s; or all; default hash; "
                               "those on disk are called rumcask_NAME",
                               absl::StrJoin(KeystoreNames(), ", ")));
  line->Option("--systems", "LIST", &options->systems,
               absl::StrFormat("Beside them: %s", absl::StrJoin(NamesOf(systems), ", ")));
  line->Option("--num", "N", &options->num, "Number of keys; default 1000000");
  line->Option("--reads", "N", &options->reads, "Number of reads; default --num");
  line->Option("--threads", "N", &options->threads,
               "Threads, which share the operations; default 1");
  line->Option("--key_size", "BYTES", &options->key_size, "Default 16");
  line->Option("--value_size", "SIZES", &options->value_size,
               "BYTES, uniform:FROM-TO, normal:MEAN,DEVIATION or pareto:SHAPE,SCALE; default 100");
  line->Option("--batch_size", "N", &options->batch_size,
               "Of fillbatch, default 1000, and multireadrandom, default 32");
  line->Option("--seek_nexts", "N", &options->seek_nexts,
               "Entries that seekrandom reads after the first; default 0");
  line->Option("--duration", "SECONDS", &options->duration,
               "Reads and overwrites go on for so long instead of --num or --reads");
  line->Option("--target", "OPS", &options->target,
               "Open loop: so many operations per second, whatever the store does; figures are "
               "response times");
  line->Option("--writer_rate", "OPS", &options->writer_rate,
               "Puts per second of the writer of readwhilewriting; default as many as it can");
  line->Option("--seed", "N", &options->seed, "Same seed, same operations; default 42");
  line->Option("--rounds", "N", &options->rounds,
               "How often each system goes through all benchmarks, in turns; default 3");
  line->Option("--sample", "N", &options->sample,
               "Closed loop: take the time of one call in N; default 8, with --histogram 1");
  line->Option("--cache_size", "BYTES", &options->cache_size,
               "Cache of systems that have one of their own; default twice the data");
  line->Option("--space_amplification", "FACTOR", &options->space_amplification,
               "Bound on the space of logs, as a multiple of what is live, where a store has one "
               "(rumcask, rocksdb_blob); default its own");
  line->Flag("--sync", &options->sync, "Each write survives a power cut before it returns");
  line->Flag("--cold", &options->cold, "Drop the page cache before each benchmark but fills");
  line->Flag("--use_existing_db", &options->use_existing_db,
             "Do not fill: the stores are in --db from a run before");
  line->Flag("--histogram", &options->histogram, "Print the percentiles as HdrHistogram does");
  line->Option("--db", "DIR", &options->db,
               "Directory for the stores, which stay there; default a temporary one");
  line->Option("--format", "NAME", &options->format, "table, json or csv; default table");
  line->Option("--report", "FILE", &options->report,
               "Write a page with charts for a browser, too; it needs no network");
}

absl::StatusOr<Schedule> ScheduleOf(const BenchOptions& options,
                                    const std::vector<EngineType>& systems) {
  Schedule schedule;
  absl::StatusOr<std::vector<EngineType>> chosen = SystemsOf(options, systems);
  if (!chosen.ok()) return chosen.status();
  schedule.systems = *std::move(chosen);
  for (const absl::Status& status : {CheckRange("--num", options.num, 1, uint64_t{1} << 40),
                                     CheckRange("--threads", options.threads, 1, kMaxThreads),
                                     CheckRange("--key_size", options.key_size, 1, 65534),
                                     CheckRange("--rounds", options.rounds, 1, kMaxRounds),
                                     CheckRange("--sample", options.sample, 1, UINT64_MAX),
                                     CheckRange("--batch_size", options.batch_size, 0, 1000000)}) {
    if (!status.ok()) return status;
  }
  if (options.format != "table" && options.format != "json" && options.format != "csv") {
    return absl::InvalidArgumentError(
        absl::StrFormat("--format: '%s' is none of table, json, csv", options.format));
  }
  if (!options.workload.empty() && !options.benchmarks.empty()) {
    return absl::InvalidArgumentError("--benchmarks and --workload exclude each other");
  }
  if (options.workload.empty() && !(options.property_files.empty() && options.properties.empty())) {
    return absl::InvalidArgumentError("properties without --workload");
  }
  if (options.use_existing_db && options.db.empty()) {
    return absl::InvalidArgumentError("--use_existing_db needs --db");
  }
  if (options.space_amplification != 0 &&
      !(options.space_amplification >= 1.05 && options.space_amplification <= 100)) {
    return absl::InvalidArgumentError(absl::StrFormat(
        "--space_amplification: %g is not from 1.05 to 100", options.space_amplification));
  }
  const absl::StatusOr<ValueSizes> sizes = ValueSizes::Parse(options.value_size);
  if (!sizes.ok()) return sizes.status();
  RunnerSettings& runner = schedule.pass.runner;
  runner.key_size = options.key_size;
  runner.value_sizes = *sizes;
  runner.threads = static_cast<int>(options.threads);
  runner.sample = options.histogram ? 1 : options.sample;
  runner.target = options.target;
  schedule.pass.seed = options.seed;
  schedule.pass.use_existing = options.use_existing_db;
  schedule.pass.cold = options.cold;
  schedule.rounds = static_cast<int>(options.rounds);
  absl::Status status =
      options.workload.empty() ? AddDbBench(options, &schedule) : AddYcsb(options, &schedule);
  if (status.ok()) status = SetExpectations(options, &schedule);
  if (!status.ok()) return status;
  return schedule;
}

Facts SettingsFacts(const BenchOptions& options, const Schedule& schedule) {
  const RunnerSettings& runner = schedule.pass.runner;
  const Workload& first = schedule.pass.workloads.front();
  const std::string sizes = runner.value_sizes.ToString();
  std::vector<std::string> operations;
  for (const Workload& workload : schedule.pass.workloads) {
    if (workload.action != Workload::Action::kOperations &&
        workload.action != Workload::Action::kOpenUnclean &&
        workload.action != Workload::Action::kQueue) {
      continue;
    }
    operations.push_back(
        workload.seconds > 0
            ? absl::StrFormat("%s %g s", workload.name, workload.seconds)
            : absl::StrFormat("%s %s", workload.name, cli::FormatCount(workload.operations)));
  }
  Facts facts = {
      {"keys", absl::StrFormat("%s of %s", cli::FormatCount(first.keys),
                               cli::FormatCount(options.key_size, "byte"))},
      {"values", absl::StrCat(sizes, sizes == "1" ? " byte" : " bytes", ", incompressible")},
      {"operations", absl::StrJoin(operations, ", ")},
      {"threads", absl::StrCat(runner.threads)},
      {"loop", runner.target > 0 ? absl::StrFormat("open, %g operations per second", runner.target)
                                 : absl::StrFormat("closed, one call in %d timed", runner.sample)},
      {"durability", options.sync ? "every write survives a power cut"
                                  : "writes survive the death of the process; fillsync's survive a "
                                    "power cut"},
      {"page cache", options.cold ? "dropped before each benchmark but fills" : "hot"},
      {"seed", absl::StrCat(options.seed)},
  };
  if (options.space_amplification > 0) {
    facts.emplace_back("space", absl::StrFormat("logs at most %g times what is live",
                                                options.space_amplification));
  }
  return facts;
}

}  // namespace rumcask::bench
