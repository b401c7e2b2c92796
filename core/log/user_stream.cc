#include "core/log/user_stream.h"

#include <algorithm>
#include <utility>

#include "absl/status/statusor.h"

#include "core/system/seeded_bug.h"

namespace rumcask {

void UserStream::Begin(ChainLink last, uint64_t next_id) {
  previous_ = last;
  next_id_ = next_id;
}

void UserStream::Continue(std::shared_ptr<SegmentWriter> last) {
  active_ = std::move(last);
  entry_durable_ = true;
  help_trigger_ = 0;
}

absl::Status UserStream::Roll(SegmentHeader header, absl::Span<NewRecord> records, uint64_t bytes,
                              std::shared_ptr<SegmentWriter>* full, bool* broken) {
  const uint64_t needed = kSegmentHeaderBytes + bytes + reserved_bytes_;
  std::shared_ptr<SegmentWriter> next = prepared_;
  if (next == nullptr || next->capacity() < needed) {
    absl::StatusOr<std::shared_ptr<SegmentWriter>> made =
        factory_->Create(next_id_++, std::max(segment_bytes_, needed));
    if (!made.ok()) return made.status();
    next = *std::move(made);
  }
  if (active_ != nullptr) {
    previous_ = {active_->segment()->id(), active_->end(), active_->last_checksum()};
  }
  header.id = next->segment()->id();
  header.predecessor_id = previous_.id;
  header.predecessor_end = previous_.end;
  header.predecessor_checksum = previous_.checksum;
  const bool too_early = SeededBug("born-before-its-records");
  bool undone_in_part = false;
  absl::Status status = too_early ? next->Begin(header, {}, 0, &undone_in_part)
                                  : next->Begin(header, records, bytes, &undone_in_part);
  if (status.ok()) {
    *full = active_;
    Activate(std::move(next));
    if (too_early) status = active_->Append(records, bytes, broken);
    return status;
  }
  if (undone_in_part) {
    // A part of a segment must not stand where the next one of the log will.
    if (next == prepared_) prepared_.reset();
    if (!factory_->Remove(*next).ok()) *broken = true;
  } else if (next->capacity() > segment_bytes_) {
    factory_->Discard(*next);  // made for these records
  } else {
    prepared_ = std::move(next);
  }
  return status;
}

void UserStream::Activate(std::shared_ptr<SegmentWriter> next) {
  // One that these records did not fit into was overtaken: ids in the chain only grow.
  if (next != prepared_) DiscardPrepared();
  prepared_.reset();
  table_->Add(next->shared_segment());
  active_ = std::move(next);
  entry_durable_ = false;
  help_trigger_ = 0;
}

std::vector<uint64_t> UserStream::UnbornIds() const {
  std::vector<uint64_t> ids;
  if (prepared_ != nullptr && !SeededBug("prepared-id-not-listed")) {
    ids.push_back(prepared_->segment()->id());
  }
  if (preparing_ != 0 && !SeededBug("id-being-prepared-not-listed")) ids.push_back(preparing_);
  return ids;
}

UserStream::Help UserStream::BeginHelp() {
  Help help;
  help.active = active_;
  if (active_ == nullptr) return help;
  // The next segment is made ready when this one is half full.
  if (prepared_ == nullptr && preparing_ == 0 && active_->end() >= active_->capacity() / 2) {
    help.id = preparing_ = next_id_++;
  }
  return help;
}

std::shared_ptr<SegmentWriter> UserStream::MakePrepared(const SegmentFactory& factory, uint64_t id,
                                                        uint64_t segment_bytes,
                                                        absl::Status* failure) {
  absl::StatusOr<std::shared_ptr<SegmentWriter>> made = factory.Create(id, segment_bytes);
  if (!made.ok()) {
    *failure = made.status();
    return nullptr;
  }
  if ((*made)->ExtendAhead().ok()) return *std::move(made);
  factory.Discard(**made);
  return nullptr;
}

void UserStream::EndHelp(const Help& help, std::shared_ptr<SegmentWriter> prepared) {
  if (help.id != 0) preparing_ = 0;
  if (prepared != nullptr) {
    // If a roll could not wait, its segment has a higher id: ids in the chain only grow.
    if (prepared_ == nullptr && active_ != nullptr &&
        active_->segment()->id() < prepared->segment()->id()) {
      prepared_ = std::move(prepared);
    } else {
      factory_->Discard(*prepared);
    }
  }
  if (active_ != help.active) {
    help_trigger_ = 0;
    return;
  }
  help_trigger_ = active_->extend_at();
  const uint64_t half = active_->capacity() / 2;
  if (prepared_ == nullptr && active_->end() < half) help_trigger_ = std::min(help_trigger_, half);
}

void UserStream::DiscardPrepared() {
  if (prepared_ == nullptr) return;
  factory_->Discard(*prepared_);
  prepared_.reset();
}

}  // namespace rumcask
