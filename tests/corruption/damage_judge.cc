#include "tests/corruption/damage_judge.h"

#include <atomic>
#include <cstdlib>
#include <utility>

#include "absl/strings/str_cat.h"

#include "core/check/verify.h"
#include "core/listener.h"
#include "core/stats.h"

namespace rumcask {
namespace {

constexpr char kNewKey[] = "zebra";
constexpr char kNewValue[] = "striped";

class DamageCounter : public Listener {
 public:
  void OnDamage(const absl::Status&) override { ++count_; }
  bool any() const { return count_ > 0; }

 private:
  std::atomic<int> count_{0};
};

std::string PathOf(const std::string& name) { return absl::StrCat(kSamplePath, "/", name); }

Files FilesOf(const CrashFileSystem& file_system) {
  Files files = file_system.Contents(kSamplePath);
  files.erase(std::string(kLockName));
  return files;
}

// Compares everything that can be read with what was acknowledged. If an opening has reported
// damage (`told`), keys may be missing or have an older value, but never a value that they never
// had.
class Reader {
 public:
  Reader(const SampleDatabase& sample, const char* how, bool told, Finding* finding)
      : sample_(sample), how_(how), told_(told), finding_(finding) {}

  void ReadAll(DB* db) {
    std::string value;
    for (const auto& [key, values] : sample_.values) {
      const absl::Status status = db->Get(key, &value);
      if (status.ok()) {
        CheckValue(key, value, "get");
      } else if (absl::IsNotFound(status)) {
        if (sample_.state.count(key) > 0 && !told_) Violate(key, "is not found");
      } else if (absl::IsDataLoss(status)) {
        if (sample_.state.count(key) == 0 && !told_) Violate(key, "was deleted, yet is damaged");
        finding_->lost.insert(key);
        lost_.insert(key);
      } else {
        Violate(key, status.ToString());
      }
    }
    Walk(db);
  }

 private:
  void Walk(DB* db) {
    auto it = db->NewIterator();
    if (!it.ok()) return Violate("", it.status().ToString());
    std::set<std::string> seen;
    for (; (*it)->Valid(); (*it)->Next()) {
      const std::string key((*it)->key());
      if (!seen.insert(key).second) Violate(key, "comes twice");
      CheckValue(key, std::string((*it)->value()), "walk");
    }
    const absl::Status status = (*it)->status();
    if (!status.ok() && !absl::IsDataLoss(status)) Violate("", status.ToString());
    if (status.ok() != lost_.empty())
      Violate("", absl::StrCat("the walk ends with ", status.ToString()));
    for (const auto& [key, value] : sample_.state) {
      if (seen.count(key) + lost_.count(key) == 0 && !told_)
        Violate(key, "is left out by the walk");
    }
  }

  void CheckValue(const std::string& key, const std::string& value, const char* by) {
    const auto at = sample_.state.find(key);
    if (at != sample_.state.end() && at->second == value) return;
    const auto known = sample_.values.find(key);
    if (told_ && known != sample_.values.end() && known->second.count(value) > 0) {
      finding_->outdated.insert(key);
      return;
    }
    Violate(key, absl::StrCat("has the wrong value \"", value.substr(0, 20), "\" by ", by));
  }

  void Violate(const std::string& key, const std::string& what) {
    finding_->violations.push_back(absl::StrCat(how_, ": key \"", key, "\" ", what));
  }

  const SampleDatabase& sample_;
  const char* const how_;
  const bool told_;
  Finding* const finding_;
  std::set<std::string> lost_;
};

}  // namespace

DamageJudge::DamageJudge(const SampleDatabase* sample) : sample_(sample) {
  const absl::Status status = file_system_.CreateDirectory(kSamplePath);
  if (!status.ok()) std::abort();
  file_system_.WriteFile(PathOf(std::string(kLockName)), "");
}

void DamageJudge::Lay(const Files& files) {
  for (const auto& [name, bytes] : laid_) {
    if (files.count(name) == 0) file_system_.RemoveFile(PathOf(name));
  }
  for (const auto& [name, bytes] : files) {
    const auto before = laid_.find(name);
    if (before == laid_.end() || before->second != bytes) {
      file_system_.WriteFile(PathOf(name), bytes);
    }
  }
  laid_ = files;
}

Finding DamageJudge::Judge(const Files& files, ReadMode first, ReadMode second) {
  Lay(files);
  Finding finding;
  const auto violate = [&](const std::string& what) { finding.violations.push_back(what); };
  {
    auto listener = std::make_shared<DamageCounter>();
    Options options = SampleOptions();
    options.file_system = &file_system_;
    options.listener = listener;
    options.read_mode = first;
    auto db = DB::OpenReadOnly(kSamplePath, options);
    if (db.ok()) {
      finding.told_at_opening = listener->any();
      Reader(*sample_, "read-only", listener->any(), &finding).ReadAll(db->get());
    } else if (!absl::IsDataLoss(db.status())) {
      violate(absl::StrCat("read-only: ", db.status().ToString()));
    }
  }
  const absl::StatusOr<VerifyReport> report = VerifyFiles(kSamplePath, &file_system_);
  if (report.ok()) {
    finding.verified = report->damages;
  } else {
    violate(absl::StrCat("verify: ", report.status().ToString()));
  }
  bool closes_unclean = false;
  {
    auto listener = std::make_shared<DamageCounter>();
    Options options = SampleOptions();
    options.file_system = &file_system_;
    options.listener = listener;
    options.read_mode = second;
    auto db = DB::Open(kSamplePath, options);
    if (db.ok()) {
      // Closing after an unclean end makes durable what was found, which changes the files.
      closes_unclean = !(*db)->GetStats().recovery.was_clean;
      finding.told_at_opening = finding.told_at_opening || listener->any();
      // Whatever it reported, a database that takes writes shows nothing old and misses nothing.
      Reader(*sample_, "read-write", /*told=*/false, &finding).ReadAll(db->get());
      const absl::StatusOr<VerifyReport> open_report = (*db)->Verify();
      if (!open_report.ok()) {
        violate(absl::StrCat("verify while open: ", open_report.status().ToString()));
      } else if (open_report->clean() != finding.verified.empty()) {
        violate(absl::StrCat("verify while open lists ", open_report->damages.size(),
                             " damages, verify of the files ", finding.verified.size()));
      }
    } else if (absl::IsDataLoss(db.status())) {
      finding.refused = true;
    } else {
      violate(absl::StrCat("read-write: ", db.status().ToString()));
    }
  }
  const bool noticed = finding.refused || finding.told_at_opening || !finding.lost.empty();
  if (noticed && finding.verified.empty())
    violate("verify does not see what opening or reading saw");
  if (FilesOf(file_system_) != files) {
    if (!closes_unclean) violate("reading and verifying has changed the files");
    laid_ = FilesOf(file_system_);
  }
  return finding;
}

std::vector<std::string> DamageJudge::Continue(const Files& files) const {
  CrashFileSystem file_system;
  if (!file_system.CreateDirectory(kSamplePath).ok()) std::abort();
  for (const auto& [name, bytes] : files) file_system.WriteFile(PathOf(name), bytes);
  Options options = SampleOptions();
  options.file_system = &file_system;
  Finding finding;
  SampleDatabase sample = *sample_;
  sample.state[kNewKey] = kNewValue;
  sample.values[kNewKey] = {kNewValue};
  for (int opening = 1; opening <= 2; ++opening) {
    auto db = DB::Open(kSamplePath, options);
    if (opening == 1 && absl::IsDataLoss(db.status())) return {};
    absl::Status status = db.status();
    if (status.ok() && opening == 1) status = (*db)->Put(kNewKey, kNewValue);
    if (!status.ok()) {
      finding.violations.push_back(absl::StrCat("opening ", opening, ": ", status.ToString()));
      return finding.violations;
    }
    Reader(sample, opening == 1 ? "continued" : "opened again", /*told=*/false, &finding)
        .ReadAll(db->get());
    status = (*db)->Close();
    if (!status.ok()) finding.violations.push_back(absl::StrCat("close: ", status.ToString()));
  }
  return finding.violations;
}

}  // namespace rumcask
