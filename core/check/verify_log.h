// Checks the log byte by byte. Shared by VerifyFiles and DB::Verify.

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

// Compares the numbers of records with each other and with MANIFEST, and looks for parts of batches
// where there are none.
class NumberAudit {
 public:
  // `manifest` may be null, which means that it is damaged. It and `report` must outlive the audit.
  NumberAudit(const Manifest* manifest, VerifyReport* report)
      : manifest_(manifest), report_(report) {}

  // Segments must come in ascending order of their ids and records in that of their offsets.
  // Reports only the first wrong record of each segment.
  void BeginSegment(uint64_t id, Stream stream);
  void Record(const RecordHeader& header, uint64_t offset);

 private:
  void Tell(const RecordHeader& header, uint64_t offset, std::string cause);

  const Manifest* const manifest_;
  VerifyReport* const report_;
  uint64_t id_ = 0;
  Stream stream_ = Stream::kUser;
  uint64_t vouched_end_ = 0;  // MANIFEST knows the records below this offset
  bool told_ = false;
  // Number of the last record in the user stream, and in the survivor.
  uint64_t last_ = 0;
  uint64_t last_survivor_ = 0;
};

// Reads segment `id` and adds to `*report` what is wrong with it: its header; each record below
// `end` with its padding; and, if `has_footer` is true, key table and trailer compared with the
// records. Calls `visit` for each record that verifies. An error means that the file could not be
// read.
absl::Status VerifySegment(Directory* directory, const Uuid& uuid, uint64_t id, uint64_t end,
                           bool has_footer, VerifyReport* report, const RecordVisitor& visit);

// Adds to `*report` what is wrong with MANIFEST. NotFound if there is no MANIFEST and no segment.
absl::Status VerifyManifest(Directory* directory, VerifyReport* report);

}  // namespace rumcask

#endif  // RUMCASK_CORE_CHECK_VERIFY_LOG_H_
