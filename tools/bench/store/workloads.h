// All comparisons, one function for each kind.

#ifndef RUMCASK_TOOLS_BENCH_STORE_WORKLOADS_H_
#define RUMCASK_TOOLS_BENCH_STORE_WORKLOADS_H_

#include <string>

#include "tools/bench/store/comparison.h"
#include "tools/bench/store/loaded_stores.h"

namespace rumcask::bench {

// Each function adds to `*to`. `stores` must outlive the comparisons.
void AddPutComparisons(LoadedStores* stores, Comparisons* to);
void AddOpenComparison(LoadedStores* stores, Comparisons* to);
void AddGetComparisons(LoadedStores* stores, Comparisons* to);
void AddReaderComparisons(LoadedStores* stores, Comparisons* to);
void AddOverwriteComparison(LoadedStores* stores, Comparisons* to);
void AddSyncComparisons(const std::string& directory, Comparisons* to);
void AddValueComparisons(const std::string& directory, Comparisons* to);

}  // namespace rumcask::bench

#endif  // RUMCASK_TOOLS_BENCH_STORE_WORKLOADS_H_
