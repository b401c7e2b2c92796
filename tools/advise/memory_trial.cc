#include "tools/advise/memory_trial.h"

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "nlohmann/json.hpp"

#include "core/plugin/keystore.h"
#include "core/plugin/location.h"
#include "keystores/by_name.h"
#include "tools/advise/child.h"
#include "tools/advise/entries.h"
#include "tools/bench/permutation.h"
#include "tools/bench/process_counters.h"

namespace rumcask::advise {
namespace {

using Clock = std::chrono::steady_clock;

// The location of the record with this number, as if records of 64 bytes filled segment after
// segment.
Location Place(uint64_t number) {
  constexpr uint64_t kRecord = 64;
  constexpr uint64_t kInSegment = uint64_t{1} << 20;
  return Location::Make(static_cast<uint32_t>(number / kInSegment % Location::kMaxSlots),
                        (number % kInSegment + 1) * kRecord, kRecord);
}

absl::StatusOr<std::vector<MemoryPoint>> Fill(const Profile& profile,
                                              const MemorySettings& settings) {
  const absl::StatusOr<KeystoreFactory> factory = KeystoreByName(settings.keystore);
  if (!factory.ok()) return factory.status();
  Entries entries(profile);
  // The keys come in an order in which those of each point are a random part of all.
  const bench::Permutation order(profile.keys, /*seed=*/1);
  const bench::ProcessCounters counters;
  const uint64_t before = counters.Read().anonymous_bytes;
  absl::StatusOr<std::unique_ptr<Keystore>> keystore = factory->create(KeystoreConfig());
  if (!keystore.ok()) return keystore.status();

  std::vector<MemoryPoint> points;
  uint64_t next = settings.least_keys;
  const Clock::time_point begin = Clock::now();
  for (uint64_t i = 0; i < profile.keys; ++i) {
    PreparedKey key(entries.Key(profile.ascending ? i : order(i)));
    (*keystore)->Digest(&key);
    (*keystore)->Set(key, Place(i), /*sequence=*/i + 1);
    if (i + 1 != next) continue;
    const uint64_t now = counters.Read().anonymous_bytes;
    points.push_back({next, now - std::min(now, before)});
    // Filling twice as many takes about four times as long in all.
    const std::chrono::duration<double> passed = Clock::now() - begin;
    const bool in_time = passed.count() <= settings.seconds / 4;
    next = std::min(2 * next, profile.keys);
    // One point would not tell what grows.
    if (points.size() > 1 && (next > settings.most_keys || !in_time)) break;
  }
  // Taking the index apart would only take time.
  (void)keystore->release();
  return points;
}

}  // namespace

absl::StatusOr<std::vector<MemoryPoint>> RunMemoryTrial(const Profile& profile,
                                                        const MemorySettings& settings) {
  const absl::StatusOr<nlohmann::ordered_json> json =
      RunInChild(absl::StrCat("trying ", settings.keystore), settings.stop,
                 [&]() -> absl::StatusOr<nlohmann::ordered_json> {
                   const absl::StatusOr<std::vector<MemoryPoint>> points = Fill(profile, settings);
                   if (!points.ok()) return points.status();
                   nlohmann::ordered_json list = nlohmann::ordered_json::array();
                   for (const MemoryPoint& point : *points) {
                     list.push_back({{"keys", point.keys}, {"bytes", point.bytes}});
                   }
                   return list;
                 });
  if (!json.ok()) return json.status();
  std::vector<MemoryPoint> points;
  for (const nlohmann::ordered_json& point : *json) {
    points.push_back({point.at("keys"), point.at("bytes")});
  }
  return points;
}

}  // namespace rumcask::advise
