// The core workloads of YCSB, the Yahoo! Cloud Serving Benchmark, with the names of its properties.

#ifndef RUMCASK_TOOLS_BENCH_YCSB_H_
#define RUMCASK_TOOLS_BENCH_YCSB_H_

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

#include "tools/bench/workload.h"

namespace rumcask::bench {

// Properties, each of which is a name and a value, and their meaning. The fields of a record are
// stored as one value of fieldcount x fieldlength bytes, so readallfields and writeallfields make
// no difference.
class YcsbProperties {
 public:
  // The properties of workload a, b, c, d, e or f; InvalidArgument for other letters.
  static absl::StatusOr<YcsbProperties> OfWorkload(std::string_view letter);

  // A later setting replaces an earlier one. InvalidArgument if the name is not one of YCSB's core
  // properties, because a mistyped name would otherwise be ignored.
  absl::Status Set(std::string_view name, std::string_view value);

  // "name=value".
  absl::Status SetPair(std::string_view pair);

  // Sets the properties of a file of such lines, as in YCSB's workloads/. Empty lines and lines
  // that begin with # are ignored. Errors name the line.
  absl::Status SetAll(std::string_view file_name, std::string_view text);

  // Whether the property has been set, or is one of the workload's.
  bool Has(std::string_view name) const { return values_.find(name) != values_.end(); }

  // The number of bytes of a record.
  absl::StatusOr<uint64_t> RecordBytes() const;
  // The two phases. InvalidArgument if a value makes no sense.
  absl::StatusOr<Workload> LoadPhase() const;
  absl::StatusOr<Workload> RunPhase() const;
  // The second one, whatever the proportions add up to.
  absl::StatusOr<Workload> RunPhaseOfAnySum() const;

  // The requested number of threads, or 0.
  absl::StatusOr<uint64_t> ThreadCount() const;

 private:
  absl::StatusOr<uint64_t> Number(std::string_view name, uint64_t missing) const;
  absl::StatusOr<double> Share(std::string_view name, double missing) const;
  absl::StatusOr<std::string> OneOf(std::string_view name,
                                    const std::vector<std::string>& allowed) const;

  std::map<std::string, std::string, std::less<>> values_;
  std::string letter_;
};

}  // namespace rumcask::bench

#endif  // RUMCASK_TOOLS_BENCH_YCSB_H_
