#include "tests/survivors/layout.h"

#include <algorithm>
#include <set>
#include <utility>

namespace rumcask {
namespace {

// Ids of the user's segments are so far apart that survivors fit between them.
constexpr uint64_t kIdStep = 10;

class Maker {
 public:
  Maker(const History& history, size_t segments, bool retires, std::mt19937_64* random)
      : history_(history), count_(segments), retires_(retires), random_(*random) {}

  Layout Make() {
    ChooseFates();
    ChooseMoves();
    WriteUserSegments();
    WriteSurvivors();
    WriteManifest();
    WriteRemains();
    layout_.content = history_.ContentAfter(count_);
    return std::move(layout_);
  }

 private:
  enum class Fate { kKept, kCopied, kRetired };

  bool OneIn(uint64_t n) { return random_() % n == 0; }
  const HistorySegment& Segment(size_t i) const { return history_.segments[i]; }

  // Any of the sealed segments may be a victim. The last one is never sealed.
  void ChooseFates() {
    sealed_ = count_ - 1 - (OneIn(3) ? random_() % count_ : 0);
    for (size_t i = 0; i < count_; ++i) {
      const uint64_t fate = i < sealed_ ? random_() % 3 : 0;
      fates_.push_back(fate == 0                ? Fate::kKept
                       : fate == 1 || !retires_ ? Fate::kCopied
                                                : Fate::kRetired);
    }
  }

  // What a victim's records become. A put that is its key's newest must be moved when its segment
  // goes; a delete that is must be if an older record of the key is left anywhere. Others may be,
  // as they were live when they were copied.
  void ChooseMoves() {
    std::map<std::string, uint64_t> newest;
    for (size_t i = 0; i < count_; ++i) {
      for (const HistoryRecord& record : Segment(i).records) {
        if (IsDataKind(record.kind)) newest[record.key] = record.sequence;
      }
    }
    std::set<std::string> left;  // keys of which a record is left
    for (size_t i = 0; i < count_; ++i) {
      for (const HistoryRecord& record : Segment(i).records) {
        if (!IsDataKind(record.kind)) continue;
        const bool is_newest = newest[record.key] == record.sequence;
        const bool is_delete = IsTombstoneKind(record.kind);
        const bool needed = is_newest && (!is_delete || left.count(record.key) > 0);
        bool copied = false;
        if (fates_[i] == Fate::kRetired) copied = needed || OneIn(4);
        if (fates_[i] == Fate::kCopied) copied = OneIn(2);
        if (copied) moved_.push_back({&record, Segment(i).id});
        if (copied || fates_[i] != Fate::kRetired) left.insert(record.key);
      }
    }
  }

  void WriteUserSegments() {
    for (size_t i = 0; i < count_; ++i) {
      if (fates_[i] == Fate::kRetired) {
        ++layout_.retired;
        horizon_ = std::max(horizon_, Segment(i).last_sequence);
        continue;
      }
      SegmentBytes bytes = Segment(i).bytes;
      if (i < sealed_) bytes.Seal();
      layout_.files[SegmentName(Segment(i).id)] = bytes.bytes();
    }
    for (size_t i = 0; i < sealed_; ++i) durable_ = std::max(durable_, Segment(i).last_sequence);
  }

  // An id that no segment has, above those of the segments that the records came from.
  uint64_t FreeId(uint64_t above) {
    uint64_t id = above + 1 + random_() % (2 * kIdStep);
    while (layout_.files.count(SegmentName(id)) > 0 || id % kIdStep == 0) ++id;
    return id;
  }

  struct Move {
    const HistoryRecord* record;
    uint64_t from;
  };

  std::string SurvivorOf(uint64_t id, std::vector<Move> moves, bool sealed, uint64_t* end) {
    std::sort(moves.begin(), moves.end(),
              [](const Move& a, const Move& b) { return a.record->sequence < b.record->sequence; });
    SegmentBytes bytes(history_.uuid, id);
    bytes.AsSurvivor(durable_);
    for (const Move& move : moves) {
      bytes.Add(move.record->kind, move.record->sequence, move.record->key, move.record->value);
    }
    *end = bytes.records_end();
    if (sealed) bytes.Seal();
    return bytes.bytes();
  }

  void WriteSurvivors() {
    std::vector<std::vector<Move>> survivors(1 + random_() % 4);
    for (const Move& move : moved_) survivors[random_() % survivors.size()].push_back(move);
    for (std::vector<Move>& moves : survivors) {
      if (moves.empty()) continue;
      uint64_t above = 0;
      for (const Move& move : moves) above = std::max(above, move.from);
      const uint64_t id = FreeId(above);
      uint64_t end = 0;
      layout_.files[SegmentName(id)] = SurvivorOf(id, std::move(moves), /*sealed=*/true, &end);
      ends_[id] = end;
      ++layout_.survivors;
    }
  }

  void WriteManifest() {
    Manifest& manifest = layout_.manifest;
    manifest.uuid = history_.uuid;
    manifest.incarnation = 1;
    manifest.keystore = "hash";
    uint64_t highest = ends_.empty() ? 0 : ends_.rbegin()->first;
    if (sealed_ > 0) highest = std::max(highest, Segment(sealed_ - 1).id);
    const HistorySegment& last = Segment(count_ - 1);
    // A clean close lists everything, and has sealed all but the last.
    manifest.clean = sealed_ + 1 == count_ && OneIn(2);
    if (manifest.clean) {
      highest = std::max(highest, last.id);
      durable_ = std::max(durable_, last.last_sequence);
    }
    std::map<uint64_t, ManifestRange> live;
    for (const auto& [id, end] : ends_) live[id] = {id, id, Stream::kSurvivor, true, end};
    for (size_t i = 0; i < count_; ++i) {
      const uint64_t id = Segment(i).id;
      if (fates_[i] == Fate::kRetired || id > highest) continue;
      const uint64_t end = manifest.clean || OneIn(2) ? Segment(i).bytes.records_end() : 0;
      if (i >= sealed_ && end > 0) durable_ = std::max(durable_, Segment(i).last_sequence);
      live[id] = {id, id, Stream::kUser, i < sealed_, end};
    }
    for (const auto& [id, range] : live) {
      manifest.Append(id, range.stream, range.sealed, range.required_end);
    }
    manifest.highest_id = highest;
    manifest.durable_sequence = durable_;
    manifest.gc_horizon = horizon_ == 0 ? 0 : durable_;
    manifest.next_sequence = durable_ + 1;
    layout_.files["MANIFEST"] = EncodeManifest(manifest);
  }

  // What an interrupted compaction leaves: files above those that MANIFEST speaks for.
  void WriteRemains() {
    if (layout_.manifest.clean) return;
    std::vector<Move> moves;
    for (size_t i = 0; i < sealed_; ++i) {
      for (const HistoryRecord& record : Segment(i).records) {
        if (IsDataKind(record.kind) && OneIn(2)) moves.push_back({&record, Segment(i).id});
      }
    }
    for (; OneIn(2); ++layout_.remains) {
      const uint64_t id = FreeId(layout_.manifest.highest_id);
      uint64_t end = 0;
      std::string bytes = SurvivorOf(id, moves, /*sealed=*/OneIn(2), &end);
      switch (random_() % 4) {
        case 0:
          bytes.resize(random_() % bytes.size());
          layout_.has_headless |= bytes.size() < kSegmentHeaderBytes;
          break;
        case 1:  // its header was lost
          layout_.has_headless = true;
          bytes.replace(0, kSegmentHeaderBytes, kSegmentHeaderBytes, '\0');
          break;
        case 2:  // nothing of it was written
          bytes.assign(bytes.size(), '\0');
          break;
        default:
          break;
      }
      layout_.files[SegmentName(id)] = std::move(bytes);
    }
  }

  const History& history_;
  const size_t count_;
  const bool retires_;
  std::mt19937_64& random_;
  Layout layout_;
  size_t sealed_ = 0;
  std::vector<Fate> fates_;
  std::vector<Move> moved_;
  std::map<uint64_t, uint64_t> ends_;  // of the survivors
  uint64_t horizon_ = 0;
  uint64_t durable_ = 0;
};

}  // namespace

Content History::ContentAfter(size_t count) const {
  Content content;
  for (size_t i = 0; i < count; ++i) {
    for (const HistoryRecord& record : segments[i].records) {
      if (!IsDataKind(record.kind)) continue;
      if (IsTombstoneKind(record.kind)) {
        content.erase(record.key);
      } else {
        content[record.key] = record.value;
      }
    }
  }
  return content;
}

History MakeHistory(std::mt19937_64* random_source) {
  std::mt19937_64& random = *random_source;
  History history;
  for (unsigned char& byte : history.uuid) byte = static_cast<unsigned char>(random());
  // Some are so large that an index on disk is built in several buffers.
  const bool large = random() % 32 == 0;
  const uint64_t keys = large ? 200 : 1 + random() % 8;
  const uint64_t groups = large ? 600 : 8;
  const size_t segments = 2 + random() % 6;
  uint64_t sequence = 0;
  uint64_t given = 0;  // the last number that a record has
  uint64_t durable = 0;
  for (size_t i = 0; i < segments; ++i) {
    const uint64_t id = kIdStep * (i + 1);
    HistorySegment segment{id,
                           {},
                           i == 0 ? SegmentBytes(history.uuid, id)
                                  : SegmentBytes(history.segments.back().bytes, id, durable),
                           0};
    // Numbers are left out where an opening followed on an unclean end.
    if (random() % 6 == 0) sequence += random() % 100;
    const auto add = [&](RecordKind kind, BatchPart part) {
      HistoryRecord record;
      record.kind = kind;
      record.part = part;
      record.sequence = HasOwnSequence(kind) ? ++sequence : durable;
      if (IsDataKind(kind)) record.key = "key" + std::to_string(random() % keys);
      if (kind == RecordKind::kPut) {
        record.value = std::to_string(sequence) + std::string(random() % 60, 'v');
      }
      if (HasOwnSequence(kind)) given = sequence;
      segment.bytes.Add(kind, record.sequence, record.key, record.value, part);
      segment.records.push_back(std::move(record));
    };
    const auto any = [&] { return random() % 4 == 0 ? RecordKind::kDelete : RecordKind::kPut; };
    for (uint64_t group = 1 + random() % groups; group > 0; --group) {
      switch (random() % 10) {
        case 0:
          add(RecordKind::kFence, BatchPart::kNone);
          break;
        case 1:
          // A mark never vouches for the rest of a layout that ends before it.
          if (i > 0) add(RecordKind::kSyncMark, BatchPart::kNone);
          break;
        case 2:
          add(any(), BatchPart::kFirst);
          add(any(), BatchPart::kMiddle);
          add(any(), BatchPart::kLast);
          break;
        default:
          add(any(), BatchPart::kNone);
      }
    }
    segment.last_sequence = given;
    durable = given;
    history.segments.push_back(std::move(segment));
  }
  return history;
}

Layout MakeLayout(const History& history, size_t segments, bool retires, std::mt19937_64* random) {
  return Maker(history, segments, retires, random).Make();
}

}  // namespace rumcask
