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
#include "core/system/text.h"
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
  while (has_next_ && !next_.refused.ok() && !BatchIsFull()) AddToBatch();
  if (!end_.ok()) return WhileReading(end_);
  return has_next_ || batch_.empty() ? absl::OkStatus() : NothingLoaded();
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
  next_ = {};
  const absl::StatusOr<bool> more = records_->Next(&next_.key, &next_.value);
  next_.last_line = lines_->line_number();
  next_.first_line = next_.last_line + 1 - records_->lines_per_record();
  has_next_ = more.ok() && *more;
  end_ = more.status();
  if (options_.rejects == nullptr) {
    if (has_next_) next_.count = ++read_;
    return;
  }
  const bool can_be_left_out =
      absl::IsInvalidArgument(end_) && records_->remedy() == RecordReader::Remedy::kMendOrLeaveOut;
  if (can_be_left_out) {
    has_next_ = true;
    next_.refused = std::exchange(end_, absl::OkStatus());
  }
  if (!has_next_) return;
  next_.count = ++read_;
  // The database may refuse it as well.
  if (records_->text() != nullptr) next_.text = *records_->text();
}

void Loader::AddToBatch() {
  batch_bytes_ += next_.key.size() + next_.value.size() + (next_.text ? next_.text->size() : 0);
  batch_.push_back(std::move(next_));
  ReadNext();
  progress_.Update(committed_ + batch_.size(), lines_->consumed());
}

absl::Status Loader::Pass(const Record& record, const absl::Status& why) {
  if (why.ok()) {
    ++committed_;
    passed_ = record.count;
    return absl::OkStatus();
  }
  const absl::Status where = At(LineOf(record), why);
  if (left_out_ == 0) first_refused_ = where;
  TellLeftOut(record, where);
  if (record.text.has_value()) {
    absl::Status status = options_.rejects->Add(records_->header(), *record.text);
    if (!status.ok()) return status;
  }
  ++left_out_;
  passed_ = record.count;
  return absl::OkStatus();
}

// What reading refuses, it refuses where it stands, and that is the end of the record.
uint64_t Loader::LineOf(const Record& record) {
  return record.refused.ok() ? record.first_line : record.last_line;
}

// The first time, and whenever more is missing than the count or the copy shows.
void Loader::TellLeftOut(const Record& record, const absl::Status& where) {
  std::string what = left_out_ == 0 ? "what cannot be loaded is left out" : "";
  if (record.last_line > record.first_line) {
    what = absl::StrFormat("lines %d to %d are left out", record.first_line, record.last_line);
  }
  if (!record.text.has_value() && options_.rejects->copies()) {
    what = what.empty() ? "it is left out, and not copied"
                        : absl::StrCat(what, "; this ", Text(options_.unit), " is not copied");
  }
  if (what.empty()) return;
  Tell(absl::StrCat(where.message(), "; ", what));
}

absl::Status Loader::NothingLoaded() const {
  const Record* const first = batch_.empty() ? nullptr : &batch_.front();
  const absl::Status why = first == nullptr ? first_refused_ : At(LineOf(*first), first->refused);
  return absl::InvalidArgumentError(absl::StrFormat(
      "%s: none of the %s can be loaded; the first is %s", options_.file,
      FormatCount(left_out_ + batch_.size(), options_.unit), std::string(why.message())));
}

absl::Status Loader::LoadInto(DB* db) {
  absl::Status status = StoreAll(db);
  const absl::Status synced = db->Sync();
  const absl::Status copied =
      options_.rejects == nullptr ? absl::OkStatus() : options_.rejects->Close();
  progress_.Erase();
  for (const absl::Status& failed : {status, synced, copied}) {
    if (!failed.ok()) return failed;
  }
  if (!end_.ok()) return WhileReading(end_);
  if (committed_ == 0 && left_out_ > 0) return NothingLoaded();
  const std::string note = records_->NoteAtEnd();
  if (!note.empty()) Tell(note);
  return absl::OkStatus();
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
    AddToBatch();
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
  absl::Status status = Write(db);
  if (absl::IsInvalidArgument(status)) return CommitOneByOne(db);
  if (!status.ok()) {
    return absl::Status(
        status.code(),
        absl::StrCat(absl::StrFormat("%s: lines %d to %d: ", options_.file,
                                     batch_.front().first_line, batch_.back().last_line),
                     status.message(), WayOn(status, RecordReader::Remedy::kNone)));
  }
  const uint64_t passed = passed_;
  for (const Record& record : batch_) {
    if (status.ok()) status = Pass(record, record.refused);
  }
  return EndBatch(passed, status);
}

// Writes those of the batch that were not refused.
absl::Status Loader::Write(DB* db) {
  // A single record may be too large for a batch.
  if (batch_.size() == 1) {
    const Record& record = batch_.front();
    return record.refused.ok() ? db->Put(record.key, record.value) : absl::OkStatus();
  }
  WriteBatch batch;
  for (const Record& record : batch_) {
    if (record.refused.ok()) batch.Put(record.key, record.value);
  }
  return db->Write(batch);
}

absl::Status Loader::CommitOneByOne(DB* db) {
  const uint64_t passed = passed_;
  for (const Record& record : batch_) {
    absl::Status status = record.refused;
    if (status.ok()) status = db->Put(record.key, record.value);
    if (status.ok() || (absl::IsInvalidArgument(status) && options_.rejects != nullptr)) {
      status = Pass(record, status);
      if (!status.ok()) return EndBatch(passed, status);
      continue;
    }
    // EndBatch destroys the record.
    const absl::Status where = At(record.first_line, status);
    const absl::Status copied = EndBatch(passed, absl::OkStatus());
    if (!copied.ok()) return copied;
    return absl::Status(
        where.code(),
        absl::StrCat(where.message(), WayOn(status, RecordReader::Remedy::kMendOrLeaveOut)));
  }
  return EndBatch(passed, absl::OkStatus());
}

// Writes the rejects of the batch. If they cannot be written, it has to be read again from where
// `passed` is, so that none of them is missing; storing a record twice changes nothing.
absl::Status Loader::EndBatch(uint64_t passed, absl::Status status) {
  batch_.clear();
  batch_bytes_ = 0;
  if (status.ok() && options_.rejects != nullptr) status = options_.rejects->Flush();
  if (status.ok()) return status;
  passed_ = passed;
  return absl::Status(status.code(),
                      absl::StrCat(status.message(), WayOn(status, RecordReader::Remedy::kNone)));
}

void Loader::TellNote() {
  const std::string note = records_->Note();
  if (note_told_ || batch_.empty() || note.empty()) return;
  note_told_ = true;
  Tell(note);
}

void Loader::Tell(const std::string& note) {
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
