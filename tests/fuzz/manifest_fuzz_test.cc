// MANIFEST. The first byte chooses whether the rest is the file itself, the file with its checksums
// to be fixed, or a body from which a file is made.

#include <cstddef>
#include <cstdint>
#include <string>

#include "core/format/manifest.h"
#include "tests/fuzz/checksum_fixer.h"
#include "tests/fuzz/expect.h"

namespace rumcask {
namespace {

// Of the layout of today or, if it `is_early`, of the first releases.
std::string FileWithBody(std::string_view body, bool is_early) {
  std::string copy(is_early ? "rumcaskM" : "rumcaskL");
  copy.resize(24);
  StoreU32(copy.data() + 12, static_cast<uint32_t>(body.size()));
  copy += body;
  copy.resize((copy.size() + 4095) / 4096 * 4096);
  std::string bytes = copy + copy;
  FixManifest(&bytes);
  return bytes;
}

void CheckRanges(const Manifest& manifest) {
  uint64_t above = 0;
  for (const ManifestRange& range : manifest.live) {
    RUMCASK_FUZZ_EXPECT(range.first_id > above && range.last_id >= range.first_id);
    RUMCASK_FUZZ_EXPECT(range.last_id <= manifest.highest_id);
    RUMCASK_FUZZ_EXPECT(manifest.Find(range.first_id) == &range);
    RUMCASK_FUZZ_EXPECT(manifest.Find(range.last_id) == &range);
    above = range.last_id;
  }
  RUMCASK_FUZZ_EXPECT(manifest.Find(0) == nullptr);
}

}  // namespace
}  // namespace rumcask

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace rumcask;
  if (size == 0) return 0;
  std::string bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  if (data[0] % 3 == 1) FixManifest(&bytes);
  if (data[0] % 3 == 2) bytes = FileWithBody(bytes, /*is_early=*/data[0] % 2 == 0);
  const absl::StatusOr<DecodedManifest> decoded = DecodeManifest(bytes, "MANIFEST");
  if (!decoded.ok()) return 0;
  const Manifest& manifest = decoded->manifest;
  CheckRanges(manifest);
  const std::string again = EncodeManifest(manifest);
  const absl::StatusOr<DecodedManifest> reread = DecodeManifest(again, "MANIFEST");
  RUMCASK_FUZZ_EXPECT(reread.ok() && reread->damaged_copies == 0);
  RUMCASK_FUZZ_EXPECT(EncodeManifest(reread->manifest) == again);
  return 0;
}
