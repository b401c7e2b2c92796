#include "tools/advise/small_database.h"

#include <algorithm>
#include <cstdint>
#include <string>

#include "absl/status/statusor.h"

#include "keystores/by_name.h"
#include "keystores/rocksdb/rocksdb_keystore.h"

namespace rumcask::advise {
namespace {

// A segment holds several records, as it does at full size.
constexpr double kEntriesInSegment = 16;
// RocksDB takes no smaller ones.
constexpr uint64_t kLeastBuffer = uint64_t{64} << 10;

uint64_t Halved(uint64_t bytes, int halvings, uint64_t least) {
  return std::min(bytes, std::max(bytes >> halvings, least));
}

absl::StatusOr<KeystoreFactory> SmallKeystore(const std::string& name, int halvings) {
  absl::StatusOr<KeystoreFactory> keystore = KeystoreByName(name);
  if (!keystore.ok()) return keystore.status();
  if (name == "rocksdb") {
    // The only one with bounds of its own.
    RocksdbOptions options;
    options.block_cache_bytes = Halved(options.block_cache_bytes, halvings, kLeastBuffer);
    options.write_buffer_bytes = Halved(options.write_buffer_bytes, halvings, kLeastBuffer);
    keystore = RocksdbKeystore(options);
  }
  keystore->buffer_bytes >>= halvings;
  return keystore;
}

}  // namespace

Shrinking ShrinkingFor(int halvings, int smaller) {
  // Segments of 256 KiB and buffers of 64 KiB.
  constexpr int kMostOfSegments = 8;
  constexpr int kMostOfBuffers = 10;
  const int larger = halvings - smaller;
  return {std::min(larger, kMostOfSegments) + smaller, std::min(larger, kMostOfBuffers) + smaller};
}

absl::StatusOr<Options> SmallDatabase(const Profile& profile, const std::string& keystore,
                                      const Shrinking& shrinking) {
  absl::StatusOr<KeystoreFactory> small = SmallKeystore(keystore, shrinking.buffers);
  if (!small.ok()) return small.status();
  Options options;
  options.keystore = *std::move(small);
  options.create_if_missing = true;
  const auto entries = static_cast<uint64_t>(kEntriesInSegment * profile.EntryBytes());
  options.segment_bytes = Halved(options.segment_bytes, shrinking.segments, entries);
  options.compaction.small_segment_bytes >>= shrinking.segments;
  options.replay_bytes = options.replay_bytes >> shrinking.buffers;
  return options;
}

}  // namespace rumcask::advise
