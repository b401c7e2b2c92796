#include "tests/corruption/unreadable_judge.h"

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

#include "core/check/repair.h"
#include "core/check/verify.h"
#include "core/damage.h"
#include "core/format/format.h"
#include "core/format/manifest.h"
#include "core/listener.h"
#include "core/testing/map_keystore.h"
#include "keystores/hash/hash_keystore.h"

namespace rumcask {
namespace {

constexpr char kRepairedPath[] = "/crash/repaired";
constexpr char kNewKey[] = "zebra";
constexpr char kNewValue[] = "striped";

std::string PathOf(const std::string& file) { return absl::StrCat(kSamplePath, "/", file); }

class DamageListener : public Listener {
 public:
  void OnDamage(const absl::Status&) override { told_ = true; }
  bool told() const { return told_; }

 private:
  std::atomic<bool> told_{false};
};

}  // namespace

std::string UnreadableCase::ToString() const {
  std::string places;
  for (const SpoiledRange& range : ranges) {
    absl::StrAppend(&places, range.file, " [", range.begin, ", ", range.end, "), ");
  }
  return absl::StrCat(places, read == ReadMode::kMapped ? "mapped" : "pread", " read, ",
                      append == AppendMode::kMapped ? "mapped" : "pwrite", " append",
                      hash ? ", hash" : "");
}

UnreadableJudge::UnreadableJudge(const SampleDatabase* sample, const UnreadableCase* unreadable)
    : sample_(*sample), unreadable_(*unreadable), state_(sample->state) {
  Consider();
}

void UnreadableJudge::Violate(const std::string& how, const std::string& what) {
  violations_.push_back(absl::StrCat(how, ": ", what));
}

void UnreadableJudge::Lay() {
  faults_.reset();
  files_ = std::make_unique<CrashFileSystem>();
  if (!files_->CreateDirectory(kSamplePath).ok()) std::abort();
  files_->WriteFile(absl::StrCat(kSamplePath, "/", std::string(kLockName)), "");
  for (const auto& [name, bytes] : sample_.files) {
    files_->WriteFile(absl::StrCat(kSamplePath, "/", name), bytes);
  }
  for (const SpoiledRange& range : unreadable_.ranges) {
    if (!unreadable_.other_bytes) break;
    const size_t size = static_cast<size_t>(range.end - range.begin);
    files_->Overwrite(PathOf(range.file), range.begin, std::string(size, '\xa7'));
  }
  SpoilRanges();
}

void UnreadableJudge::SpoilRanges() {
  faults_ = std::make_unique<FaultFileSystem>(files_.get());
  if (unreadable_.other_bytes) return;
  std::vector<UnreadableRange> ranges;
  for (const SpoiledRange& range : unreadable_.ranges) {
    ranges.push_back({PathOf(range.file), range.begin, range.end});
  }
  faults_->SetUnreadable(std::move(ranges));
}

bool UnreadableJudge::Overlaps(const std::string& file, uint64_t begin, uint64_t end) const {
  return std::any_of(unreadable_.ranges.begin(), unreadable_.ranges.end(),
                     [&](const SpoiledRange& range) {
                       return range.file == file && range.begin < end && range.end > begin;
                     });
}

void UnreadableJudge::Consider() {
  std::set<std::string> files;
  for (const SpoiledRange& range : unreadable_.ranges) files.insert(range.file);
  for (const std::string& file : files) {
    if (file == kManifestName) {
      must_tell_.insert(file);
    } else {
      ConsiderSegment(file);
    }
  }
}

void UnreadableJudge::ConsiderSegment(const std::string& file) {
  CrashFileSystem files(kSamplePath);
  files.WriteFile(absl::StrCat(kSamplePath, "/MANIFEST"),
                  sample_.files.at(std::string(kManifestName)));
  const Manifest manifest = ReadManifest((*files.OpenDirectory(kSamplePath)).get())->manifest;
  const ManifestRange* const range = manifest.Find(*ParseSegmentName(file));
  const bool listed_sealed = range != nullptr && range->sealed;
  const uint64_t records_end = sample_.records_end.at(file);
  const bool sealed = sample_.sealed.count(file) > 0;
  const bool touches_header = Overlaps(file, 0, kSegmentHeaderBytes);
  const bool touches_footer = sealed && Overlaps(file, records_end, sample_.files.at(file).size());
  const bool keys_known = sealed && !touches_footer;
  if (touches_header || touches_footer) must_tell_.insert(file);

  std::set<size_t> groups;
  size_t touched = 0;
  for (const SampleRecord& record : sample_.records) {
    if (record.file != file || !Overlaps(file, record.offset, record.end)) continue;
    ++touched;
    if (record.key.empty()) continue;
    groups.insert(record.group);
    const bool whole = !Overlaps(file, record.offset, record.padding_at);
    if (!whole) must_tell_.insert(file);
    // A key table makes up for a delete.
    if (!whole && (record.is_put || !keys_known)) costs_records_ = true;
    if (!record.is_newest) continue;
    if (keys_known && record.is_put) (whole ? may_lose_ : must_lose_).insert(record.key);
    if (!keys_known) may_lose_.insert(record.key);
  }
  // The key of an unreadable record is not known, nor whether the record was the newest of its key.
  // The rest of its batch does not count either.
  if (!keys_known && touched > 0) {
    for (const SampleRecord& record : sample_.records) {
      if (record.file == file && groups.count(record.group) > 0) loose_.insert(record.key);
    }
  }
  // True, unless something vouches for everything that the range may have held.
  may_be_torn_ |= range == nullptr && (!sealed || touches_header || touches_footer);
  // Without a valid header, a segment belongs to the chain only if something else vouches for it.
  const bool unlinked = touches_header && range == nullptr;
  if (unlinked) {
    for (const SampleRecord& record : sample_.records) {
      const bool behind = record.file >= file && record.sequence > sample_.durable_version;
      if (behind && !record.key.empty()) loose_.insert(record.key);
    }
  }
  may_refuse_ |= (!keys_known && (touched > 0 || !sealed)) || (touches_header && !listed_sealed);
  touched_records_ += touched;
}

Options UnreadableJudge::MakeOptions() {
  Options options = SampleOptions();
  if (unreadable_.hash) options.keystore = HashKeystore();
  options.read_mode = unreadable_.read;
  options.append_mode = unreadable_.append;
  options.file_system = faults_.get();
  return options;
}

void UnreadableJudge::ReadAll(const std::string& how, DB* db, bool loose) {
  std::set<std::string> lost;
  const auto is_loose = [&](const std::string& key) { return loose && loose_.count(key) > 0; };
  const auto check = [&](const std::string& key, const std::string& value, const char* by) {
    const auto at = state_.find(key);
    if (at != state_.end() && at->second == value) return;
    const auto known = sample_.values.find(key);
    if (is_loose(key) && known != sample_.values.end() && known->second.count(value) > 0) return;
    Violate(how, absl::StrCat(by, ": key ", key, " has the wrong value ", value.substr(0, 20)));
  };
  std::set<std::string> keys;
  for (const auto& [key, value] : state_) keys.insert(key);
  for (const auto& [key, values] : sample_.values) keys.insert(key);
  for (const std::string& key : keys) {
    std::string value;
    const absl::Status status = db->Get(key, &value);
    if (status.ok()) {
      if (must_lose_.count(key) > 0) Violate(how, absl::StrCat("key ", key, " can be read"));
      check(key, value, "get");
    } else if (absl::IsNotFound(status)) {
      if (state_.count(key) > 0 && !is_loose(key)) {
        Violate(how, absl::StrCat("key ", key, " is not found"));
      }
    } else if (absl::IsDataLoss(status)) {
      lost.insert(key);
      if (must_lose_.count(key) + may_lose_.count(key) == 0 && !is_loose(key)) {
        Violate(how, absl::StrCat("key ", key, " is lost: ", status.ToString()));
      }
      if (!absl::StrContains(status.message(), ".seg")) {
        Violate(how, absl::StrCat("no file is named: ", status.ToString()));
      }
    } else {
      Violate(how, absl::StrCat("key ", key, ": ", status.ToString()));
    }
  }
  auto it = db->NewIterator();
  if (!it.ok()) return Violate(how, it.status().ToString());
  std::set<std::string> seen;
  for (; (*it)->Valid(); (*it)->Next()) {
    const std::string key((*it)->key());
    if (!seen.insert(key).second) Violate(how, absl::StrCat("the walk comes twice to ", key));
    check(key, std::string((*it)->value()), "walk");
  }
  const absl::Status status = (*it)->status();
  if (!status.ok() && !absl::IsDataLoss(status)) Violate(how, status.ToString());
  if (status.ok() != lost.empty()) {
    Violate(how, absl::StrCat("the walk ends with ", status.ToString()));
  }
  for (const auto& [key, value] : state_) {
    if (seen.count(key) + lost.count(key) == 0 && !is_loose(key)) {
      Violate(how, absl::StrCat("the walk leaves out ", key));
    }
  }
  lost_.insert(lost.begin(), lost.end());
}

void UnreadableJudge::JudgeReadOnly() {
  const auto listener = std::make_shared<DamageListener>();
  Options options = MakeOptions();
  options.listener = listener;
  auto db = DB::OpenReadOnly(kSamplePath, options);
  if (!db.ok()) return Violate("read-only", db.status().ToString());
  ReadAll("read-only", db->get(), /*loose=*/listener->told());
}

void UnreadableJudge::JudgeVerify() {
  const absl::StatusOr<VerifyReport> report = VerifyFiles(kSamplePath, faults_.get());
  if (!report.ok()) return Violate("verify", report.status().ToString());
  for (const std::string& file : must_tell_) {
    const bool told = std::any_of(report->damages.begin(), report->damages.end(),
                                  [&](const Damage& damage) { return damage.file == file; });
    if (!told) Violate("verify", absl::StrCat("does not list ", file));
  }
  if (report->records + touched_records_ < sample_.records.size() && loose_.empty()) {
    Violate("verify", absl::StrCat("found ", report->records, " of ", sample_.records.size(),
                                   " records, of which ", touched_records_, " can't be read"));
  }
}

void UnreadableJudge::JudgeReadWrite() {
  // LOCK is left out, because it names the process that came last.
  const auto contents = [this] {
    auto files = files_->Contents(kSamplePath);
    files.erase(std::string(kLockName));
    return files;
  };
  const auto before = contents();
  auto db = DB::Open(kSamplePath, MakeOptions());
  if (!db.ok()) {
    refused_ = true;
    if (!absl::IsDataLoss(db.status())) Violate("read-write", db.status().ToString());
    if (!may_refuse_) Violate("read-write", absl::StrCat("refused: ", db.status().ToString()));
    if (contents() != before) Violate("read-write", "changed the files");
    return;
  }
  // A database that takes writes shows nothing old and misses nothing.
  ReadAll("read-write", db->get(), /*loose=*/false);
  absl::Status status = (*db)->Put(kNewKey, kNewValue, {/*sync=*/true});
  if (!status.ok()) return Violate("put", status.ToString());
  state_[kNewKey] = kNewValue;
  ReadAll("after a put", db->get(), /*loose=*/false);
  for (const bool closes : {false, true}) {
    if (closes) {
      status = (*db)->Close();
      if (!status.ok()) Violate("close", status.ToString());
    }
    std::unique_ptr<CrashFileSystem> next = files_->AfterKill();
    db->reset();
    files_ = std::move(next);
    SpoilRanges();
    const std::string how = closes ? "after a close" : "after a kill";
    db = DB::Open(kSamplePath, MakeOptions());
    if (!db.ok()) return Violate(how, db.status().ToString());
    ReadAll(how, db->get(), /*loose=*/false);
    // What cannot be read can be written anew.
    status = (*db)->Put(kNewKey, kNewValue);
    if (!status.ok()) Violate(how, status.ToString());
  }
  for (const std::string& key : must_lose_) {
    status = (*db)->Put(key, "new");
    if (!status.ok() || *(*db)->Get(key) != "new") Violate("overwriting " + key, status.ToString());
  }
}

void UnreadableJudge::JudgeRepair() {
  const absl::StatusOr<RepairReport> report = Repair(kSamplePath, kRepairedPath, faults_.get());
  if (!report.ok()) return Violate("repair", report.status().ToString());
  const bool counted = report->values_lost > 0 || report->bytes_unreadable > 0;
  if (costs_records_ && report->complete()) Violate("repair", "does not count what it lost");
  if (touched_records_ == 0 && loose_.empty() && counted) {
    Violate("repair", absl::StrCat(report->values_lost, " values lost and ",
                                   report->bytes_unreadable, " bytes unreadable for nothing"));
  }
  if (must_lose_.size() > report->values_lost) {
    Violate("repair", absl::StrCat("tells of ", report->values_lost, " lost values"));
  }
  auto db = DB::Open(kRepairedPath, MakeOptions());
  if (!db.ok()) return Violate("repaired", db.status().ToString());
  ReadAll("repaired", db->get(), /*loose=*/true);
  const absl::StatusOr<VerifyReport> verified = (*db)->Verify();
  if (!verified.ok() || !verified->clean()) Violate("repaired", "is damaged");
}

std::vector<std::string> UnreadableJudge::Judge() {
  Lay();
  JudgeReadOnly();
  JudgeVerify();
  JudgeRepair();
  JudgeReadWrite();
  return std::move(violations_);
}

}  // namespace rumcask
