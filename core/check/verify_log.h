// Checking the log byte by byte; shared by the two ways of verifying.

#ifndef RUMCASK_CORE_CHECK_VERIFY_LOG_H_
#define RUMCASK_CORE_CHECK_VERIFY_LOG_H_

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "absl/status/status.h"

#include "core/check/verify.h"
#include "core/format/format.h"
#include "core/format/manifest.h"
#include "core/system/file_system.h"

namespace rumcask {

using RecordVisitor =
    std::function<void(const RecordHeader& header, std::string_view key, uint64_t offset)>;

// The numbers of records, held against each other and against MANIFEST.
class NumberAudit {
 public:
  // `manifest` may be null, if it is damaged; it and `report` must outlive the audit.
  NumberAudit(const Manifest* manifest, VerifyReport* report)
      : manifest_(manifest), report_(report) {}

  // Segments come in ascending order of their ids, records in that of their places. Tells of the
  // first in each segment that is wrong.
  void BeginSegment(uint64_t id, Stream stream);
  void Record(const RecordHeader& header, uint64_t offset);

 private:
  void Tell(const RecordHeader& header, uint64_t offset, std::string cause);

  const Manifest* const manifest_;
  VerifyReport* const report_;
  uint64_t id_ = 0;
  Stream stream_ = Stream::kUser;
  uint64_t vouched_end_ = 0;  // MANIFEST knows what lies below
  bool told_ = false;
  uint64_t last_ = 0;  // in the user stream
};

// Reads segment `id` and adds what is wrong with it to `*report`: its header, each record below
// `end` and its padding, and, if it `has_footer`, key table and trailer against the records. Calls
// `visit` for each record that verifies. An error means that the file could not be read.
absl::Status VerifySegment(Directory* directory, const Uuid& uuid, uint64_t id, uint64_t end,
                           bool has_footer, VerifyReport* report, const RecordVisitor& visit);

// Adds what is wrong with MANIFEST.
absl::Status VerifyManifest(Directory* directory, VerifyReport* report);

}  // namespace rumcask

#endif  // RUMCASK_CORE_CHECK_VERIFY_LOG_H_
