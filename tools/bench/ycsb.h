// The core workloads of YCSB, the Yahoo! Cloud Serving Benchmark, under the names of its
// properties.

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

// Properties, each a name and a value, and what they mean. A record's fields are stored as one
// value of fieldcount x fieldlength bytes, so readallfields and writeallfields make no difference.
class YcsbProperties {
 public:
  // Those of workload a, b, c, d, e or f; InvalidArgument otherwise.
  static absl::StatusOr<YcsbProperties> OfWorkload(std::string_view letter);

  // Later settings win. InvalidArgument if the name is not one of YCSB's core properties: a
  // mistyped one would be ignored.
  absl::Status Set(std::string_view name, std::string_view value);

  // "name=value".
  absl::Status SetPair(std::string_view pair);

  // A file of such lines, as in YCSB's workloads/; empty lines and those that begin with # do not
  // count. Errors name the line.
  absl::Status SetAll(std::string_view file_name, std::string_view text);

  // Bytes of a record.
  absl::StatusOr<uint64_t> RecordBytes() const;
  // Both phases; InvalidArgument if a value makes no sense.
  absl::StatusOr<Workload> LoadPhase() const;
  absl::StatusOr<Workload> RunPhase() const;

  // The number of threads asked for, or 0.
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
