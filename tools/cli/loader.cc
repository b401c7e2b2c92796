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

Loader::Loader(LoaderOptions options, LineReader* lines, RecordReader* records)
    : options_(std::move(options)),
      lines_(lines),
      records_(records),
      progress_("load", options_.file_bytes),
      passed_(options_.skip) {}

absl::Status Loader::Begin() {
  absl::Status status = records_->Begin();
  if (!status.ok()) return WhileReading(status);
  status = Skip();
  if (!status.ok()) return status;
  ReadNext();
  return end_.ok() ? absl::OkStatus() : WhileReading(end_);
}

absl::Status Loader::Skip() {
  for (; read_ < options_.skip; ++read_) {
    const absl::StatusOr<bool> more = records_->Next(nullptr, nullptr);
    if (!more.ok()) return WhileReading(more.status());
    if (!*more) {
      return absl::InvalidArgumentError(
          absl::StrFormat("%s has only %s to skip", options_.file, FormatCount(read_, "record")));
    }
  }
  return absl::OkStatus();
}

void Loader::ReadNext() {
  while (true) {
    next_.first_line = lines_->line_number() + 1;
    const absl::StatusOr<bool> more = records_->Next(&next_.key, &next_.value);
    next_.last_line = lines_->line_number();
    has_next_ = more.ok() && *more;
    end_ = more.status();
    const std::string* const refused = absl::IsInvalidArgument(end_) ? records_->text() : nullptr;
    if (has_next_ || refused != nullptr) next_.count = ++read_;
    // The database may refuse it.
    if (has_next_ && options_.leaves_out && records_->text() != nullptr) {
      next_.text = *records_->text();
    }
    if (refused == nullptr || !LeaveOut(next_.last_line, end_, *refused)) return;
    end_ = absl::OkStatus();
  }
}

bool Loader::LeaveOut(uint64_t line, const absl::Status& why, const std::string& text) {
  if (!options_.leaves_out) return false;
  if (++left_out_ == 1) {
    progress_.Erase();
    PrintError(
        absl::StrCat("note: ", At(line, why).message(), "; what cannot be loaded is left out"));
  }
  if (options_.rejects != nullptr) options_.rejects->Append(text + "\n");
  return true;
}

void Loader::Passed(const Record& record) {
  ++committed_;
  passed_ = record.count;
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
        absl::StrCat(absl::StrFormat("%s: lines %d to %d: ", options_.file,
                                     batch_.front().first_line, batch_.back().last_line),
                     status.message(), WayOn(status, RecordReader::Remedy::kNone)));
  }
  for (const Record& record : batch_) Passed(record);
  batch_.clear();
  batch_bytes_ = 0;
  return absl::OkStatus();
}

absl::Status Loader::CommitOneByOne(DB* db) {
  for (const Record& record : batch_) {
    const absl::Status status = db->Put(record.key, record.value);
    if (absl::IsInvalidArgument(status) && LeaveOut(record.first_line, status, record.text)) {
      passed_ = record.count;
      continue;
    }
    if (!status.ok()) {
      const absl::Status where = At(record.first_line, status);
      return absl::Status(
          where.code(),
          absl::StrCat(where.message(), WayOn(status, RecordReader::Remedy::kMendOrLeaveOut)));
    }
    Passed(record);
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
  return Prefixed(
      line == 0 ? options_.file + ": " : absl::StrFormat("%s:%d: ", options_.file, line), status);
}

std::string Loader::WayOn(const absl::Status& status, RecordReader::Remedy remedy) const {
  const uint64_t done = passed_;
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
