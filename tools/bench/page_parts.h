// Files that are built into the program.

#ifndef RUMCASK_TOOLS_BENCH_PAGE_PARTS_H_
#define RUMCASK_TOOLS_BENCH_PAGE_PARTS_H_

namespace rumcask::bench {

extern const char kPageStyle[];
extern const char kPageScript[];
// Of uPlot; empty if it was not there.
extern const char kChartLicense[];
extern const char kChartStyle[];
extern const char kChartScript[];

}  // namespace rumcask::bench

#endif  // RUMCASK_TOOLS_BENCH_PAGE_PARTS_H_
