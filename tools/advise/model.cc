#include "tools/advise/model.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <vector>

#include "core/options.h"

namespace rumcask::advise {
namespace {

double Bytes(uint64_t bytes) { return static_cast<double>(bytes); }

// The points of the memory trial with most keys, and with a quarter of these.
Line IndexMemory(const std::vector<MemoryPoint>& points) {
  const MemoryPoint& large = points.back();
  const MemoryPoint& small = points.size() > 2 ? points[points.size() - 3] : points.front();
  return LineThrough(Bytes(small.keys), Bytes(small.bytes), Bytes(large.keys), Bytes(large.bytes));
}

// Of the last point with so many keys or, as halving leaves remainders, a few less. The next one
// may have nearly twice as many.
uint64_t AtKeys(const std::vector<MemoryPoint>& points, uint64_t keys) {
  uint64_t bytes = points.front().bytes;
  for (const MemoryPoint& point : points) {
    if (point.keys <= keys) bytes = point.bytes;
  }
  return bytes;
}

// The index and, from the trials of the whole database, all else.
Line MemoryOfMemoryKeystore(const Trials& trials) {
  const auto rest = [&trials](const Trial& trial) {
    return Bytes(trial.memory_bytes) - Bytes(AtKeys(trials.index_memory, trial.keys));
  };
  const Line index = IndexMemory(trials.index_memory);
  const Line other = LineThrough(Bytes(trials.small.keys), std::max(0.0, rest(trials.small)),
                                 Bytes(trials.large.keys), std::max(0.0, rest(trials.large)));
  return {index.fixed + other.fixed, index.per_key + other.per_key};
}

// Buffers and caches have their share of full size; all else is fixed.
Line MemoryOfDiskKeystore(const Trials& trials) {
  const Line by_share = LineThrough(
      std::ldexp(1.0, -trials.halvings_of_small_buffers), Bytes(trials.small.peak_memory_bytes),
      std::ldexp(1.0, -trials.halvings_of_buffers), Bytes(trials.buffers.peak_memory_bytes));
  return {by_share.At(1), 0};
}

Line LineOf(const Trials& trials, uint64_t Trial::*bytes) {
  return LineThrough(Bytes(trials.small.keys), Bytes(trials.small.*bytes), Bytes(trials.large.keys),
                     Bytes(trials.large.*bytes));
}

Line TimeOf(const Trials& trials, double Trial::*seconds) {
  // A keystore in memory reads all keys.
  if (!trials.index_memory.empty()) return {0, trials.large.*seconds / Bytes(trials.large.keys)};
  // Four times the keys that do not take half as long again take no longer: the rest is noise, of
  // which a database of full size would have thousands of times as much.
  constexpr double kGrows = 1.5;
  const double large = trials.large.*seconds;
  if (large < kGrows * trials.small.*seconds) return {large, 0};
  return LineThrough(Bytes(trials.small.keys), trials.small.*seconds, Bytes(trials.large.keys),
                     large);
}

// A quarter of a full segment for each sealed one, up to a bound.
double ReserveOf(const Model& model, double log_bytes) {
  const double segment = Bytes(Options().segment_bytes);
  return std::min(model.reserve_bytes, std::floor(log_bytes / segment) * segment / 4);
}

}  // namespace

Line LineThrough(double keys_a, double a, double keys_b, double b) {
  Line line;
  if (keys_b == keys_a) return {0, b / keys_b};
  line.per_key = std::max(0.0, (b - a) / (keys_b - keys_a));
  line.fixed = b - line.per_key * keys_b;
  if (line.fixed >= 0) return line;
  return {0, b / keys_b};
}

Model UntriedModel(const KeystoreFactory& keystore) {
  Model model;
  model.tried = false;
  model.keystore = keystore.traits.name;
  model.ordered = keystore.traits.ordered;
  model.persistent = keystore.traits.persistent;
  // Only `hash` keeps digests in place of keys.
  model.exact_keys = keystore.traits.name != "hash";
  model.longest_key = keystore.traits.max_key_bytes;
  return model;
}

Model ModelOf(const Profile& profile, const KeystoreFactory& keystore, const Trials& trials) {
  Model model = UntriedModel(keystore);
  model.tried = true;
  model.memory = model.persistent ? MemoryOfDiskKeystore(trials) : MemoryOfMemoryKeystore(trials);
  // Two more buffers, when three are in use.
  if (model.persistent) model.burst_bytes = 2 * Bytes(keystore.buffer_bytes);
  model.log = LineOf(trials, &Trial::log_bytes);
  model.index_files = LineOf(trials, &Trial::index_file_bytes);
  if (profile.overwrites > 0) {
    // The bound of CompactionOptions::max_space_amplification.
    constexpr double kSegmentsBeside = 4;
    model.space_amplification = keystore.traits.max_space_amplification;
    model.index_files = LineOf(trials, &Trial::worn_index_file_bytes);
    model.working_bytes = kSegmentsBeside * Bytes(Options().segment_bytes);
  }
  // What RESERVE holds for steps of the log, and for two buffers of an index on disk.
  constexpr double kReserve = 64 << 20;
  model.reserve_bytes = kReserve + (model.persistent ? 2 * Bytes(keystore.buffer_bytes) : 0);
  model.written_per_byte = trials.large.written_per_byte;
  model.seconds = trials.large.seconds;
  if (model.persistent) {
    // With the smallest buffers, what each of them costs would be taken for the cost of puts.
    const OperationSeconds& small = trials.large.seconds;
    model.seconds.insert = trials.buffers.seconds.insert;
    // Larger buffers make overwrites as much cheaper as they make inserts. Not if keys are inserted
    // in order, because they are not overwritten so: then the small ones say more.
    if (!profile.ascending && small.insert > 0) {
      model.seconds.overwrite = model.seconds.insert * small.overwrite / small.insert;
    }
  }
  model.open_seconds = TimeOf(trials, &Trial::open_seconds);
  model.recovery_seconds = TimeOf(trials, &Trial::recovery_seconds);
  return model;
}

Prediction Predict(const Model& model, uint64_t keys) {
  const double count = Bytes(keys);
  Prediction prediction;
  prediction.memory_bytes = model.memory.At(count);
  const double log = model.log.At(count) * model.space_amplification + model.working_bytes;
  prediction.disk_bytes = log + model.index_files.At(count) + ReserveOf(model, log);
  prediction.open_seconds = model.open_seconds.At(count);
  prediction.recovery_seconds = model.recovery_seconds.At(count);
  return prediction;
}

double OperationCost(const Model& model, const Profile& profile, double device_bytes_per_second) {
  const double device = model.written_per_byte * profile.EntryBytes() / device_bytes_per_second;
  return profile.gets * model.seconds.get + profile.scans * model.seconds.scan +
         profile.overwrites * std::max(model.seconds.overwrite, device) +
         profile.inserts * std::max(model.seconds.insert, device);
}

}  // namespace rumcask::advise
