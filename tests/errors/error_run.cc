#include "tests/errors/error_run.h"

#include <algorithm>
#include <atomic>
#include <map>
#include <memory>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

#include "core/check/repair.h"
#include "core/check/verify.h"
#include "core/damage.h"
#include "core/format/limits.h"
#include "core/listener.h"
#include "core/testing/map_keystore.h"
#include "keystores/hash/hash_keystore.h"

namespace rumcask {
namespace {

using When = ErrorOracle::When;

// The contents of the segments and of MANIFEST.
std::map<std::string, std::string> Essence(const CrashFileSystem& disk) {
  std::map<std::string, std::string> files;
  for (const auto& [name, bytes] : disk.Contents("/crash")) {
    const bool counts = absl::StartsWith(name, "db/") &&
                        (absl::EndsWith(name, ".seg") || absl::EndsWith(name, "/MANIFEST"));
    if (counts) files.emplace(name, bytes);
  }
  return files;
}

}  // namespace

std::string ErrorModes::ToString() const {
  return absl::StrCat(append == AppendMode::kMapped ? "mapped" : "pwrite", " append, ",
                      read == ReadMode::kMapped ? "mapped" : "pread", " read", hash ? ", hash" : "",
                      on_disk ? ", index on disk" : "", background_threads > 0 ? ", threads" : "");
}

ErrorRun::ErrorRun(const ErrorModes& modes, const CrashImage& image, const AdversarialDisk& index,
                   ErrorOracle oracle)
    : modes_(modes),
      disk_(image),
      faults_(&disk_),
      index_(index.Cut(IndexFate::kLatest, 0)),
      oracle_(std::move(oracle)) {}

ErrorRun::~ErrorRun() {
  SetPlan(FaultPlan());
  db_.reset();
}

namespace {

class DamageCounter : public Listener {
 public:
  void OnDamage(const absl::Status&) override { count_.fetch_add(1); }
  int count() const { return count_.load(); }

 private:
  std::atomic<int> count_{0};
};

}  // namespace

Options ErrorRun::MakeOptions(FileSystem* file_system, AdversarialDisk* index) const {
  Options options;
  options.keystore = modes_.hash ? HashKeystore() : TestKeystore();
  if (modes_.on_disk) {
    options.keystore = index->Keystore("adversarial", /*reports_replaced=*/true);
    // Small buffers, so that they are applied to the index all the time.
    options.keystore->buffer_bytes = 512;
    options.replay_bytes = 2000;
  }
  options.create_if_missing = true;
  options.segment_bytes = kMinSegmentBytes;
  options.append_mode = modes_.append;
  options.read_mode = modes_.read;
  options.background_threads = modes_.background_threads;
  options.file_system = file_system;
  return options;
}

void ErrorRun::Complain(const std::string& what, const std::string& why) {
  if (complaint_.empty() && !why.empty()) complaint_ = absl::StrCat(what, ": ", why);
}

void ErrorRun::CheckError(const char* operation, const absl::Status& status) {
  if (status.ok()) return;
  ++errors_;
  if (db_ != nullptr && !db_->BackgroundStatus().ok()) oracle_.NoteReadOnly();
  if (absl::IsNotFound(status)) Complain(operation, "an error of the system became NotFound");
  if (status.message().empty()) Complain(operation, "the error has no message");
  if (absl::StrContains(status.message(), "No space left") && !absl::IsResourceExhausted(status) &&
      (db_ == nullptr || db_->BackgroundStatus().ok())) {
    Complain(operation, absl::StrCat("a full disk is ", status.ToString()));
  }
  if (!ends_at_error_) return;
  Heal();
  idles_ = true;
}

bool ErrorRun::Open(bool read_only) {
  if (idles_) return false;
  const auto before = Essence(disk_);
  Options options = MakeOptions(&faults_, index_.get());
  const auto damages = std::make_shared<DamageCounter>();
  options.listener = damages;
  auto db = read_only ? DB::OpenReadOnly(kErrorPath, options) : DB::Open(kErrorPath, options);
  // A database opened read-only serves what can be read and reports damage to the listener.
  may_lack_keys_ = read_only && damages->count() > 0;
  read_only_ = read_only;
  if (db.ok()) {
    db_ = *std::move(db);
    return true;
  }
  CheckError("open", db.status());
  // A failed open may leave a partly created database, but must not change an existing one.
  if (before.count("db/MANIFEST") != 0 && Essence(disk_) != before) {
    Complain("failed open", "segments or MANIFEST have changed");
  }
  return false;
}

void ErrorRun::Write(const Operations& operations, bool sync) {
  if (idles_) return;
  size_t bytes = 0;
  for (const Operation& operation : operations) bytes += operation.second.value_or("").size();
  largest_ = std::max(largest_, bytes);
  const absl::Status status = Perform(operations, db_.get(), {sync});
  oracle_.Note(operations, sync, status);
  CheckError(operations.size() > 1                   ? "write"
             : operations.front().second.has_value() ? "put"
                                                     : "delete",
             status);
}

void ErrorRun::Sync() {
  if (idles_) return;
  // Sync may succeed in a database that has become read-only if every write that returned OK is
  // durable already, for example after a failed append that could not be undone. The power cut
  // later shows whether they are.
  const absl::Status status = db_->Sync();
  CheckError("sync", status);
  if (status.ok()) oracle_.NoteSynced();
}

void ErrorRun::ReadAll() {
  if (idles_) return;
  const std::vector<std::string> keys = oracle_.Keys();
  State found;
  std::vector<std::string> unreadable;
  const auto take = [&](const std::string& key, const absl::Status& status,
                        std::string_view value) {
    if (status.ok()) {
      found[key] = value;
    } else if (!absl::IsNotFound(status)) {
      CheckError("get", status);
      unreadable.push_back(key);
    }
  };
  for (const std::string& key : keys) {
    std::string value;
    const absl::Status status = db_->Get(key, &value);
    take(key, status, value);
  }
  if (!may_lack_keys_) Complain("get", oracle_.Judge(When::kOpen, found, unreadable));
  found.clear();
  unreadable.clear();
  for (const std::string& key : keys) {
    PinnedValue value;
    const absl::Status status = db_->Get(key, &value);
    take(key, status, value.value());
  }
  if (!may_lack_keys_) Complain("pinned get", oracle_.Judge(When::kOpen, found, unreadable));
  found.clear();
  unreadable.clear();
  const std::vector<std::string_view> views(keys.begin(), keys.end());
  std::vector<std::string> values;
  std::vector<absl::Status> statuses;
  db_->MultiGet(views, &values, &statuses);
  for (size_t i = 0; i < keys.size(); ++i) take(keys[i], statuses[i], values[i]);
  if (!may_lack_keys_) Complain("multiget", oracle_.Judge(When::kOpen, found, unreadable));
  found.clear();
  const absl::Status status = Iterate(db_.get(), &found);
  if (status.ok()) {
    if (!may_lack_keys_) Complain("iterate", oracle_.Judge(When::kOpen, found));
  } else {
    CheckError("iterate", status);
  }
}

void ErrorRun::Verify() {
  if (idles_) return;
  const auto report = db_->Verify();
  if (!report.ok()) {
    CheckError("verify", report.status());
  } else if (!report->clean() && faults_.fault_count() == 0 && index_->failed_calls() == 0) {
    Complain("verify", DamageStatus(report->damages[0]).ToString());
  }
}

void ErrorRun::Close() {
  if (idles_) return;
  const absl::Status status = db_->Close();
  CheckError("close", status);
  if (status.ok() && !read_only_) oracle_.NoteSynced();
  db_.reset();
}

void ErrorRun::Compact(bool all) {
  if (idles_) return;
  CheckError("compact", all ? db_->CompactAll() : db_->CompactSome(10000));
}

void ErrorRun::Repair() {
  if (idles_) return;
  const auto before = Essence(disk_);
  const auto report = rumcask::Repair(kErrorPath, kErrorRepaired, &faults_);
  if (Essence(disk_) != before) Complain("repair", "changed its source");
  if (!report.ok()) return CheckError("repair", report.status());
  // A source that could not be read is reported as damaged.
  if (faults_.fault_count() != 0 && !report->damages.empty()) return;
  auto db = DB::Open(kErrorRepaired, MakeOptions(&disk_, AdversarialDisk::Make().get()));
  if (!db.ok()) return Complain("open repaired", db.status().ToString());
  State found;
  const absl::Status status = Iterate(db->get(), &found);
  Complain("repaired", status.ok() ? oracle_.Judge(When::kReopened, found) : status.ToString());
}

void ErrorRun::SetPlan(FaultPlan plan) {
  // A sync that was only interrupted loses no data.
  plan.on_fault = [this, fault = plan.fault](const Call& call) {
    if (call.kind == CallKind::kSync && fault != Fault::kEintr) disk_.LoseDirty(call.name);
  };
  faults_.SetPlan(std::move(plan));
}

CrashImage ErrorRun::Kill() {
  FaultPlan dead;
  dead.call = 1;
  dead.for_ever = true;
  faults_.SetPlan(dead);
  db_.reset();
  faults_.SetPlan(FaultPlan());
  return disk_.Cut(KeepPolicy::KeepEverything());
}

void ErrorRun::Finish(bool kill) {
  Heal();
  if (db_ != nullptr && !read_only_) {
    WriteAllKinds("after the errors", "slbdy");
    ReadAll();
  }
  CheckReopened(nullptr, When::kPowerCut);
  if (kill) {
    (void)Kill();
  } else if (db_ != nullptr) {
    Close();
  }
  CheckReopened(&disk_, When::kReopened);
}

void ErrorRun::CheckReopened(FileSystem* file_system, When when, const KeepPolicy& policy) {
  std::unique_ptr<CrashFileSystem> after_cut;
  std::shared_ptr<AdversarialDisk> index = index_;
  if (when == When::kPowerCut) {
    // The index is copied first, so that it is never newer than the log.
    index = index_->Cut(IndexFate::kFlushed, 0);
    after_cut = std::make_unique<CrashFileSystem>(disk_.Cut(policy));
    file_system = after_cut.get();
  }
  const std::string what = when == When::kPowerCut
                               ? absl::StrCat("after a power cut, ", policy.ToString())
                               : "after reopening";
  auto db = DB::Open(kErrorPath, MakeOptions(file_system, index.get()));
  if (!db.ok()) return Complain(what, db.status().ToString());
  State found;
  absl::Status status = Iterate(db->get(), &found);
  if (!status.ok()) return Complain(what, status.ToString());
  Complain(what, oracle_.Judge(when, found));
  const auto report = (*db)->Verify();
  if (!report.ok()) return Complain(what, report.status().ToString());
  if (!report->clean()) Complain(what, DamageStatus(report->damages[0]).ToString());
  status = (*db)->Put("last", "word", {/*sync=*/true});
  Complain(what, status.ok() ? "" : status.ToString());
}

}  // namespace rumcask
