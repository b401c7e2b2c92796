#include "core/index/record_order.h"

#include <algorithm>
#include <optional>
#include <string>
#include <utility>

#include "core/format/key_table.h"
#include "core/system/seeded_bug.h"

namespace rumcask {

std::pair<uint64_t, uint64_t> NumberSample::Bounds(uint64_t offset) const {
  const auto next = std::upper_bound(places_.begin(), places_.end(), offset,
                                     [](uint64_t o, const auto& place) { return o < place.first; });
  if (next == places_.begin()) return {0, last_};
  const auto& [at, sequence] = *std::prev(next);
  if (at == offset) return {sequence, sequence};
  return {sequence, next == places_.end() ? last_ : next->second};
}

bool RecordOrder::IsNewer(uint64_t a_sequence, Location a, Location b) const {
  const int order = Compare(a_sequence, a, b);
  return order != 0 ? order > 0 : log_->IdOfSlot(a.slot()) > log_->IdOfSlot(b.slot());
}

int RecordOrder::Compare(uint64_t a_sequence, Location a, Location b) const {
  const auto compare = [](uint64_t x, uint64_t y) { return x < y ? -1 : x > y ? 1 : 0; };
  if (a.slot() == b.slot()) return compare(a.offset(), b.offset());
  const Segment& a_segment = Get(a.slot());
  const Segment& b_segment = Get(b.slot());
  if ((a_segment.stream == Stream::kUser && b_segment.stream == Stream::kUser) ||
      SeededBug("newer-by-place")) {
    return compare(log_->IdOfSlot(a.slot()), log_->IdOfSlot(b.slot()));
  }
  const auto [first, last] = b_segment.stream == Stream::kUser
                                 ? std::pair(b_segment.first, b_segment.last)
                                 : b_segment.sample.Bounds(b.offset());
  if (a_sequence < first) return -1;
  if (a_sequence > last) return 1;
  return compare(a_sequence, first == last ? first : ReadNumber(b));
}

absl::Status RecordOrder::ReadSample(uint32_t slot, SegmentFile* file, uint64_t end) {
  NumberSample sample;
  const auto add = [&sample](const RecordHeader& header, uint64_t offset) {
    if (header.has_own_sequence()) sample.Add(header.sequence, offset);
  };
  const absl::StatusOr<std::optional<Trailer>> trailer = file->ReadTrailer();
  if (!trailer.ok()) return trailer.status();
  std::string table;
  absl::StatusOr<bool> whole = false;
  if (trailer->has_value()) whole = file->ReadKeyTable(**trailer, &table);
  if (!whole.ok()) return whole.status();
  absl::Status status;
  if (*whole) {
    for (KeyTableReader entry(table, **trailer); entry.Next();) add(entry.header(), entry.offset());
  } else {
    status = file->ForEachRecord(
        kSegmentHeaderBytes, end,
        [&add](const FoundRecord& record) {
          add(record.header, record.offset);
          return absl::OkStatus();
        },
        [](const FoundDamage&) { return absl::OkStatus(); });
  }
  SetSample(slot, std::move(sample));
  return status;
}

uint64_t RecordOrder::ReadNumber(Location location) const {
  records_read_.fetch_add(1, std::memory_order_relaxed);
  const uint64_t id = log_->IdOfSlot(location.slot());
  MutexLock lock(mutex_);
  if (file_ == nullptr || file_->id() != id) {
    absl::StatusOr<std::unique_ptr<SegmentFile>> file =
        SegmentFile::Open(directory_, log_->uuid(), id);
    if (!file.ok()) return 0;
    file_ = std::move(*file);
  }
  const absl::StatusOr<uint64_t> sequence = ReadNumberFrom(file_.get(), location.offset());
  return sequence.ok() ? *sequence : 0;
}

absl::StatusOr<uint64_t> RecordOrder::ReadNumberFrom(SegmentFile* file, uint64_t offset) const {
  std::string record;
  RecordHeader header;
  const absl::StatusOr<bool> sound = file->ReadRecord(offset, &record, &header);
  if (sound.ok() && *sound) return header.sequence;
  const absl::StatusOr<std::optional<Trailer>> trailer = file->ReadTrailer();
  if (!trailer.ok()) return trailer.status();
  if (!trailer->has_value()) return 0;
  std::string table;
  const absl::StatusOr<bool> whole = file->ReadKeyTable(**trailer, &table);
  if (!whole.ok()) return whole.status();
  if (!*whole) return 0;
  KeyTableReader entry(table, **trailer);
  while (entry.Next()) {
    if (entry.offset() == offset) return entry.header().sequence;
  }
  return 0;
}

}  // namespace rumcask
