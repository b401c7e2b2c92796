// Groups the records of a segment by what was written in one step: a single record or a batch.

#ifndef RUMCASK_CORE_CHECK_RECORD_GROUPS_H_
#define RUMCASK_CORE_CHECK_RECORD_GROUPS_H_

#include <cstdint>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"

#include "core/format/format.h"
#include "core/segment/segment_file.h"

namespace rumcask {

struct RecordPlace {
  uint64_t offset;
  RecordHeader header;
};

// Records with numbers of their own that belong together, in order. Never empty.
struct RecordGroup {
  // Whether these are all the records that were written in that step.
  bool whole = true;
  std::vector<RecordPlace> records;

  uint64_t first_sequence() const { return records.front().header.sequence; }
  uint64_t last_sequence() const { return records.back().header.sequence; }
};

class RecordGrouper {
 public:
  using Callback = absl::FunctionRef<absl::Status(const RecordGroup&)>;

  // Takes the next record that verifies; damage may lie between it and the one before. Calls
  // `on_group` for each group that it completes or shows to be incomplete.
  absl::Status Add(const FoundRecord& record, Callback on_group) {
    if (record.header.part == BatchPart::kNone || record.header.part == BatchPart::kFirst) {
      absl::Status status = Finish(on_group);
      if (!status.ok()) return status;
      group_.whole = true;
    } else if (group_.records.empty() || !Follows(record)) {
      // Damage between the parts of a batch does not split it into two groups.
      group_.whole = false;
    }
    group_.records.push_back({record.offset, record.header});
    const bool ends =
        record.header.part == BatchPart::kNone || record.header.part == BatchPart::kLast;
    return ends ? Take(on_group) : absl::OkStatus();
  }

  // To be called at the end: a group that is left is incomplete.
  absl::Status Finish(Callback on_group) {
    if (group_.records.empty()) return absl::OkStatus();
    group_.whole = false;
    return Take(on_group);
  }

 private:
  bool Follows(const FoundRecord& record) const {
    const RecordPlace& last = group_.records.back();
    return last.offset + last.header.record_bytes() == record.offset &&
           last.header.sequence + 1 == record.header.sequence;
  }

  absl::Status Take(Callback on_group) {
    absl::Status status = on_group(group_);
    group_.records.clear();
    return status;
  }

  RecordGroup group_;
};

}  // namespace rumcask

#endif  // RUMCASK_CORE_CHECK_RECORD_GROUPS_H_
