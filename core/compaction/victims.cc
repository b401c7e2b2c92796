#include "core/compaction/victims.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "core/log/space.h"

namespace rumcask {

double CompactionScore(const VictimFigures& figures) {
  const uint64_t dead = figures.dead_bytes();
  if (dead == 0) return 0;
  if (figures.live_bytes == 0) return std::numeric_limits<double>::infinity();
  const double share = static_cast<double>(dead) / static_cast<double>(figures.record_bytes);
  return static_cast<double>(figures.age + 1) * share * share / (1 - share);
}

uint64_t ExpectedToStay(Segment* segment, uint64_t older) {
  const uint64_t live = Space::LiveBytes(*segment);
  const uint64_t tombstones = segment->tombstone_bytes.load(std::memory_order_relaxed);
  if (tombstones == 0) return live;
  uint64_t before = segment->older_segments.load(std::memory_order_relaxed);
  if (before == 0) {
    before = older + 1;
    segment->older_segments.store(before, std::memory_order_relaxed);
  }
  const double share = std::min(
      1.0, static_cast<double>(older) / static_cast<double>(std::max<uint64_t>(1, before - 1)));
  return live + static_cast<uint64_t>(share * static_cast<double>(tombstones));
}

void OrderVictims(std::vector<VictimFigures>* candidates) {
  std::vector<std::pair<double, VictimFigures>> scored;
  for (const VictimFigures& figures : *candidates) {
    const double score = CompactionScore(figures);
    if (score > 0 || figures.unsure) scored.emplace_back(score, figures);
  }
  // Among equals the older one first.
  std::sort(scored.begin(), scored.end(), [](const auto& a, const auto& b) {
    return a.first != b.first ? a.first > b.first : a.second.id < b.second.id;
  });
  candidates->clear();
  for (const auto& [score, figures] : scored) candidates->push_back(figures);
}

}  // namespace rumcask
