// How the speed of a benchmark changed while it ran.

#ifndef RUMCASK_TOOLS_BENCH_TIMELINE_H_
#define RUMCASK_TOOLS_BENCH_TIMELINE_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

namespace rumcask::bench {

// How many operations were done after how many seconds. A long benchmark keeps no more points than
// a short one: when there are too many, every second one is dropped, and from then on as many of
// the new ones.
class Timeline {
 public:
  struct Point {
    double seconds = 0;
    uint64_t operations = 0;
  };
  static constexpr size_t kMost = 240;
  // With fewer points nothing is told about a change.
  static constexpr size_t kFewest = 25;

  // Both figures must be at least those of the last point.
  void Add(double seconds, uint64_t operations);
  // Adds the last point, and drops what was sampled outside of the benchmark, which began after
  // `begin` seconds and ended after `end`. From then on the seconds are counted from its beginning.
  void End(double begin, double end, uint64_t operations);

  const std::vector<Point>& points() const { return points_; }
  static Timeline FromPoints(std::vector<Point> points);

  // By how much the last quarter of the time was faster than the one before, as a share: -0.2 if
  // four fifths as many operations were done. Nothing if there are fewer than kFewest points.
  std::optional<double> LastChange() const;

 private:
  double OperationsAt(double seconds) const;

  std::vector<Point> points_;
  size_t each_ = 1;  // one of so many points is kept
  size_t seen_ = 0;
};

}  // namespace rumcask::bench

#endif  // RUMCASK_TOOLS_BENCH_TIMELINE_H_
