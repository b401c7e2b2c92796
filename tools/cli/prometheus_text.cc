#include "tools/cli/prometheus_text.h"

#include <cstdint>
#include <string>
#include <string_view>

#include "absl/strings/str_format.h"
#include "absl/strings/str_replace.h"

#include "core/listener.h"
#include "core/stats.h"
#include "tools/cli/printable.h"

namespace rumcask {
namespace {

using cli::Escaping;
using cli::Printable;

// The value of a label. It must be UTF-8, and may go to a terminal.
std::string Label(std::string_view value) {
  return absl::StrReplaceAll(Printable(value, Escaping::kLines),
                             {{"\\", "\\\\"}, {"\"", "\\\""}, {"\n", "\\n"}});
}

class Metrics {
 public:
  Metrics(std::string_view database, std::string_view keystore)
      : labels_(
            absl::StrFormat("database=\"%s\",keystore=\"%s\"", Label(database), Label(keystore))) {}

  // What may become less again.
  void Gauge(std::string_view name, std::string_view help, uint64_t value) {
    Add("gauge", name, help, value);
  }

  // What only grows from the opening on.
  void Counter(std::string_view name, std::string_view help, uint64_t value) {
    Add("counter", name, help, value);
  }

  // A gauge of segments, of which OfState adds the value for each state.
  void GaugeByState(std::string_view name, std::string_view help) { Head("gauge", name, help); }
  void OfState(std::string_view name, std::string_view state, uint64_t value) {
    absl::StrAppendFormat(&text_, "rumcask_%s{%s,state=\"%s\"} %d\n", name, labels_, state, value);
  }

  const std::string& text() const { return text_; }

 private:
  void Add(std::string_view type, std::string_view name, std::string_view help, uint64_t value) {
    Head(type, name, help);
    absl::StrAppendFormat(&text_, "rumcask_%s{%s} %d\n", name, labels_, value);
  }
  void Head(std::string_view type, std::string_view name, std::string_view help) {
    absl::StrAppendFormat(&text_, "# HELP rumcask_%s %s\n# TYPE rumcask_%s %s\n", name, help, name,
                          type);
  }

  const std::string labels_;
  std::string text_;
};

std::string_view StateOf(const SegmentStats& segment) {
  switch (segment.state) {
    case SegmentStats::State::kInFlight:
      return "in_flight";
    case SegmentStats::State::kWaiting:
      return "waiting";
    case SegmentStats::State::kDamaged:
      return "damaged";
    case SegmentStats::State::kIdle:
      break;
  }
  return segment.sealed ? "sealed" : "open";
}

void AddRecovery(const RecoveryReport& recovery, Metrics* metrics) {
  metrics->Gauge("recovery_was_clean", "Whether the database was closed cleanly before (1 or 0).",
                 recovery.was_clean);
  metrics->Gauge("recovery_dropped_bytes",
                 "Bytes of the log's end that opening dropped, as they were never promised.",
                 recovery.dropped_bytes);
  metrics->Gauge("recovery_dropped_segments",
                 "Segments that opening dropped whole, as they were never promised.",
                 recovery.dropped_segments);
  metrics->Gauge("recovery_last_version", "Version of the last record that opening kept.",
                 recovery.last_version);
  metrics->Gauge("recovery_scanned_segments",
                 "Segments that opening read in full, as they had no usable key table.",
                 recovery.scanned_segments);
  metrics->Gauge("recovery_damaged_footers", "Sealed segments whose footer is damaged.",
                 recovery.damaged_footers);
}

void AddCompaction(const CompactionStats& compaction, Metrics* metrics) {
  metrics->Gauge("compaction_running", "Whether a compaction is running (1 or 0).",
                 compaction.running);
  metrics->Counter("compaction_jobs_total", "Compactions since the opening.", compaction.jobs);
  metrics->Counter("compaction_copied_records_total",
                   "Records that compaction has copied since the opening.",
                   compaction.copied_records);
  metrics->Counter("compaction_written_bytes_total",
                   "Bytes that compaction has written since the opening.",
                   compaction.written_bytes);
  metrics->Counter("compaction_retired_segments_total",
                   "Segments that compaction has removed since the opening.",
                   compaction.retired_segments);
  metrics->Counter("compaction_retired_bytes_total",
                   "Bytes of the segments that compaction has removed since the opening.",
                   compaction.retired_bytes);
  metrics->Counter("compaction_writer_waits_total",
                   "How often writers have waited for space to come back since the opening.",
                   compaction.writer_waits);
}

void AddSegments(const Stats& stats, Metrics* metrics) {
  const struct {
    std::string_view name;
    std::string_view help;
    uint64_t (*of)(const SegmentStats&);
  } figures[] = {
      {"segments", "Segments of the log.", [](const SegmentStats&) { return uint64_t{1}; }},
      {"segments_file_bytes", "Bytes on disk of segments.",
       [](const SegmentStats& segment) { return segment.file_bytes; }},
      {"segments_log_bytes", "Bytes of the records in segments, with headers and padding.",
       [](const SegmentStats& segment) { return segment.log_bytes; }},
      {"segments_live_bytes", "Bytes of the records in segments that the index points at.",
       [](const SegmentStats& segment) { return segment.live_bytes; }},
      {"segments_records", "Records of any kind in segments.",
       [](const SegmentStats& segment) { return segment.records; }},
      {"segments_pins", "Pinned values that hold segments.",
       [](const SegmentStats& segment) { return segment.pins; }},
  };
  for (const auto& figure : figures) {
    metrics->GaugeByState(figure.name, figure.help);
    for (const std::string_view state : {"open", "sealed", "in_flight", "waiting", "damaged"}) {
      uint64_t sum = 0;
      for (const SegmentStats& segment : stats.segments) {
        if (StateOf(segment) == state) sum += figure.of(segment);
      }
      metrics->OfState(figure.name, state, sum);
    }
  }
}

}  // namespace

std::string PrometheusText(const Stats& stats, std::string_view database, bool index_usable) {
  Metrics metrics(database, stats.keystore);
  metrics.Gauge("keys", "Keys as the index counts them; one on disk may lag behind the writes.",
                stats.keys);
  metrics.Gauge("keys_exact", "Whether the number of keys is exact (1 or 0).", stats.keys_exact);
  metrics.Gauge("index_bytes", "Bytes of memory that the index takes.", stats.index_bytes);
  metrics.Gauge("index_usable", "Whether the index of the database could be used (1 or 0).",
                index_usable);
  if (stats.index_file_bytes > 0) {
    metrics.Gauge("index_file_bytes", "Bytes on disk of the index.", stats.index_file_bytes);
    metrics.Gauge("index_version", "Version through which the index on disk is durably up to date.",
                  stats.index_version);
  }
  metrics.Gauge("log_bytes", "Bytes of all records in the log, with headers and padding.",
                stats.log_bytes);
  metrics.Gauge("live_bytes", "Bytes of the records that the index points at.", stats.live_bytes);
  metrics.Gauge("live_bytes_exact",
                "Whether the number of live bytes is exact and no upper bound (1 or 0).",
                stats.live_bytes_exact);
  metrics.Gauge("file_bytes", "Bytes on disk of all segments.", stats.file_bytes);
  metrics.Gauge("active_bytes", "Bytes on disk of segments that are not sealed.",
                stats.active_bytes);
  metrics.Gauge("prepared_bytes", "Bytes on disk of the file that the next segment will be.",
                stats.prepared_bytes);
  metrics.Gauge("in_flight_bytes", "Bytes on disk of segments that a running compaction works on.",
                stats.in_flight_bytes);
  metrics.Gauge("waiting_bytes",
                "Bytes on disk of segments that compaction has emptied and something still needs.",
                stats.waiting_bytes);
  metrics.Gauge("pinned_bytes",
                "Bytes on disk of segments that compaction has emptied and pinned values hold.",
                stats.pinned_bytes);
  metrics.Gauge("damaged_bytes", "Bytes on disk of segments that are damaged.",
                stats.damaged_bytes);
  metrics.Gauge("reserve_bytes", "Bytes on disk that are held in reserve for when it is full.",
                stats.reserve_bytes);
  metrics.Gauge("pins", "Pinned values that hold a segment.", stats.pins);
  metrics.Gauge("snapshots", "Open snapshots and iterators.", stats.snapshots);
  metrics.Gauge("undo_bytes", "Bytes of memory that hold what only snapshots see.",
                stats.undo_bytes);
  metrics.Gauge("last_version", "Version of the newest write.", stats.last_version);
  metrics.Gauge("durable_version", "Version through which all writes survive a power cut.",
                stats.durable_version);
  metrics.Counter("puts_total", "Records of kind put written since the opening.", stats.puts);
  metrics.Counter("deletes_total", "Records of kind delete written since the opening.",
                  stats.deletes);
  metrics.Counter("syncs_total", "Syncs of the active segment since the opening.", stats.syncs);
  metrics.Counter("sealed_segments_total", "Segments sealed since the opening.",
                  stats.sealed_segments);
  AddCompaction(stats.compaction, &metrics);
  AddRecovery(stats.recovery, &metrics);
  AddSegments(stats, &metrics);
  return metrics.text();
}

}  // namespace rumcask
