// How large things can be in the format. Public.

#ifndef RUMCASK_CORE_FORMAT_LIMITS_H_
#define RUMCASK_CORE_FORMAT_LIMITS_H_

#include "rumcask/require_cxx17.h"

#include <cstddef>
#include <cstdint>

namespace rumcask {

// The longest key and the longest value.
inline constexpr size_t kMaxKeyBytes = 65535;
inline constexpr size_t kMaxValueBytes = size_t{1} << 30;
// What a record may have in front of a value of that size.
inline constexpr size_t kMaxValuePrefixBytes = 512;
// A batch as written to the log: record headers, keys, values, padding.
inline constexpr size_t kMaxBatchBytes = (size_t{1} << 30) + (size_t{64} << 20);
// The bounds of Options::segment_bytes.
inline constexpr uint64_t kMinSegmentBytes = 4096;
inline constexpr uint64_t kMaxSegmentBytes = uint64_t{1} << 30;

}  // namespace rumcask

#endif  // RUMCASK_CORE_FORMAT_LIMITS_H_
