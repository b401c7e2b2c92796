#include "tools/cli/loader.h"

#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

#include "core/db.h"
#include "tools/cli/command.h"
#include "tools/cli/figures.h"
#include "tools/cli/interrupt.h"

namespace rumcask::cli {
namespace {

// A batch is written once it has this size.
constexpr uint64_t kBatchBytes = uint64_t{256} << 10;
constexpr size_t kBatchRecords = 1000;

}  // namespace

Loader::Loader(std::string file, uint64_t file_bytes, uint64_t skip, LineReader* lines,
               RecordReader* records)
    : file_(std::move(file)),
      skip_(skip),
      lines_(lines),
      records_(records),
      progress_("load", file_bytes) {}

absl::Status Loader::Begin() {
  absl::Status status = records_->Begin();
  if (!status.ok()) return WhileReading(status);
  status = Skip();
  if (!status.ok()) return status;
  ReadNext();
  return end_.ok() ? absl::OkStatus() : WhileReading(end_);
}

absl::Status Loader::Skip() {
  for (uint64_t skipped = 0; skipped < skip_; ++skipped) {
    const absl::StatusOr<bool> more = records_->Next(nullptr, nullptr);
    if (!more.ok()) return WhileReading(more.status());
    if (!*more) {
      return absl::InvalidArgumentError(
          absl::StrFormat("%s has only %s to skip", file_, FormatCount(skipped, "record")));
    }
  }
  return absl::OkStatus();
}

void Loader::ReadNext() {
  next_.first_line = lines_->line_number() + 1;
  const absl::StatusOr<bool> more = records_->Next(&next_.key, &next_.value);
  next_.last_line = lines_->line_number();
  has_next_ = more.ok() && *more;
  end_ = more.status();
}

absl::Status Loader::LoadInto(DB* db) {
  absl::Status status = StoreAll(db);
  const absl::Status synced = db->Sync();
  progress_.Erase();
  if (!status.ok()) return status;
  if (!synced.ok()) return synced;
  return end_.ok() ? absl::OkStatus() : WhileReading(end_);
}

absl::Status Loader::StoreAll(DB* db) {
  while (has_next_) {
    if (Interrupt::Raised()) {
      end_ = absl::CancelledError("interrupted");
      break;
    }
    if (BatchIsFull()) {
      absl::Status status = Commit(db);
      if (!status.ok()) return status;
    }
    batch_bytes_ += next_.key.size() + next_.value.size();
    batch_.push_back(std::move(next_));
    ReadNext();
    progress_.Update(committed_ + batch_.size(), lines_->consumed());
  }
  // The records before a bad line or before Ctrl-C are kept.
  return Commit(db);
}

bool Loader::BatchIsFull() const {
  return batch_.size() == kBatchRecords ||
         (!batch_.empty() && batch_bytes_ + next_.key.size() + next_.value.size() > kBatchBytes);
}

absl::Status Loader::Commit(DB* db) {
  TellNote();
  if (batch_.empty()) return absl::OkStatus();
  absl::Status status;
  if (batch_.size() == 1) {
    // A single record may be too large for a batch.
    status = db->Put(batch_.front().key, batch_.front().value);
  } else {
    WriteBatch batch;
    for (const Record& record : batch_) batch.Put(record.key, record.value);
    status = db->Write(batch);
  }
  if (absl::IsInvalidArgument(status)) return CommitOneByOne(db);
  if (!status.ok()) {
    return absl::Status(
        status.code(),
        absl::StrCat(absl::StrFormat("%s: lines %d to %d: ", file_, batch_.front().first_line,
                                     batch_.back().last_line),
                     status.message(), WayOn(status, RecordReader::Remedy::kNone)));
  }
  committed_ += batch_.size();
  batch_.clear();
  batch_bytes_ = 0;
  return absl::OkStatus();
}

absl::Status Loader::CommitOneByOne(DB* db) {
  for (const Record& record : batch_) {
    const absl::Status status = db->Put(record.key, record.value);
    if (!status.ok()) {
      const absl::Status where = At(record.first_line, status);
      return absl::Status(
          where.code(),
          absl::StrCat(where.message(), WayOn(status, RecordReader::Remedy::kMendOrLeaveOut)));
    }
    ++committed_;
  }
  batch_.clear();
  batch_bytes_ = 0;
  return absl::OkStatus();
}

void Loader::TellNote() {
  const std::string note = records_->Note();
  if (note_told_ || batch_.empty() || note.empty()) return;
  note_told_ = true;
  progress_.Erase();
  PrintError(absl::StrCat("note: ", note));
}

absl::Status Loader::Interrupted() const {
  return WhileReading(absl::CancelledError("interrupted"));
}

absl::Status Loader::WhileReading(const absl::Status& status) const {
  const absl::Status where = absl::IsCancelled(status) ? status : At(lines_->line_number(), status);
  return absl::Status(where.code(),
                      absl::StrCat(where.message(), WayOn(status, records_->remedy())));
}

absl::Status Loader::At(uint64_t line, const absl::Status& status) const {
  return Prefixed(line == 0 ? file_ + ": " : absl::StrFormat("%s:%d: ", file_, line), status);
}

std::string Loader::WayOn(const absl::Status& status, RecordReader::Remedy remedy) const {
  const uint64_t done = skip_ + committed_;
  const std::string loaded = FormatCount(committed_, "record") + " loaded before";
  if (!absl::IsInvalidArgument(status)) {
    // The cause is not in the file.
    return done == 0 ? "; nothing was loaded"
                     : absl::StrFormat("; %s, go on with --skip %d", loaded, done);
  }
  switch (remedy) {
    case RecordReader::Remedy::kNone:
      return committed_ == 0 ? "" : "; " + loaded;
    case RecordReader::Remedy::kMend:
      return done == 0
                 ? ""
                 : absl::StrFormat("; %s, once that is mended go on with --skip %d", loaded, done);
    case RecordReader::Remedy::kMendOrLeaveOut:
      return absl::StrFormat(
          "; %s: mend it and go on with --skip %d, or leave it out with --skip %d", loaded, done,
          done + 1);
  }
  return "";
}

}  // namespace rumcask::cli
