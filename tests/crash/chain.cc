#include "tests/crash/chain.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

#include "core/check/verify.h"
#include "core/damage.h"
#include "core/format/limits.h"
#include "core/stats.h"
#include "tests/workloads/keystores.h"

namespace rumcask {
namespace {

const std::vector<KeystoreFactory>& InMemory() {
  static const auto* const all = new std::vector<KeystoreFactory>(KeystoresInMemory());
  return *all;
}

constexpr char kPath[] = "/crash/db";
constexpr char kOnDiskName[] = "adversarial";
constexpr uint64_t kKeys = 40;
constexpr size_t kLoggedLines = 60;
constexpr size_t kKeptImages = 4;

}  // namespace

std::string ChainOptions::ToString() const {
  constexpr const char* kKeystores[] = {"in memory", "on disk", "reindexed"};
  return absl::StrCat("seed ", seed, ", keystores ", kKeystores[static_cast<int>(keystores)], ", ",
                      background_threads, " threads", faults ? ", with faults" : "");
}

Chain::Chain(const ChainOptions& options)
    : options_(options), random_(options.seed), files_(std::make_unique<CrashFileSystem>()) {}

Chain::~Chain() {
  files_->SetObserver(nullptr);
  db_.reset();
}

void Chain::Log(std::string line) {
  log_.push_back(absl::StrCat(step_, ": ", std::move(line)));
  if (log_.size() > kLoggedLines) log_.pop_front();
}

void Chain::Violate(const std::string& what) {
  if (!report_.violation.empty()) return;
  report_.violation =
      absl::StrCat(options_.ToString(), ", after ", report_.cuts, " cuts and ", report_.kills,
                   " kills: ", what, "\n", absl::StrJoin(log_, "\n"));
}

std::vector<Chain::Found> Chain::History() const {
  std::vector<Found> history;
  for (const auto& [how, image] : images_) {
    history.push_back({how, CrashFileSystem(image).Contents("/crash")});
  }
  return history;
}

// ---- crashes ----

void Chain::PlanCrash(uint64_t operation) {
  planned_cut_ = OneIn(2);
  policy_ = KeepPolicy::Random(random_());
  const std::vector<KeepPolicy> fixed = KeepPolicy::AllFixed();
  if (OneIn(3)) policy_ = fixed[Below(fixed.size())];
  fate_ = kAllFates[Below(std::size(kAllFates))];
  crash_at_ = files_->operation_count() + operation;
  files_->SetObserver(
      [this](uint64_t number, const char* what, const std::string& name, bool after) {
        if (after && number == crash_at_) CrashNow(absl::StrCat("at ", what, " ", name));
      });
}

// Copies the promise first, then the index, then the files. A write acknowledged meanwhile can then
// only be in the files without being promised, and the index never points beyond its log.
void Chain::CrashNow(const std::string& where) {
  auto crash = std::make_unique<Crash>();
  crash->promise = oracle_.promise();
  crash->cut = planned_cut_;
  crash->index = index_->Cut(fate_, crash_at_);
  crash->how = absl::StrCat(planned_cut_ ? "power cut " : "kill ", where,
                            planned_cut_ ? absl::StrCat(", ", policy_.ToString()) : "", ", index ",
                            IndexFateName(fate_), ", ", crash->promise.ToString());
  crash->files =
      planned_cut_ ? std::make_unique<CrashFileSystem>(files_->Cut(policy_)) : files_->AfterKill();
  MutexLock lock(mutex_);
  if (crash_ == nullptr) crash_ = std::move(crash);
}

bool Chain::crashed() const {
  MutexLock lock(mutex_);
  return crash_ != nullptr;
}

void Chain::Continue() {
  // The old process may still write, but only to files that are discarded below.
  files_->SetObserver(nullptr);
  db_.reset();
  std::unique_ptr<Crash> crash;
  {
    MutexLock lock(mutex_);
    crash = std::move(crash_);
  }
  Log(crash->how);
  crash->cut ? ++report_.cuts : ++report_.kills;
  // A kill before the contents were checked changes nothing: the earlier floor still holds.
  if (crash->cut) {
    floor_ = crash->promise.vouched;
  } else if (settled_) {
    floor_ = crash->promise.returned;
  }
  after_cut_ = settled_ ? crash->cut : after_cut_ || crash->cut;
  settled_ = false;
  oracle_.Forget(crash->promise);
  faults_.reset();
  files_ = std::move(crash->files);
  index_ = std::move(crash->index);
  images_.emplace_back(crash->how, files_->Cut(KeepPolicy::KeepEverything()));
  if (images_.size() > kKeptImages) images_.pop_front();
}

// ---- lives ----

Options Chain::ChooseOptions() {
  Options options;
  options.create_if_missing = true;
  options.segment_bytes = kMinSegmentBytes * (1 + Below(2));
  options.append_mode = OneIn(2) ? AppendMode::kMapped : AppendMode::kWrite;
  options.read_mode = OneIn(2) ? ReadMode::kMapped : ReadMode::kPread;
  options.background_threads = options_.background_threads;
  options.replay_bytes = 3000;
  options.file_system = faults_.get();
  options.reindex = true;
  const auto stored = DB::StoredKeystore(kPath, files_.get());
  const bool known = stored.ok();
  bool on_disk = known && *stored == kOnDiskName;
  switch (options_.keystores) {
    case ChainKeystores::kInMemory:
      break;
    case ChainKeystores::kOnDisk:
      on_disk = true;
      break;
    case ChainKeystores::kReindexed:
      if (OneIn(3)) on_disk = !on_disk;
      break;
  }
  if (on_disk) {
    options.keystore = index_->Keystore(kOnDiskName, /*reports_replaced=*/OneIn(2));
    options.keystore->buffer_bytes = 1024;
  } else {
    options.keystore = InMemory()[Below(InMemory().size())];
  }
  if (known && *stored != options.keystore->traits.name) ++report_.reindexed;
  return options;
}

void Chain::SetFaults() {
  if (!options_.faults || !OneIn(2)) return;
  FaultPlan plan;
  plan.call = 1 + Below(30);
  constexpr Fault kFaults[] = {Fault::kEio, Fault::kEnospc, Fault::kFull, Fault::kShort};
  plan.fault = kFaults[Below(std::size(kFaults))];
  plan.for_ever = OneIn(2);
  plan.matches = [](const Call& call) {
    return call.kind == CallKind::kWrite || call.kind == CallKind::kUnlink ||
           call.kind == CallKind::kOpen;
  };
  faults_->SetPlan(std::move(plan));
}

bool Chain::Open() {
  faults_ = std::make_unique<FaultFileSystem>(files_.get());
  const Options options = ChooseOptions();
  Log(absl::StrCat("opens ", options.keystore->traits.name, ", ",
                   options.append_mode == AppendMode::kMapped ? "mapped" : "pwrite"));
  auto db = DB::Open(kPath, options);
  if (crashed()) return false;
  if (!db.ok()) {
    Violate(absl::StrCat("open: ", db.status().ToString()));
    return false;
  }
  db_ = std::move(*db);
  return Settle();
}

bool Chain::Settle() {
  ChainOracle::State found;
  auto it = db_->NewIterator();
  absl::Status status = it.status();
  for (; status.ok() && (*it)->Valid(); (*it)->Next()) {
    const std::string key((*it)->key());
    ChainOracle::Entry entry;
    status = db_->Get(key, &entry.value, {}, &entry.version);
    if (status.ok() && entry.value != (*it)->value()) Violate("get and the walk differ at " + key);
    if (status.ok() && !found.emplace(key, entry).second) Violate("the walk comes twice to " + key);
  }
  if (status.ok()) status = (*it)->status();
  if (!status.ok()) Violate(absl::StrCat("read: ", status.ToString()));
  const uint64_t returned = oracle_.promise().returned;
  const std::string wrong = oracle_.Settle(found, settled_ ? returned : floor_);
  if (!wrong.empty()) Violate(wrong);
  const auto report = db_->Verify();
  if (!report.ok()) Violate(absl::StrCat("verify: ", report.status().ToString()));
  if (report.ok() && !report->clean()) Violate(DamageStatus(report->damages[0]).ToString());
  const uint64_t now = oracle_.promise().returned;
  if (!settled_ && after_cut_ && now < returned) ++report_.lossy_cuts;
  Log(absl::StrCat("found ", found.size(), " keys, through version ", now));
  settled_ = true;
  return report_.violation.empty();
}

std::string Chain::Key() { return absl::StrCat("key", Below(kKeys)); }

std::string Chain::Value() {
  std::string value = absl::StrCat("v", ++counter_, ".");
  const uint64_t kind = Below(40);
  const size_t size = kind == 0 ? 5000 + Below(4000) : kind < 4 ? 1000 + Below(2000) : Below(200);
  value.resize(std::max<size_t>(value.size(), size), static_cast<char>('a' + counter_ % 26));
  return value;
}

void Chain::Wrote(const absl::Status& status, const WriteResult& result, bool sync,
                  Operations operations) {
  if (!status.ok()) {
    ++report_.failed_writes;
    if (!options_.faults) Violate(absl::StrCat("write: ", status.ToString()));
    Log(absl::StrCat("write fails: ", status.ToString()));
    oracle_.Failed(std::move(operations));
    // Ends the fault. The oracle tries every combination of failed writes, so there must be few.
    if (oracle_.failed_writes() >= 3 || OneIn(2)) faults_->SetPlan(FaultPlan());
    return;
  }
  ++report_.writes;
  if (result.version != 0) {
    const std::string wrong = oracle_.Wrote(result.version, std::move(operations));
    if (!wrong.empty()) Violate(wrong);
  }
  if (!sync) return;
  oracle_.Vouch(Voucher::kSyncedWrite, oracle_.promise().returned);
  ++report_.vouched[Voucher::kSyncedWrite];
}

// A refused conditional write with sync vouches for what it observed: the last write to the key and
// all writes before it are durable.
void Chain::Refused(const std::string& key, const absl::Status& status) {
  if (!absl::IsAlreadyExists(status) && !absl::IsAborted(status)) return;
  oracle_.Vouch(Voucher::kRefusal, oracle_.LastVersionOf(key));
  ++report_.vouched[Voucher::kRefusal];
}

void Chain::Step() {
  ++step_;
  const uint64_t kind = Below(24);
  const bool sync = OneIn(6);
  const std::string key = Key();
  WriteResult result;
  if (kind < 13) {
    const std::string value = Value();
    Wrote(db_->Put(key, value, {sync}, &result), result, sync, {{key, value}});
  } else if (kind < 16) {
    const absl::Status status = db_->Delete(key, {sync}, &result);
    if (status.ok() || oracle_.Now().count(key) != 0) {
      Wrote(status, result, sync, {{key, std::nullopt}});
    }
  } else if (kind < 18) {
    const Operations operations = {{key, Value()}, {Key(), std::nullopt}, {Key(), Value()}};
    WriteBatch batch;
    for (const auto& [k, value] : operations) value ? batch.Put(k, *value) : batch.Delete(k);
    Wrote(db_->Write(batch, {sync}, &result), result, sync, operations);
  } else if (kind == 18) {
    if (!db_->Sync().ok()) return;
    oracle_.Vouch(Voucher::kSync, oracle_.promise().returned);
    ++report_.vouched[Voucher::kSync];
  } else if (kind == 19) {
    // PutIfAbsent is refused only if the key exists.
    if (oracle_.Now().count(key) == 0) return;
    Refused(key, db_->PutIfAbsent(key, "refused", {/*sync=*/true}));
  } else if (kind == 20) {
    Refused(key, db_->CompareAndPut(key, "refused", uint64_t{1} << 62, {/*sync=*/true}));
  } else if (kind == 21) {
    const auto state = oracle_.Now();
    const auto at = state.find(key);
    if (at == state.end() || at->second.version == 0) return;
    const std::string value = Value();
    Wrote(db_->CompareAndPut(key, value, at->second.version, {sync}, &result), result, sync,
          {{key, value}});
  } else {
    const uint64_t durable = db_->GetStats().durable_version;
    if (durable > oracle_.promise().vouched) ++report_.vouched[Voucher::kStats];
    oracle_.Vouch(Voucher::kStats, durable);
  }
}

void Chain::Close() {
  const absl::Status status = db_->Close();
  if (crashed()) return;
  Log(absl::StrCat("closes: ", status.ToString()));
  if (!status.ok() && !options_.faults) Violate(absl::StrCat("close: ", status.ToString()));
  if (status.ok()) {
    oracle_.Vouch(Voucher::kClose, oracle_.promise().returned);
    ++report_.vouched[Voucher::kClose];
    ++report_.closes;
  }
  db_.reset();
}

ChainReport Chain::Run() {
  while (report_.cuts + report_.kills < options_.crashes && report_.violation.empty()) {
    // Opening and the first write make some dozens of file operations, so many crashes hit them.
    PlanCrash(1 + Below(OneIn(3) ? 12 : 90));
    if (Open()) {
      SetFaults();
      // One life in six only opens and closes.
      for (uint64_t left = OneIn(6) ? 0 : Below(70);
           left > 0 && !crashed() && report_.violation.empty(); --left) {
        Step();
      }
      faults_->SetPlan(FaultPlan());
      if (!crashed() && OneIn(3)) Close();
      if (!crashed()) CrashNow("between two operations");
    }
    if (crashed()) Continue();
  }
  return report_;
}

}  // namespace rumcask
