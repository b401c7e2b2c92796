#include "core/compaction/survivor_writer.h"

#include <optional>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"

#include "core/segment/segment_footer.h"
#include "core/system/seeded_bug.h"

namespace rumcask {
namespace {

constexpr size_t kPiece = size_t{1} << 20;

}  // namespace

SurvivorWriter::~SurvivorWriter() {
  if (survivor_.segment != nullptr) log_->DiscardSurvivor(*survivor_.segment);
}

absl::Status SurvivorWriter::Begin() {
  absl::Status status = log_->reserve().Run([this] {
    absl::StatusOr<NewSurvivor> made = log_->CreateSurvivor();
    if (!made.ok()) return made.status();
    survivor_ = *std::move(made);
    return absl::OkStatus();
  });
  if (!status.ok()) return status;
  SegmentHeader header;
  header.stream = Stream::kSurvivor;
  header.age = age_;
  header.uuid = log_->uuid();
  header.id = survivor_.segment->id();
  header.base_sequence = first_sequence_;
  header.durable_sequence = log_->durable_sequence();
  pending_.resize(kSegmentHeaderBytes);
  EncodeSegmentHeader(header, pending_.data());
  return absl::OkStatus();
}

absl::Status SurvivorWriter::Add(const Segment& from, uint64_t offset, uint64_t bytes, Location* to,
                                 bool* damaged) {
  const uint64_t at = end();
  const size_t begin = pending_.size();
  pending_.resize(begin + bytes);
  char* const record = pending_.data() + begin;
  absl::Status status = from.ReadBytes(offset, bytes, record);
  RecordHeader header;
  const bool whole =
      status.ok() && DecodeRecordHeader(record, bytes, &header) && header.record_bytes() == bytes;
  if (!whole ||
      (!VerifyRecord(record, header, from.seed() + offset) && !SeededBug("source-not-verified"))) {
    pending_.resize(begin);
    if (!status.ok() && !absl::IsDataLoss(status)) return status;
    *damaged = true;
    return absl::DataLossError(
        absl::StrCat(from.name(), " offset ", offset, ": record to be moved does not verify"));
  }
  if (!SeededBug("parts-kept")) header.part = BatchPart::kNone;
  if (header.is_tombstone() && SeededBug("tombstones-renumbered")) {
    MutexLock lock(log_->write_mutex());
    header.sequence = log_->last_sequence();
  }
  EncodeRecordHeader(record, header, survivor_.segment->seed() + at,
                     InnerChecksum(RecordKey(record, header), RecordValue(record, header)));
  *to = Location::Make(survivor_.segment->slot(), at, bytes);
  return pending_.size() < kPiece ? absl::OkStatus() : Flush();
}

absl::Status SurvivorWriter::Flush() {
  absl::Status status =
      log_->reserve().Run([this] { return survivor_.file->Write(written_, pending_); });
  if (!status.ok()) return status;
  written_ += pending_.size();
  pending_.clear();
  return absl::OkStatus();
}

absl::Status SurvivorWriter::Finish() {
  absl::Status status = Flush();
  if (!status.ok()) return status;
  absl::StatusOr<std::optional<Trailer>> trailer;
  do {
    trailer = SealSegmentFile(survivor_.file.get(), log_->uuid(), survivor_.segment->id(),
                              /*end=*/written_);
    if (!trailer.ok()) return trailer.status();
  } while (!trailer->has_value() && log_->reserve().GiveUp());
  if (!trailer->has_value()) {
    return absl::ResourceExhaustedError(
        absl::StrCat(survivor_.segment->name(), ": no room for its footer"));
  }
  log_->FinishSurvivor(&survivor_, **trailer);
  return absl::OkStatus();
}

}  // namespace rumcask
