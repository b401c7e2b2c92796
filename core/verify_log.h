// Checking one segment byte by byte; shared by the two ways of verifying.

#ifndef RUMCASK_CORE_VERIFY_LOG_H_
#define RUMCASK_CORE_VERIFY_LOG_H_

#include <cstdint>
#include <functional>
#include <string_view>

#include "absl/status/status.h"

#include "core/file_system.h"
#include "core/format.h"
#include "core/verify.h"

namespace rumcask {

using RecordVisitor =
    std::function<void(const RecordHeader& header, std::string_view key, uint64_t offset)>;

// Reads segment `id` and adds what is wrong with it to `*report`: its header, each record below
// `end` and its padding, and, if it `has_footer`, key table and trailer against the records. Calls
// `visit` for each record that verifies. An error means that the file could not be read.
absl::Status VerifySegment(Directory* directory, const Uuid& uuid, uint64_t id, uint64_t end,
                           bool has_footer, VerifyReport* report, const RecordVisitor& visit);

// Adds what is wrong with MANIFEST.
absl::Status VerifyManifest(Directory* directory, VerifyReport* report);

}  // namespace rumcask

#endif  // RUMCASK_CORE_VERIFY_LOG_H_
