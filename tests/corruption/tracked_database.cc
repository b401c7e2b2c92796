#include "tests/corruption/tracked_database.h"

#include <algorithm>
#include <cstdlib>
#include <iostream>
#include <memory>
#include <string_view>
#include <utility>

#include "absl/strings/str_cat.h"

#include "tests/crash_kit/crash_file_system.h"

namespace rumcask {
namespace {

void Require(const absl::Status& status) {
  if (status.ok()) return;
  std::cerr << "making a database: " << status << std::endl;
  std::abort();
}

void Require(bool condition, const char* what) {
  if (!condition) Require(absl::InternalError(what));
}

class Tracker {
 public:
  Tracker() : files_(std::make_unique<CrashFileSystem>()) { Open(); }

  void Put(const std::string& key, const std::string& value, bool sync = false) {
    WriteResult result;
    Require(db_->Put(key, value, {sync}, &result));
    Note(result.version, key, value);
  }
  void Delete(const std::string& key) {
    WriteResult result;
    Require(db_->Delete(key, {}, &result));
    Note(result.version, key, std::nullopt);
  }
  void Write(const std::vector<std::pair<std::string, std::optional<std::string>>>& operations,
             bool sync = false) {
    WriteBatch batch;
    for (const auto& [key, value] : operations) {
      if (value.has_value()) {
        batch.Put(key, *value);
      } else {
        batch.Delete(key);
      }
    }
    WriteResult result;
    Require(db_->Write(batch, {sync}, &result));
    uint64_t version = result.version - operations.size();
    for (const auto& [key, value] : operations) Note(++version, key, value);
  }
  // Puts until another segment has begun.
  void Roll(const std::string& prefix) {
    const size_t before = Segments().size();
    for (int i = 0; Segments().size() == before; ++i) {
      Put(absl::StrCat(prefix, i % 4), absl::StrCat(prefix, "=", i, std::string(300, '.')));
    }
  }

  void Kill() {
    auto next = std::make_unique<CrashFileSystem>(files_->Cut(KeepPolicy::KeepEverything()));
    // The old process works on files that nobody uses any more, so its destruction has no effect.
    db_.reset();
    files_ = std::move(next);
    Remember();
  }
  void Close() {
    Require(db_->Close());
    db_.reset();
    Remember();
  }
  void Open() {
    Options options = SampleOptions();
    options.create_if_missing = true;
    options.file_system = files_.get();
    auto db = DB::Open(kSamplePath, options);
    Require(db.status());
    db_ = *std::move(db);
    Remember();
  }
  CrashFileSystem* files() { return files_.get(); }

  std::vector<std::string> Segments() const {
    std::vector<std::string> names;
    for (const auto& [name, bytes] : files_->Contents(kSamplePath)) {
      if (ParseSegmentName(name).has_value()) names.push_back(name);
    }
    return names;
  }

  // Removes from the history what an opening drops: everything above `version`.
  void Drop(uint64_t version) {
    std::vector<TrackedWrite>& history = database_.history;
    while (!history.empty() && history.back().version > version) {
      if (history.back().value.has_value()) database_.dropped.insert(*history.back().value);
      history.pop_back();
    }
  }
  uint64_t last_version() const { return database_.history.back().version; }

  // `dead` are files that do not belong to the log.
  TrackedDatabase Finish(bool closed, const std::set<std::string>& dead = {}) {
    if (closed) {
      Close();
    } else {
      Kill();
    }
    database_.closed = closed;
    database_.files = files_->Contents(kSamplePath);
    database_.files.erase(std::string(kLockName));
    std::vector<std::string>& manifests = database_.manifests;
    manifests.erase(std::remove(manifests.begin(), manifests.end(),
                                database_.files.at(std::string(kManifestName))),
                    manifests.end());
    for (const auto& [name, bytes] : database_.files) {
      if (ParseSegmentName(name).has_value() && dead.count(name) == 0) ListRecords(name, bytes);
    }
    // The writes that were acknowledged and the records in the files must agree.
    Require(database_.records.size() == database_.history.size(), "records are not the history");
    for (size_t i = 0; i < database_.records.size(); ++i) {
      Require(database_.records[i].header.sequence == database_.history[i].version &&
                  database_.records[i].key == database_.history[i].key,
              "a record is not the write it should be");
    }
    return std::move(database_);
  }

 private:
  void Note(uint64_t version, const std::string& key, const std::optional<std::string>& value) {
    database_.history.push_back({version, key, value});
    database_.highest_version = std::max(database_.highest_version, version);
    Remember();
  }

  void Remember() {
    Files files = files_->Contents(kSamplePath);
    const std::string& manifest = files[std::string(kManifestName)];
    std::vector<std::string>& manifests = database_.manifests;
    if (!manifest.empty() && (manifests.empty() || manifests.back() != manifest)) {
      manifests.push_back(manifest);
    }
  }

  void ListRecords(const std::string& name, const std::string& bytes) {
    // A segment that was prepared and never used.
    if (bytes.find_first_not_of('\0') == std::string::npos) return;
    const SegmentContents contents = ReadSegment(name, bytes);
    const auto append = [](const std::vector<TrackedRecord>& from, std::vector<TrackedRecord>* to) {
      to->insert(to->end(), from.begin(), from.end());
    };
    append(contents.records, &database_.records);
    append(contents.marks, &database_.marks);
    database_.ends[name] = contents.end;
    database_.last = name;
    const size_t trailer = bytes.size() - std::min(bytes.size(), kTrailerBytes);
    if (bytes.compare(trailer, 8, "rumcaskT") == 0) database_.sealed.insert(name);
  }

  std::unique_ptr<CrashFileSystem> files_;
  std::unique_ptr<DB> db_;
  TrackedDatabase database_;
};

void WriteMixed(Tracker* tracker) {
  tracker->Put("apple", "red");
  tracker->Put("banana", "green", /*sync=*/true);
  tracker->Write({{"cherry", "dark"}, {"apple", std::nullopt}, {"date", "brown"}});
  tracker->Put("banana", "yellow");
  tracker->Kill();
  tracker->Open();
  tracker->Put("apple", "golden", /*sync=*/true);
  tracker->Delete("cherry");
  tracker->Roll("fig");
  tracker->Write({{"grape", "blue"}, {"fig0", std::nullopt}});
  tracker->Write({{"hazel", "nut"}, {"grape", "white"}}, /*sync=*/true);
  tracker->Close();
  tracker->Open();
  tracker->Put("date", "sweet");
  tracker->Roll("iris");
  tracker->Delete("banana");
  tracker->Roll("iris");
  tracker->Put("apple", "green", /*sync=*/true);
  tracker->Write({{"cherry", "sour"}, {"iris1", std::nullopt}, {"kiwi", std::string(100, 'k')}});
  tracker->Put("lemon", "");
  tracker->Write({{"mango", "ripe"}, {"lemon", std::nullopt}});
  tracker->Put("banana", "ripe");
  tracker->Delete("hazel");
}

}  // namespace

SegmentContents ReadSegment(const std::string& name, const std::string& bytes) {
  const uint64_t seed = SegmentSeed(*SegmentHeaderUuid(bytes), *ParseSegmentName(name));
  SegmentContents contents;
  uint64_t at = kSegmentHeaderBytes;
  std::vector<TrackedRecord> batch;
  while (bytes.size() - at >= kRecordHeaderBytes) {
    TrackedRecord record;
    const char* const begin = bytes.data() + at;
    if (!DecodeRecordHeader(begin, bytes.size() - at, &record.header) ||
        !VerifyRecord(begin, record.header, seed + at)) {
      break;
    }
    record.file = name;
    record.offset = at;
    record.key = std::string(RecordKey(begin, record.header));
    at = record.end();
    if (!record.header.has_own_sequence()) {
      contents.marks.push_back(record);
      continue;
    }
    batch.push_back(record);
    const BatchPart part = record.header.part;
    if (part != BatchPart::kNone && part != BatchPart::kLast) continue;
    for (TrackedRecord& one : batch) {
      one.first_of_batch = batch.front().header.sequence;
      one.last_of_batch = batch.back().header.sequence;
      contents.records.push_back(one);
    }
    batch.clear();
  }
  contents.end = at;
  return contents;
}

State TrackedDatabase::StateAt(uint64_t version) const {
  State state;
  for (const TrackedWrite& write : history) {
    if (write.version > version) break;
    if (write.value.has_value()) {
      state[write.key] = *write.value;
    } else {
      state.erase(write.key);
    }
  }
  return state;
}

std::set<std::string> TrackedDatabase::Keys() const {
  std::set<std::string> keys;
  for (const TrackedWrite& write : history) keys.insert(write.key);
  return keys;
}

bool TrackedDatabase::Had(const std::string& key, const std::string& value) const {
  return std::any_of(history.begin(), history.end(), [&](const TrackedWrite& write) {
    return write.key == key && write.value == value;
  });
}

TrackedDatabase ClosedHistory() {
  Tracker tracker;
  WriteMixed(&tracker);
  return tracker.Finish(/*closed=*/true);
}

TrackedDatabase KilledHistory() {
  Tracker tracker;
  WriteMixed(&tracker);
  return tracker.Finish(/*closed=*/false);
}

TrackedDatabase ReloadedHistory(bool closed) {
  Tracker tracker;
  for (int round = 1; round <= 3; ++round) {
    for (int key = 1; key <= 10; ++key) {
      tracker.Put(absl::StrCat("k", key), absl::StrCat("round", round, "-", key));
    }
    tracker.Kill();
    tracker.Open();
  }
  tracker.Put("k1", "final");
  tracker.Delete("k2");
  return tracker.Finish(closed);
}

TrackedDatabase DroppedHistory() {
  Tracker tracker;
  tracker.Put("apple", "red", /*sync=*/true);
  tracker.Roll("b");
  const std::string torn = tracker.Segments().back();
  tracker.Put("apple", "golden");
  const uint64_t kept = tracker.last_version();
  tracker.Put("banana", "never promised");
  const uint64_t lost = tracker.files()->Contents(kSamplePath).at(torn).find("never promised");
  // Sealing this segment vouches for the one before, and whatever is written next would say so.
  tracker.Roll("c");
  tracker.Kill();
  // The page with "banana", and everything between it and the footer, was not written.
  const std::string path = absl::StrCat(kSamplePath, "/", torn);
  tracker.files()->Overwrite(path, lost - 8, std::string(16, '\0'));
  const Files before = tracker.files()->Contents(kSamplePath);
  tracker.Drop(kept);
  tracker.Open();
  tracker.Put("apple", "green");
  tracker.Put("cherry", "dark", /*sync=*/true);
  tracker.Roll("d");
  tracker.Write({{"apple", "yellow"}, {"date", "brown"}}, /*sync=*/true);
  tracker.Put("elder", "black");
  tracker.Put("fig", "purple");
  std::set<std::string> dead;
  const std::vector<std::string> now = tracker.Segments();
  for (const auto& [name, bytes] : before) {
    if (!ParseSegmentName(name).has_value() ||
        std::find(now.begin(), now.end(), name) != now.end()) {
      continue;
    }
    tracker.files()->WriteFile(absl::StrCat(kSamplePath, "/", name), bytes);
    dead.insert(name);
  }
  Require(!dead.empty(), "nothing was dropped");
  return tracker.Finish(/*closed=*/false, dead);
}

}  // namespace rumcask
