#include "tests/corruption/sample_database.h"

#include <cstdlib>
#include <iostream>
#include <memory>
#include <optional>
#include <string_view>
#include <utility>

#include "core/format/limits.h"
#include "core/stats.h"
#include "core/testing/map_keystore.h"
#include "tests/crash_kit/crash_file_system.h"

namespace rumcask {
namespace {

void Require(const absl::Status& status) {
  if (status.ok()) return;
  std::cerr << "making a sample: " << status << std::endl;
  std::abort();
}

class SampleMaker {
 public:
  SampleMaker() : files_(std::make_unique<CrashFileSystem>()) { Open(); }

  void Put(const std::string& key, const std::string& value, bool sync = false) {
    Require(db_->Put(key, value, {sync}));
    Note(key, value);
  }
  void Delete(const std::string& key) {
    Require(db_->Delete(key));
    Note(key, std::nullopt);
  }
  void Write(const std::vector<std::pair<std::string, std::optional<std::string>>>& operations) {
    WriteBatch batch;
    for (const auto& [key, value] : operations) {
      if (value.has_value()) {
        batch.Put(key, *value);
      } else {
        batch.Delete(key);
      }
    }
    Require(db_->Write(batch));
    for (const auto& [key, value] : operations) Note(key, value);
  }
  void Sync() { Require(db_->Sync()); }

  // The process dies, and the next one opens what it left.
  void KillAndOpen() {
    auto next = std::make_unique<CrashFileSystem>(files_->Cut(KeepPolicy::KeepEverything()));
    // The old process works on files that nobody uses any more, so its destruction has no effect.
    db_.reset();
    files_ = std::move(next);
    Open();
  }
  void CloseAndOpen() {
    Require(db_->Close());
    Remember();
    Open();
  }

  SampleDatabase Finish() {
    Require(db_->Close());
    return Describe();
  }
  // Describes the files as if the process had died.
  SampleDatabase Kill() { return Describe(); }

 private:
  SampleDatabase Describe() {
    sample_.durable_version = db_->GetStats().durable_version;
    Remember();
    for (auto& [name, bytes] : sample_.files) sample_.older[name].pop_back();
    // A key that never existed.
    sample_.values["nothing"];
    ListRecords();
    return std::move(sample_);
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

  void Note(const std::string& key, const std::optional<std::string>& value) {
    if (value.has_value()) {
      sample_.state[key] = *value;
      sample_.values[key].insert(*value);
    } else {
      sample_.state.erase(key);
    }
    Remember();
  }

  void Remember() {
    sample_.files = files_->Contents(kSamplePath);
    sample_.files.erase(std::string(kLockName));
    for (const auto& [name, bytes] : sample_.files) {
      std::vector<std::string>& versions = sample_.older[name];
      if (versions.empty() || versions.back() != bytes) versions.push_back(bytes);
    }
  }

  void ListRecords() {
    std::map<std::string, std::pair<uint64_t, size_t>> newest;  // number, index
    size_t group = 0;
    for (const auto& [name, bytes] : sample_.files) {
      if (!ParseSegmentName(name).has_value()) continue;
      uint64_t end = bytes.size();
      const std::string_view trailer = std::string_view(bytes).substr(bytes.size() - kTrailerBytes);
      if (trailer.substr(0, 8) == "rumcaskT") {
        sample_.sealed.insert(name);
        end = LoadU64(trailer.data() + 8);
      }
      const bool sealed = sample_.sealed.count(name) > 0;
      uint64_t at = kSegmentHeaderBytes;
      bool inside_batch = false;
      while (at < end) {
        RecordHeader header;
        // In a segment that is not sealed, the rest was never used.
        if (!DecodeRecordHeader(bytes.data() + at, end - at, &header)) {
          if (sealed) std::abort();
          break;
        }
        if (!inside_batch) ++group;
        inside_batch = header.part == BatchPart::kFirst || header.part == BatchPart::kMiddle;
        SampleRecord record;
        record.file = name;
        record.sequence = header.sequence;
        record.group = group;
        record.offset = at;
        record.padding_at = at + kRecordHeaderBytes + header.key_bytes + header.value_bytes;
        record.end = at + header.record_bytes();
        record.key = std::string(RecordKey(bytes.data() + at, header));
        record.is_put = header.is_readable();
        auto& [number, index] = newest[record.key];
        if (header.is_data() && header.sequence > number) {
          number = header.sequence;
          index = sample_.records.size();
        }
        sample_.records.push_back(record);
        at = record.end;
      }
      sample_.records_end[name] = at;
    }
    for (const auto& [key, place] : newest) {
      if (place.first > 0) sample_.records[place.second].is_newest = true;
    }
  }

  std::unique_ptr<CrashFileSystem> files_;
  std::unique_ptr<DB> db_;
  SampleDatabase sample_;
};

}  // namespace

const SampleRecord* SampleDatabase::RecordAt(const std::string& file, uint64_t offset) const {
  for (const SampleRecord& record : records) {
    if (record.file == file && record.offset <= offset && offset < record.end) return &record;
  }
  return nullptr;
}

Options SampleOptions() {
  Options options;
  options.keystore = TestKeystore();
  options.segment_bytes = kMinSegmentBytes;
  options.background_threads = 0;
  return options;
}

SampleDatabase SealedSample() {
  SampleMaker maker;
  maker.Put("apple", "red");
  maker.Put("banana", "green", /*sync=*/true);
  maker.Put("banana", "yellow");
  maker.Write({{"cherry", "dark"}, {"apple", std::nullopt}, {"date", "brown"}});
  maker.KillAndOpen();
  maker.Put("apple", "golden", /*sync=*/true);
  maker.Delete("cherry");
  maker.Put("elder", "");
  maker.KillAndOpen();
  maker.Put("date", "sweet");
  maker.Put("fig", std::string(3000, 'f'));
  maker.Put("grape", "blue", /*sync=*/true);
  maker.Put("fig", std::string(700, 'F'));
  // This record does not fit into the segment any more.
  maker.Put("hazel", std::string(200, 'h'));
  maker.Write({{"grape", std::nullopt}, {"iris", "no fruit"}});
  maker.CloseAndOpen();
  maker.Put("banana", "ripe", /*sync=*/true);
  maker.Put("juniper", "berry");
  return maker.Finish();
}

SampleDatabase KilledSample() {
  SampleMaker maker;
  maker.Put("apple", "red");
  maker.Put("banana", "green", /*sync=*/true);
  maker.Put("fig", std::string(900, 'f'));
  maker.KillAndOpen();
  // Fills two segments and a part of a third.
  for (int i = 0; i < 12; ++i) {
    maker.Put("key" + std::to_string(i), std::string(700, static_cast<char>('a' + i)), i == 9);
  }
  maker.Write({{"cherry", "dark"}, {"apple", std::nullopt}, {"date", std::string(600, 'd')}});
  maker.Put("banana", "yellow", /*sync=*/true);
  maker.Delete("key3");
  maker.Put("elder", std::string(500, 'e'));
  return maker.Kill();
}

SampleDatabase ClosedSample() {
  SampleMaker maker;
  maker.Put("apple", "red");
  maker.Put("banana", "green", /*sync=*/true);
  maker.Put("banana", "yellow");
  maker.Write({{"cherry", "dark"}, {"apple", std::nullopt}, {"date", "brown"}});
  maker.Put("elder", "");
  return maker.Finish();
}

}  // namespace rumcask
