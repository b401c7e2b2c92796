#include "tests/corruption/repair_judge.h"

#include <algorithm>
#include <cstdlib>
#include <map>
#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"

#include "core/check/verify.h"
#include "core/damage.h"
#include "core/format/manifest.h"

namespace rumcask {
namespace {

constexpr char kNewPath[] = "/crash/repaired";

std::string PathOf(const std::string& name) { return absl::StrCat(kSamplePath, "/", name); }

Options OptionsOn(FileSystem* file_system) {
  Options options = SampleOptions();
  options.file_system = file_system;
  return options;
}

}  // namespace

bool RepairJudge::IsSound(const RepairCase& damaged, const std::string& file, uint64_t begin,
                          uint64_t end) const {
  const auto at = damaged.files.find(file);
  if (at == damaged.files.end() || at->second.size() < end) return false;
  // A sector that cannot be read destroys all records that it is a part of.
  for (const UnreadableRange& range : damaged.unreadable) {
    if (range.name == PathOf(file) && begin < range.end && range.begin < end) return false;
  }
  return at->second.compare(begin, end - begin, database_->files.at(file), begin, end - begin) == 0;
}

bool RepairJudge::HasSoundTable(const RepairCase& damaged, const std::string& file) const {
  const uint64_t size = database_->files.at(file).size();
  const auto at = damaged.files.find(file);
  return database_->sealed.count(file) > 0 && at != damaged.files.end() &&
         at->second.size() == size && IsSound(damaged, file, database_->ends.at(file), size);
}

// Whether the key table of the record's segment must be trusted.
bool RepairJudge::TellsWhatIsDamaged(const RepairCase& damaged, const TrackedRecord& record,
                                     const Repaired& repaired) const {
  if (!HasSoundTable(damaged, record.file)) return false;
  return std::all_of(
      database_->records.begin(), database_->records.end(), [&](const TrackedRecord& other) {
        return other.file != record.file || other.header.sequence <= repaired.promised;
      });
}

void RepairJudge::FindSound(const RepairCase& damaged, Repaired* out) const {
  for (const TrackedRecord& record : database_->records) {
    // No checksum covers the padding.
    const RecordHeader& header = record.header;
    const uint64_t end = record.offset + kRecordHeaderBytes + header.key_bytes + header.value_bytes;
    const auto file = damaged.files.find(record.file);
    if (IsSound(damaged, record.file, record.offset, end) && file->second.size() >= record.end() &&
        (damaged.unreadable.empty() ||
         IsSound(damaged, record.file, record.offset, record.end()))) {
      out->sound.insert(header.sequence);
    }
  }
}

void RepairJudge::FindPromised(const RepairCase& damaged, Directory* directory,
                               Repaired* out) const {
  const auto vouch = [out](uint64_t number) { out->promised = std::max(out->promised, number); };
  const absl::StatusOr<DecodedManifest> manifest = ReadManifest(directory);
  if (manifest.ok()) vouch(manifest->manifest.durable_sequence);
  for (const auto& [file, end] : database_->ends) {
    if (!IsSound(damaged, file, 0, kSegmentHeaderBytes)) continue;
    const std::string& bytes = damaged.files.at(file);
    SegmentHeader header;
    if (DecodeSegmentHeader(bytes, *SegmentHeaderUuid(bytes), *ParseSegmentName(file), &header) !=
        HeaderState::kValid) {
      std::abort();
    }
    vouch(header.durable_sequence);
  }
  for (const TrackedRecord& mark : database_->marks) {
    if (IsSound(damaged, mark.file, mark.offset, mark.end())) vouch(mark.header.sequence);
  }
}

void RepairJudge::FindLeast(Repaired* out) const {
  // Whether all batches after the promised ones are whole so far.
  bool unbroken = true;
  std::vector<uint64_t> batch;
  bool whole = true;
  for (const TrackedRecord& record : database_->records) {
    const uint64_t number = record.header.sequence;
    batch.push_back(number);
    whole = whole && out->sound.count(number) > 0;
    if (number != record.last_of_batch) continue;
    if (whole && (unbroken || number <= out->promised)) {
      out->least.insert(batch.begin(), batch.end());
    }
    if (!whole && number > out->promised) unbroken = false;
    batch.clear();
    whole = true;
  }
}

void RepairJudge::ReadAll(DB* db, State* state, std::set<std::string>* lost,
                          std::vector<std::string>* violations) const {
  for (const std::string& key : database_->Keys()) {
    std::string value;
    const absl::Status status = db->Get(key, &value);
    if (status.ok()) {
      (*state)[key] = value;
    } else if (absl::IsDataLoss(status)) {
      lost->insert(key);
    } else if (!absl::IsNotFound(status)) {
      violations->push_back(absl::StrCat(key, ": ", status.ToString()));
    }
  }
}

Repaired RepairJudge::Judge(const RepairCase& damaged, bool goes_on) const {
  Repaired out;
  CrashFileSystem file_system;
  if (!file_system.CreateDirectory(kSamplePath).ok()) std::abort();
  for (const auto& [name, bytes] : damaged.files) file_system.WriteFile(PathOf(name), bytes);
  FindSound(damaged, &out);
  {
    FaultFileSystem unreadable(&file_system);
    unreadable.SetUnreadable(damaged.unreadable);
    auto source = unreadable.OpenDirectory(kSamplePath);
    if (!source.ok()) std::abort();
    FindPromised(damaged, source->get(), &out);
    FindLeast(&out);
    absl::StatusOr<RepairReport> report = Repair(kSamplePath, kNewPath, &unreadable);
    if (!report.ok()) {
      out.violations.push_back(report.status().ToString());
      return out;
    }
    out.report = std::move(*report);
  }
  if (file_system.Contents(kSamplePath) != damaged.files) {
    out.violations.push_back("the source has changed");
  }
  const absl::StatusOr<VerifyReport> verified = VerifyFiles(kNewPath, &file_system);
  if (!verified.ok()) {
    out.violations.push_back(absl::StrCat("verify: ", verified.status().ToString()));
  } else if (!verified->clean()) {
    const Damage& damage = verified->damages.front();
    out.violations.push_back(
        absl::StrCat("verify: ", damage.file, " ", damage.offset, ": ", damage.cause));
  }
  auto db = DB::OpenReadOnly(kNewPath, OptionsOn(&file_system));
  if (!db.ok()) {
    out.violations.push_back(absl::StrCat("open: ", db.status().ToString()));
    return out;
  }
  ReadAll(db->get(), &out.state, &out.lost, &out.violations);
  db->reset();
  CheckRecords(file_system.Contents(kNewPath), &out);
  CheckCounts(out, &out);
  CheckKeys(damaged, &out);
  auto directory = file_system.OpenDirectory(kNewPath);
  const absl::StatusOr<DecodedManifest> manifest = ReadManifest(directory->get());
  if (!manifest.ok() || manifest->manifest.next_sequence <= database_->highest_version) {
    out.violations.push_back("goes on with a version that was given out before");
  }
  if (goes_on) GoOn(&file_system, &out);
  return out;
}

void RepairJudge::CheckRecords(const Files& files, Repaired* out) const {
  std::set<uint64_t> kept;
  uint64_t lost = 0;
  for (const auto& [name, bytes] : files) {
    if (!ParseSegmentName(name).has_value()) continue;
    for (const TrackedRecord& record : ReadSegment(name, bytes).records) {
      if (record.header.is_lost()) {
        ++lost;
      } else if (!kept.insert(record.header.sequence).second) {
        out->violations.push_back(
            absl::StrCat("version ", record.header.sequence, " is there twice"));
      }
    }
  }
  const RepairReport& report = out->report;
  if (kept.size() != report.records_kept + report.deletes_restored) {
    out->violations.push_back(absl::StrCat(kept.size(), " records are there, ", report.records_kept,
                                           " kept and ", report.deletes_restored,
                                           " deletes restored"));
  }
  // A record that is written as lost may be part of a batch, which is counted separately.
  if (lost < report.values_lost) {
    out->violations.push_back(
        absl::StrCat(report.values_lost, " values lost, but ", lost, " records tell of them"));
  }
  for (uint64_t number : out->least) {
    if (kept.count(number) > 0) continue;
    out->violations.push_back(absl::StrCat("version ", number, " is sound and not kept, though ",
                                           out->promised, " were promised"));
    break;
  }
  uint64_t restored = 0;
  for (uint64_t number : kept) {
    if (out->sound.count(number) == 0) ++restored;
  }
  if (restored != report.deletes_restored) {
    out->violations.push_back(absl::StrCat(restored, " records are there that are not sound, ",
                                           report.deletes_restored, " deletes restored"));
  }
}

void RepairJudge::CheckCounts(const Repaired& repaired, Repaired* out) const {
  const RepairReport& report = repaired.report;
  // Intact parts of batches with damaged other parts; their keys are written as lost.
  uint64_t parts = 0;
  for (const TrackedRecord& record : database_->records) {
    if (repaired.sound.count(record.header.sequence) == 0) continue;
    for (uint64_t n = record.first_of_batch; n <= record.last_of_batch; ++n) {
      if (repaired.sound.count(n) == 0) {
        ++parts;
        break;
      }
    }
  }
  const uint64_t sound = repaired.sound.size();
  if (report.records_kept > sound) {
    out->violations.push_back(
        absl::StrCat(report.records_kept, " records kept, only ", sound, " are sound"));
  }
  if (report.records_kept + report.records_dropped + parts < sound) {
    out->violations.push_back(absl::StrCat(sound, " records are sound, ", report.records_kept,
                                           " kept, ", report.records_dropped, " dropped, ", parts,
                                           " in incomplete batches: the rest is not counted"));
  }
  if (report.records_renumbered > 0) out->violations.push_back("records were renumbered");
}

void RepairJudge::CheckKeys(const RepairCase& damaged, Repaired* out) const {
  const RepairReport& report = out->report;
  const uint64_t last_sound = out->sound.empty() ? 0 : *out->sound.rbegin();
  const State whole = database_->StateAt(UINT64_MAX);
  if (report.complete()) {
    if (!out->lost.empty()) out->violations.push_back("complete, yet keys are lost");
    const bool is_whole = out->state == whole;
    const bool is_prefix = damaged.may_be_a_prefix && out->state == database_->StateAt(last_sound);
    if (!is_whole && !is_prefix) out->violations.push_back("complete, yet not what it was");
  }
  if (!out->lost.empty() && report.values_lost == 0) {
    out->violations.push_back("keys are lost, and none is counted");
  }
  const bool dropped = report.records_dropped > 0;
  for (const std::string& key : database_->Keys()) {
    const auto shown = out->state.find(key);
    const bool has_value = shown != out->state.end();
    if (has_value && database_->dropped.count(shown->second) > 0) {
      out->violations.push_back(absl::StrCat(key, " has a value that was dropped long ago"));
    } else if (has_value && !database_->Had(key, shown->second)) {
      out->violations.push_back(absl::StrCat(key, " has a value that it never had"));
    }
    if (out->lost.count(key) > 0) continue;
    // Finds the writes of the key that the new database must know of.
    for (size_t i = 0; i < database_->history.size(); ++i) {
      const TrackedWrite& write = database_->history[i];
      if (write.key != key) continue;
      const TrackedRecord& record = database_->records[i];
      const bool known = out->sound.count(write.version) > 0 || HasSoundTable(damaged, record.file);
      const bool must_be_there =
          out->least.count(write.version) > 0 || TellsWhatIsDamaged(damaged, record, *out);
      if (!must_be_there && (!known || dropped || damaged.may_be_a_prefix)) continue;
      // The value shown must be from this write or a newer one.
      const bool newer = std::any_of(database_->history.begin() + static_cast<ptrdiff_t>(i),
                                     database_->history.end(), [&](const TrackedWrite& later) {
                                       return later.key == key &&
                                              later.value.has_value() == has_value &&
                                              (!has_value || *later.value == shown->second);
                                     });
      if (!newer) {
        out->violations.push_back(absl::StrCat(key, " is older than its known version ",
                                               write.version, has_value ? "" : ", or missing"));
      }
    }
  }
}

void RepairJudge::GoOn(CrashFileSystem* file_system, Repaired* out) const {
  const auto check = [out](const absl::Status& status, const char* what) {
    if (!status.ok()) out->violations.push_back(absl::StrCat(what, ": ", status.ToString()));
    return status.ok();
  };
  auto db = DB::Open(kNewPath, OptionsOn(file_system));
  if (!check(db.status(), "open for writing")) return;
  WriteResult result;
  const std::string key = *database_->Keys().begin();
  if (!check((*db)->Put(key, "new", {/*sync=*/true}, &result), "put")) return;
  if (result.version <= database_->highest_version) {
    out->violations.push_back("a version was given out twice");
  }
  if (!check((*db)->Delete("no such key", {}), "delete")) return;
  CrashFileSystem killed(file_system->Cut(KeepPolicy::DropUnsynced()));
  db->reset();
  db = DB::Open(kNewPath, OptionsOn(&killed));
  if (!check(db.status(), "open after the kill")) return;
  State state;
  std::set<std::string> lost;
  ReadAll(db->get(), &state, &lost, &out->violations);
  State expected = out->state;
  std::set<std::string> expected_lost = out->lost;
  expected[key] = "new";
  expected_lost.erase(key);
  if (state != expected || lost != expected_lost) {
    out->violations.push_back("is not what it was after going on");
  }
  if (!check((*db)->Put("another key", "value"), "put again")) return;
  if (!check((*db)->Close(), "close")) return;
  const absl::StatusOr<VerifyReport> verified = VerifyFiles(kNewPath, &killed);
  if (check(verified.status(), "verify at the end") && !verified->clean()) {
    out->violations.push_back(absl::StrCat("at the end ", verified->damages.front().cause));
  }
}

}  // namespace rumcask
