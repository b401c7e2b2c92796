#include "tools/bench/timeline.h"

#include <utility>

namespace rumcask::bench {

void Timeline::Add(double seconds, uint64_t operations) {
  if (++seen_ % each_ != 0) return;
  points_.push_back({seconds, operations});
  if (points_.size() < kMost) return;
  std::vector<Point> kept;
  for (size_t i = 1; i < points_.size(); i += 2) kept.push_back(points_[i]);
  points_ = std::move(kept);
  each_ *= 2;
}

void Timeline::End(double begin, double end, uint64_t operations) {
  std::vector<Point> kept;
  for (const Point& point : points_) {
    if (point.seconds > begin && point.seconds < end) {
      kept.push_back({point.seconds - begin, point.operations});
    }
  }
  kept.push_back({end - begin, operations});
  points_ = std::move(kept);
}

Timeline Timeline::FromPoints(std::vector<Point> points) {
  Timeline timeline;
  timeline.points_ = std::move(points);
  return timeline;
}

double Timeline::OperationsAt(double seconds) const {
  Point before;
  for (const Point& point : points_) {
    if (point.seconds >= seconds) {
      const double length = point.seconds - before.seconds;
      const double share = length > 0 ? (seconds - before.seconds) / length : 1;
      return static_cast<double>(before.operations) +
             share * static_cast<double>(point.operations - before.operations);
    }
    before = point;
  }
  return static_cast<double>(before.operations);
}

std::optional<double> Timeline::LastChange() const {
  if (points_.size() < kFewest) return std::nullopt;
  const double end = points_.back().seconds;
  const double third = OperationsAt(end * 3 / 4) - OperationsAt(end / 2);
  const double last = OperationsAt(end) - OperationsAt(end * 3 / 4);
  if (third > 0) return last / third - 1;
  // It stood still for a quarter of the time, or for half.
  return last > 0 ? 1 : -1;
}

}  // namespace rumcask::bench
