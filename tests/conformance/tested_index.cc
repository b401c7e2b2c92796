#include "tests/conformance/tested_index.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <filesystem>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "gtest/gtest.h"

#include "core/plugin/disk_index.h"
#include "tests/conformance/disk_index_conformance.h"

namespace rumcask {
namespace {

std::string Name(std::string_view bytes) {
  return bytes.size() <= 70 ? absl::StrCat("'", absl::CHexEscape(std::string(bytes)), "'")
                            : absl::StrCat("one of ", bytes.size(), " bytes");
}

absl::Status NotFound() { return absl::Status(absl::StatusCode::kNotFound, ""); }

// Names of notes that were never written, so the index must not have them.
const std::vector<std::string>& AbsentNotes() {
  static const auto* const names = new std::vector<std::string>{"absent", "n", "entries", "notes"};
  return *names;
}

}  // namespace

void DiskIndexConformance::SetUp() {
  const testing::TestInfo& test = *testing::UnitTest::GetInstance()->current_test_info();
  path_ = absl::StrCat(
      testing::TempDir(), "/index.",
      absl::StrReplaceAll(absl::StrCat(test.test_suite_name(), ".", test.name()), {{"/", "."}}));
  std::filesystem::remove_all(path_);
  std::filesystem::create_directories(path_);
}

void DiskIndexConformance::TearDown() { std::filesystem::remove_all(path_); }

// ---- batches ----

TestBatch::TestBatch(const BytesMap& changes, const BytesMap& notes)
    : bytes_(changes), notes_(notes), asked_(changes.size()) {
  for (const auto& [key, value] : bytes_) changes_.push_back({key, value});
}

bool TestBatch::Accepts(size_t i, std::string_view before) {
  if (notes_asked_ > 0) asked_after_notes_ = true;
  ++asked_.at(i);
  // If there is no judge, Accepts must not be called; Violation reports it.
  return judge_ == nullptr || judge_(changes_[i].key, before);
}

std::vector<IndexNote> TestBatch::Notes() {
  ++notes_asked_;
  std::vector<IndexNote> notes;
  for (const auto& [name, value] : notes_) notes.push_back({name, value});
  return notes;
}

std::string TestBatch::Violation() const {
  const int expected = wants_replaced() ? 1 : 0;
  for (size_t i = 0; i < asked_.size(); ++i) {
    if (asked_[i] != expected) {
      return absl::StrCat("Accepts was called ", asked_[i], " times for key ",
                          Name(changes_[i].key));
    }
  }
  if (asked_after_notes_) return "Accepts was called after Notes";
  return notes_asked_ == 1 ? "" : absl::StrCat("Notes was called ", notes_asked_, " times");
}

// ---- reading ----

absl::StatusOr<std::unique_ptr<DiskIndex>> OpenIndex(const KeystoreFactory& factory,
                                                     const std::string& path, bool read_only) {
  DiskIndexConfig config;
  config.path = path;
  config.read_only = read_only;
  return factory.open_index(config);
}

absl::Status ScanRange(const DiskIndex& index, const KeyRange& range, size_t limit,
                       std::vector<std::pair<std::string, std::string>>* rows) {
  IndexRows found;
  found.Add("has to be", "replaced");
  absl::Status status = index.Scan(range, limit, &found);
  rows->clear();
  for (size_t i = 0; status.ok() && i < found.size(); ++i) {
    rows->emplace_back(found.key(i), found.value(i));
  }
  return status;
}

absl::Status ReadAll(const DiskIndex& index, const std::vector<std::string>& notes,
                     IndexContents* contents) {
  std::vector<std::pair<std::string, std::string>> rows;
  absl::Status status = ScanRange(index, KeyRange(), SIZE_MAX, &rows);
  contents->entries = BytesMap(rows.begin(), rows.end());
  std::string value;
  for (const auto& [key, scanned] : rows) {
    if (status.ok()) status = index.Get(key, &value);
    if (status.ok() && value != scanned) {
      status = absl::InternalError(absl::StrCat("Get and Scan differ at key ", Name(key)));
    }
  }
  contents->notes.clear();
  for (const std::string& name : notes) {
    const absl::Status read = index.GetNote(name, /*durable=*/false, &value);
    if (read.ok()) {
      contents->notes[name] = value;
    } else if (read != NotFound()) {
      status.Update(read);
    }
  }
  return status;
}

// ---- both ----

TestedIndex::TestedIndex(const KeystoreFactory& factory, std::string path)
    : factory_(factory), path_(std::move(path)) {
  absl::StatusOr<std::unique_ptr<DiskIndex>> index = OpenIndex(factory_, path_);
  if (!index.ok()) {
    std::fprintf(stderr, "%s\n", index.status().ToString().c_str());
    std::abort();
  }
  index_ = *std::move(index);
}

std::string TestedIndex::Apply(const BytesMap& changes, const BytesMap& notes) {
  {
    // Its bytes do not outlive the call.
    TestBatch batch(changes, notes);
    const absl::Status status = index_->Commit(&batch);
    if (!status.ok()) return absl::StrCat("Apply: ", status.ToString());
    std::string violation = batch.Violation();
    if (!violation.empty()) return violation;
  }
  for (const auto& [key, value] : changes) {
    if (value.empty()) {
      entries_.erase(key);
    } else {
      entries_[key] = value;
    }
  }
  for (const auto& [name, value] : notes) notes_[name] = value;
  return "";
}

std::string TestedIndex::ApplyAtRandom(const std::vector<std::string>& keys, size_t most_changes,
                                       std::mt19937_64* random) {
  BytesMap changes;
  for (size_t n = (*random)() % (most_changes + 1); n > 0; --n) {
    changes[keys[(*random)() % keys.size()]] = (*random)() % 3 == 0 ? "" : TryingValue(random);
  }
  BytesMap notes;
  for (size_t n = (*random)() % 3; n > 0; --n) {
    notes[absl::StrCat("note", (*random)() % 4)] =
        (*random)() % 4 == 0 ? "" : std::string((*random)() % 3000 + 1, 'v');
  }
  return Apply(changes, notes);
}

std::string TestedIndex::FlushAndReopen() {
  const absl::Status flushed = index_->Flush();
  if (!flushed.ok()) return absl::StrCat("Flush: ", flushed.ToString());
  index_.reset();
  absl::StatusOr<std::unique_ptr<DiskIndex>> index = OpenIndex(factory_, path_);
  if (!index.ok()) return absl::StrCat("opening: ", index.status().ToString());
  index_ = *std::move(index);
  return "";
}

std::string TestedIndex::Compare() const {
  std::string value = "has to be replaced";
  for (const auto& [key, expected] : entries_) {
    const absl::Status status = index_->Get(key, &value);
    if (!status.ok()) return absl::StrCat("Get of key ", Name(key), ": ", status.ToString());
    if (value != expected) {
      return absl::StrCat("key ", Name(key), " has ", Name(value), ", not ", Name(expected));
    }
  }
  for (const bool reverse : {false, true}) {
    KeyRange range;
    range.reverse = reverse;
    std::vector<std::pair<std::string, std::string>> rows;
    const absl::Status status = ScanRange(*index_, range, SIZE_MAX, &rows);
    if (!status.ok()) return absl::StrCat("Scan: ", status.ToString());
    if (reverse) std::reverse(rows.begin(), rows.end());
    if (!std::equal(rows.begin(), rows.end(), entries_.begin(), entries_.end(),
                    [](const auto& a, const auto& b) {
                      return a.first == b.first && a.second == b.second;
                    })) {
      return absl::StrCat("Scan", reverse ? " backwards" : "", " finds ", rows.size(),
                          " entries that are not the ", entries_.size(), " it should");
    }
  }
  BytesMap notes = notes_;
  for (const std::string& name : AbsentNotes()) notes.emplace(name, "");
  for (const auto& [name, expected] : notes) {
    const absl::Status status = index_->GetNote(name, /*durable=*/false, &value);
    if (expected.empty() ? status != NotFound() : !status.ok()) {
      return absl::StrCat("note ", Name(name), ": ", status.ToString());
    }
    if (status.ok() && value != expected) {
      return absl::StrCat("note ", Name(name), " is ", Name(value), ", not ", Name(expected));
    }
  }
  if (index_->counts_exactly() && index_->KeyCount() != entries_.size()) {
    return absl::StrCat("KeyCount is ", index_->KeyCount(), ", not ", entries_.size());
  }
  return "";
}

std::string TryingValue(std::mt19937_64* random) {
  std::string value((*random)() % (DiskIndex::kMaxValueBytes - 1) + 1, '\0');
  if ((*random)() % 8 == 0) return value;
  for (char& c : value) c = static_cast<char>((*random)());
  return value;
}

}  // namespace rumcask
