#include "rumcask/prometheus_text.h"

#include <cstdint>
#include <string>
#include <utility>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "rumcask/stats.h"

namespace rumcask {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

// Each figure gets a value of its own. With a member more, the structures cannot be taken apart
// like this, and the new figure is not forgotten.
TEST(PrometheusText, HasEveryFigure) {
  Stats stats;
  auto& [keystore, keys, keys_exact, index_bytes, index_file_bytes, index_version, index_rebuilt,
         log_bytes, live_bytes, live_bytes_exact, file_bytes, active_bytes, prepared_bytes,
         in_flight_bytes, waiting_bytes, pinned_bytes, damaged_bytes, reserve_bytes, pins,
         snapshots, undo_bytes, last_version, durable_version, puts, deletes, syncs,
         sealed_segments, compaction, recovery, segments] = stats;
  auto& [running, jobs, copied_records, written_bytes, retired_segments, retired_bytes,
         writer_waits] = compaction;
  auto& [was_clean, dropped_bytes, dropped_segments, recovered_version, scanned_segments,
         damaged_footers] = recovery;
  SegmentStats segment;
  auto& [id, sealed, segment_file_bytes, segment_log_bytes, segment_live_bytes, segment_records,
         segment_pins, state] = segment;
  const std::pair<const char*, uint64_t*> figures[] = {
      {"keys", &keys},
      {"index_bytes", &index_bytes},
      {"index_file_bytes", &index_file_bytes},
      {"index_version", &index_version},
      {"log_bytes", &log_bytes},
      {"live_bytes", &live_bytes},
      {"file_bytes", &file_bytes},
      {"active_bytes", &active_bytes},
      {"prepared_bytes", &prepared_bytes},
      {"in_flight_bytes", &in_flight_bytes},
      {"waiting_bytes", &waiting_bytes},
      {"pinned_bytes", &pinned_bytes},
      {"damaged_bytes", &damaged_bytes},
      {"reserve_bytes", &reserve_bytes},
      {"pins", &pins},
      {"snapshots", &snapshots},
      {"undo_bytes", &undo_bytes},
      {"last_version", &last_version},
      {"durable_version", &durable_version},
      {"puts_total", &puts},
      {"deletes_total", &deletes},
      {"syncs_total", &syncs},
      {"sealed_segments_total", &sealed_segments},
      {"compaction_jobs_total", &jobs},
      {"compaction_copied_records_total", &copied_records},
      {"compaction_written_bytes_total", &written_bytes},
      {"compaction_retired_segments_total", &retired_segments},
      {"compaction_retired_bytes_total", &retired_bytes},
      {"compaction_writer_waits_total", &writer_waits},
      {"recovery_dropped_bytes", &dropped_bytes},
      {"recovery_dropped_segments", &dropped_segments},
      {"recovery_last_version", &recovered_version},
      {"recovery_scanned_segments", &scanned_segments},
      {"recovery_damaged_footers", &damaged_footers},
  };
  const std::pair<const char*, uint64_t*> figures_of_segments[] = {
      {"segments_file_bytes", &segment_file_bytes},
      {"segments_log_bytes", &segment_log_bytes},
      {"segments_live_bytes", &segment_live_bytes},
      {"segments_records", &segment_records},
      {"segments_pins", &segment_pins},
  };
  uint64_t next = 1000;
  for (const auto& [name, figure] : figures) *figure = next++;
  for (const auto& [name, figure] : figures_of_segments) *figure = next++;
  keystore = "hash";
  segments.push_back(segment);
  const std::string text = PrometheusText(stats, "db");
  const auto series = [](const std::string& name, const std::string& labels, uint64_t value) {
    return "\nrumcask_" + name + "{database=\"db\",keystore=\"hash\"" + labels + "} " +
           std::to_string(value) + "\n";
  };
  for (const auto& [name, figure] : figures) {
    EXPECT_THAT(text, HasSubstr(series(name, "", *figure)));
  }
  for (const auto& [name, figure] : figures_of_segments) {
    EXPECT_THAT(text, HasSubstr(series(name, ",state=\"open\"", *figure)));
  }
  EXPECT_THAT(text, HasSubstr(series("segments", ",state=\"open\"", 1)));
}

TEST(PrometheusText, HasWhetherSomethingIsSo) {
  Stats stats;
  for (const bool is_so : {false, true}) {
    stats.keys_exact = stats.live_bytes_exact = is_so;
    stats.compaction.running = stats.recovery.was_clean = is_so;
    const std::string text = PrometheusText(stats, "");
    for (const char* name :
         {"keys_exact", "live_bytes_exact", "compaction_running", "recovery_was_clean"}) {
      EXPECT_THAT(text, HasSubstr(std::string("\nrumcask_") + name +
                                  "{database=\"\",keystore=\"\"} " + (is_so ? "1\n" : "0\n")));
    }
  }
}

TEST(PrometheusText, HasWhetherTheIndexIsUsable) {
  Stats stats;
  const std::string unusable = PrometheusText(stats, "", /*index_usable=*/false);
  EXPECT_THAT(unusable, HasSubstr("\nrumcask_index_usable{database=\"\",keystore=\"\"} 0\n"));
  EXPECT_THAT(unusable, Not(HasSubstr("index_file_bytes")));
  EXPECT_THAT(unusable, Not(HasSubstr("index_version")));
  // The index on disk of an empty database is up to date through version 0.
  stats.index_file_bytes = 1;
  const std::string usable = PrometheusText(stats, "");
  EXPECT_THAT(usable, HasSubstr("\nrumcask_index_usable{database=\"\",keystore=\"\"} 1\n"));
  EXPECT_THAT(usable, HasSubstr("\nrumcask_index_version{database=\"\",keystore=\"\"} 0\n"));
}

TEST(PrometheusText, AddsSegmentsUpByTheirState) {
  Stats stats;
  for (const auto state :
       {SegmentStats::State::kIdle, SegmentStats::State::kIdle, SegmentStats::State::kInFlight,
        SegmentStats::State::kWaiting, SegmentStats::State::kDamaged}) {
    SegmentStats segment;
    segment.records = uint64_t{1} << stats.segments.size();
    segment.sealed = true;
    segment.state = state;
    stats.segments.push_back(segment);
  }
  const std::string text = PrometheusText(stats, "");
  const std::string series = "\nrumcask_segments_records{database=\"\",keystore=\"\",state=\"";
  EXPECT_THAT(text, HasSubstr(series + "open\"} 0\n"));
  EXPECT_THAT(text, HasSubstr(series + "sealed\"} 3\n"));
  EXPECT_THAT(text, HasSubstr(series + "in_flight\"} 4\n"));
  EXPECT_THAT(text, HasSubstr(series + "waiting\"} 8\n"));
  EXPECT_THAT(text, HasSubstr(series + "damaged\"} 16\n"));
}

TEST(PrometheusText, EscapesLabels) {
  Stats stats;
  stats.keystore = "a\"b\\c\nd\x1b\xff";
  EXPECT_THAT(PrometheusText(stats, "\""),
              HasSubstr("{database=\"\\\"\",keystore=\"a\\\"b\\\\c\\nd\\\\1b\\\\ff\"} 0\n"));
}

}  // namespace
}  // namespace rumcask
