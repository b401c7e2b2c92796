#include "core/compaction/measurement.h"

#include <algorithm>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "core/log/space.h"
#include "core/plugin/key_block.h"
#include "core/plugin/key_range.h"
#include "core/system/reader_epoch.h"
#include "core/system/seeded_bug.h"

namespace rumcask {
namespace {

constexpr size_t kKeysAtOnce = 1024;
// Corrected under one hold of the write lock.
constexpr size_t kSegmentsAtOnce = 64;

}  // namespace

SpaceMeasurement MeasureSpace(const Log& log) {
  SpaceMeasurement sum;
  sum.born = log.space().born();
  sum.died = log.space().died();
  double files = 0;
  double records = 0;
  double count = 0;
  for (const std::shared_ptr<Segment>& segment : log.Segments()) {
    const auto end = static_cast<double>(segment->end());
    const double record_bytes = end - static_cast<double>(kSegmentHeaderBytes);
    const bool sealed = segment->sealed.load(std::memory_order_acquire);
    const double file =
        sealed ? static_cast<double>(segment->allocated_bytes.load(std::memory_order_relaxed))
               : end;
    if (sealed && record_bytes > 0) {
      files += file;
      records += record_bytes;
      count += static_cast<double>(segment->records.load(std::memory_order_relaxed));
    }
    const double live = std::min(record_bytes, static_cast<double>(Space::LiveBytes(*segment)));
    if (live > 0) sum.live_bytes += live * file / record_bytes;
    switch (segment->role.load(std::memory_order_relaxed)) {
      case Segment::Role::kEmptied:
        sum.emptied_bytes += file;
        if (segment->pins.load(std::memory_order_relaxed) > 0) sum.pinned_bytes += file;
        break;
      case Segment::Role::kDamaged:
        sum.damaged_bytes += file;
        break;
      case Segment::Role::kSurvivor:
        break;
      case Segment::Role::kNone:
      case Segment::Role::kVictim:
        sum.file_bytes += file;
        break;
    }
  }
  if (count > 0) sum.average_record_bytes = records / count;
  if (records > 0) sum.file_bytes_per_record_byte = std::max(1.0, files / records);
  sum.assumed_bytes = std::min(
      sum.live_bytes, static_cast<double>(log.space().assumed()) * sum.file_bytes_per_record_byte);
  return sum;
}

absl::Status CountLiveBytes(Keystore* keystore, bool ordered, Log* log,
                            const std::atomic<bool>& stopped,
                            const std::function<void(std::string_view)>& before_step) {
  // What counts as live in each segment, as of the snapshot.
  std::vector<std::shared_ptr<Segment>> segments;
  std::vector<uint64_t> before;
  std::vector<size_t> unsealed;
  std::shared_ptr<const KeystoreSnapshot> snapshot;
  uint64_t assumed = 0;
  while (snapshot == nullptr) {
    segments = log->Segments();
    before.assign(segments.size(), 0);
    unsealed.clear();
    uint64_t newest = 0;
    for (size_t i = 0; i < segments.size(); ++i) {
      if (segments[i]->stream() == Stream::kUser) newest = segments[i]->id();
      if (!segments[i]->sealed.load(std::memory_order_acquire)) unsealed.push_back(i);
    }
    if (before_step) before_step("listed");
    MutexLock lock(log->write_mutex());
    // A segment that was begun meanwhile is to be counted too, as what was assumed of it is
    // withdrawn below.
    const bool lists_all = log->active() == nullptr || log->active()->id() <= newest;
    if (!lists_all && !SeededBug("counted-without-the-newest")) continue;
    for (const size_t i : unsealed) before[i] = Space::LiveBytes(*segments[i]);
    snapshot = keystore->TakeSnapshot(log->last_sequence());
    assumed = log->space().assumed();
  }
  if (before_step) before_step("counting");
  // Nothing is written to sealed ones any more. What dies in one before it is looked at would be
  // subtracted twice if that had been done before the snapshot; so it goes on counting as live.
  for (size_t i = 0; i < segments.size(); ++i) {
    if (std::binary_search(unsealed.begin(), unsealed.end(), i)) continue;
    before[i] = Space::LiveBytes(*segments[i]);
  }
  std::unordered_map<uint32_t, uint64_t> live;  // by slot
  const auto count = [&](Location location) {
    if (location.exists()) live[location.slot()] += log->Pin(location)->RecordBytesAt(location);
  };
  if (ordered) {
    KeyBlock block;
    std::string behind;
    do {
      if (stopped.load(std::memory_order_acquire)) return absl::CancelledError("");
      const ReaderScope reading;
      absl::Status status = keystore->Scan(*snapshot, {behind, {}, /*after_lower=*/!behind.empty()},
                                           kKeysAtOnce, &block);
      if (!status.ok()) return status;
      for (size_t i = 0; i < block.size(); ++i) count(block.location(i));
      if (block.size() > 0) behind = std::string(block.key(block.size() - 1));
    } while (block.size() == kKeysAtOnce);
  } else {
    const std::unique_ptr<KeystoreCursor> cursor = keystore->NewCursor(snapshot);
    std::vector<Location> locations;
    do {
      if (stopped.load(std::memory_order_acquire)) return absl::CancelledError("");
      const ReaderScope reading;
      absl::Status status = cursor->Next(&locations);
      if (!status.ok()) return status;
      for (const Location location : locations) count(location);
    } while (!locations.empty());
  }
  std::vector<std::pair<Segment*, uint64_t>> dead;
  for (size_t i = 0; i < segments.size(); ++i) {
    const uint64_t counted = live[segments[i]->slot()];
    if (counted < before[i]) dead.emplace_back(segments[i].get(), before[i] - counted);
  }
  for (size_t begin = 0; begin < dead.size(); begin += kSegmentsAtOnce) {
    MutexLock lock(log->write_mutex());
    const size_t end = std::min(begin + kSegmentsAtOnce, dead.size());
    for (size_t i = begin; i < end; ++i) Space::Correct(dead[i].first, dead[i].second);
  }
  MutexLock lock(log->write_mutex());
  log->space().WithdrawAssumption(assumed);
  return absl::OkStatus();
}

}  // namespace rumcask
