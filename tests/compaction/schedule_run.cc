#include "tests/compaction/schedule_run.h"

#include <iterator>
#include <utility>

#include "absl/strings/str_cat.h"

#include "core/check/verify.h"
#include "core/compaction/compaction.h"
#include "core/compaction/compactor.h"
#include "core/damage.h"
#include "core/format/format.h"
#include "core/format/limits.h"
#include "core/stats.h"
#include "core/store.h"

namespace rumcask {

struct DbTestPeer {
  static Compactor* CompactorOf(DB* db) { return db->store_->compactor_.get(); }
};

namespace {

constexpr char kPath[] = "/crash/db";
constexpr int kRounds = 3;
constexpr size_t kMostCuts = 3;

}  // namespace

ScheduleRun::ScheduleRun(const ScheduleKeystore& keystore, uint64_t seed)
    : keystore_(keystore),
      random_(seed),
      buffer_bytes_(OneIn(2) ? 700 : 20000),
      files_(std::make_unique<CrashFileSystem>()) {
  if (keystore_.on_disk) index_ = AdversarialDisk::Make();
}

ScheduleRun::~ScheduleRun() {
  iterators_.clear();
  snapshots_.clear();
  values_.clear();
  db_.reset();
}

void ScheduleRun::Complain(const std::string& what) {
  if (complaint_.empty() && !what.empty()) {
    complaint_ = step_.empty() ? what : absl::StrCat("at step ", step_, ": ", what);
  }
}

void ScheduleRun::CheckOk(const absl::Status& status, const char* what) {
  if (!status.ok()) Complain(absl::StrCat(what, ": ", status.ToString()));
}

std::string ScheduleRun::AnyKey() { return absl::StrCat("key", Random(13)); }

std::string ScheduleRun::Open(CrashFileSystem* files, AdversarialDisk* index,
                              std::unique_ptr<DB>* db) const {
  Options options;
  options.keystore = keystore_.in_memory;
  if (keystore_.on_disk) {
    options.keystore = index->Keystore("adversarial", keystore_.reports_replaced);
    options.keystore->buffer_bytes = buffer_bytes_;
    options.replay_bytes = 3000;
  }
  options.create_if_missing = true;
  options.segment_bytes = kMinSegmentBytes;
  options.background_threads = 0;
  options.file_system = files;
  auto opened = DB::Open(kPath, options);
  if (!opened.ok()) return absl::StrCat("open: ", opened.status().ToString());
  *db = *std::move(opened);
  return "";
}

// ---- what users do ----

void ScheduleRun::WriteSome() {
  const auto value = [this] {
    return absl::StrCat("v", ++written_, std::string(Random(OneIn(8) ? 1500 : 250), 'x'));
  };
  const bool sync = OneIn(8);
  const uint64_t kind = Random(10);
  if (kind < 3) {
    CheckOk(oracle_.Delete(AnyKey(), sync), "delete");
  } else if (kind < 4) {
    CheckOk(
        oracle_.Write({{AnyKey(), value()}, {AnyKey(), std::nullopt}, {AnyKey(), value()}}, sync),
        "batch");
  } else {
    CheckOk(oracle_.Put(AnyKey(), value(), sync), "put");
  }
}

// A condition that holds is decided by what is there, not by what was there.
void ScheduleRun::WriteConditionally() {
  const std::string key = AnyKey();
  std::string value;
  uint64_t version = 0;
  const absl::Status found = db_->Get(key, &value, {}, &version);
  if (!found.ok() && !absl::IsNotFound(found)) return CheckOk(found, "get");
  const absl::Status refused = db_->CompareAndPut(key, "no", version + 1);
  if (!absl::IsAborted(refused)) Complain(absl::StrCat("compare: ", refused.ToString()));
  WriteBatch batch;
  batch.Require(key, version);
  batch.Require(key, version + 1);
  batch.Put(key, "no");
  const absl::Status batch_refused = db_->Write(batch);
  if (!absl::IsAborted(batch_refused)) Complain(absl::StrCat("batch: ", batch_refused.ToString()));
  if (found.ok()) {
    const absl::Status exists = db_->PutIfAbsent(key, "no");
    if (!absl::IsAlreadyExists(exists)) Complain(absl::StrCat("absent: ", exists.ToString()));
  }
}

void ScheduleRun::Read() {
  const State now = oracle_.StateAt(oracle_.last_version());
  const std::string key = AnyKey();
  std::string value;
  const absl::Status status = db_->Get(key, &value);
  const auto expected = now.find(key);
  if (expected == now.end()) {
    if (!absl::IsNotFound(status)) Complain(absl::StrCat("get ", key, ": ", status.ToString()));
  } else if (!status.ok()) {
    Complain(absl::StrCat("get ", key, ": ", status.ToString()));
  } else if (value != expected->second) {
    Complain(absl::StrCat("get ", key, ": ", value.substr(0, 6), " instead of ",
                          expected->second.substr(0, 6)));
  }
}

void ScheduleRun::Hold() {
  const State now = oracle_.StateAt(oracle_.last_version());
  switch (Random(3)) {
    case 0: {
      auto snapshot = db_->TakeSnapshot();
      CheckOk(snapshot.status(), "snapshot");
      if (snapshot.ok()) snapshots_.push_back({*std::move(snapshot), now});
      return;
    }
    case 1: {
      IteratorOptions options;
      State left = now;
      if (!snapshots_.empty() && OneIn(2)) {
        options.snapshot = snapshots_.back().snapshot;
        left = snapshots_.back().state;
      }
      auto iterator = db_->NewIterator(options);
      CheckOk(iterator.status(), "iterator");
      if (iterator.ok()) iterators_.push_back({*std::move(iterator), std::move(left)});
      return;
    }
    default: {
      HeldValue held;
      const std::string key = AnyKey();
      const absl::Status status = db_->Get(key, &held.value);
      if (!status.ok()) return;
      held.expected = std::string(held.value.value());
      values_.push_back(std::move(held));
    }
  }
}

void ScheduleRun::LookAtHeld() {
  for (const HeldValue& held : values_) {
    if (held.value.value() != held.expected) Complain("a pinned value has changed");
  }
  for (const HeldSnapshot& held : snapshots_) {
    const std::string key = AnyKey();
    ReadOptions options;
    options.snapshot = held.snapshot.get();
    std::string value;
    const absl::Status status = db_->Get(key, &value, options);
    const auto expected = held.state.find(key);
    const bool right = expected == held.state.end() ? absl::IsNotFound(status)
                                                    : status.ok() && value == expected->second;
    if (!right) Complain(absl::StrCat("get ", key, " at a snapshot: ", status.ToString()));
  }
  for (HeldIterator& held : iterators_) {
    Iterator& it = *held.iterator;
    if (!it.Valid()) {
      CheckOk(it.status(), "iterator");
      if (!held.left.empty()) Complain("an iterator has left keys out");
      continue;
    }
    const auto expected = held.left.find(std::string(it.key()));
    if (expected == held.left.end()) {
      Complain("an iterator has an unknown key, or one twice");
    } else if (expected->second != it.value()) {
      Complain("an iterator has another value");
    } else if (OneIn(2)) {
      held.left.erase(expected);
      it.Next();
    }
  }
}

void ScheduleRun::LetGo() {
  if (!snapshots_.empty() && OneIn(2)) snapshots_.erase(snapshots_.begin());
  if (!iterators_.empty() && OneIn(2)) iterators_.erase(iterators_.begin());
  if (!values_.empty() && OneIn(2)) values_.erase(values_.begin());
}

void ScheduleRun::Act() {
  steps_.insert(step_);
  switch (Random(10)) {
    case 0:
    case 1:
    case 2:
    case 3:
      return WriteSome();
    case 4:
      return Read();
    case 5:
      return WriteConditionally();
    case 6:
      return Hold();
    case 7:
      return LookAtHeld();
    case 8:
      return LetGo();
    default:
      return TakeCut(step_);
  }
}

// ---- the run ----

void ScheduleRun::Fill() {
  for (uint64_t n = 20 + Random(60); n > 0; --n) WriteSome();
  if (OneIn(3)) CheckOk(oracle_.Sync(), "sync");
}

void ScheduleRun::Compact() {
  ++schedules_;
  // A few steps of a job get company.
  DbTestPeer::CompactorOf(db_.get())->SetStepHook([this](std::string_view step) {
    step_ = std::string(step);
    if (!complaint_.empty() || OneIn(2)) return;
    for (uint64_t n = 1 + Random(3); n > 0; --n) Act();
  });
  CompactionReport report;
  const absl::Status status =
      OneIn(3) ? db_->CompactSome(5000 + Random(10000), &report) : db_->CompactAll(&report);
  step_.clear();
  CheckOk(status, "compaction");
  retired_ += report.retired_segments;
  waiting_ += report.waiting_segments;
}

void ScheduleRun::TakeCut(const std::string& where) {
  if (cuts_.size() >= kMostCuts) return;
  Cut cut;
  cut.promise = oracle_.promise();
  cut.where = where;
  cut.killed = OneIn(2);
  // The index is copied first, so that it is never newer than the log.
  if (index_ != nullptr) {
    cut.index = index_->Cut(kAllFates[Random(std::size(kAllFates))], random_());
  }
  KeepPolicy policy = KeepPolicy::Random(random_());
  if (cut.killed) policy = KeepPolicy::KeepEverything();
  if (!cut.killed && OneIn(3)) policy = KeepPolicy::DropUnsynced();
  cut.files = std::make_unique<CrashFileSystem>(files_->Cut(policy));
  cuts_.push_back(std::move(cut));
}

void ScheduleRun::CheckAll() {
  State found;
  CheckOk(ReadAll(db_.get(), &found), "read");
  const State now = oracle_.StateAt(oracle_.last_version());
  if (complaint_.empty() && found != now) Complain(Difference(found, now));
  const auto verified = db_->Verify();
  CheckOk(verified.status(), "verify");
  if (verified.ok() && !verified->clean()) {
    Complain(absl::StrCat("verify: ", DamageStatus(verified->damages[0]).ToString()));
  }
  // What the database says it has is what is there.
  const Stats stats = db_->GetStats();
  uint64_t live_bytes = 0;
  for (const auto& [key, value] : now) live_bytes += RecordBytes(key.size(), value.size());
  // An index on disk tells of what was replaced once it has got the change.
  const bool exact = stats.live_bytes_exact &&
                     (!keystore_.on_disk || stats.index_version >= oracle_.last_version());
  if (exact ? stats.live_bytes != live_bytes : stats.live_bytes < live_bytes) {
    Complain(absl::StrCat("live bytes: ", stats.live_bytes, ", not ", live_bytes));
  }
  size_t files = 0;
  for (const auto& [name, bytes] : files_->Contents(kPath)) {
    if (name.size() > 4 && name.substr(name.size() - 4) == ".seg") ++files;
  }
  // One may be prepared.
  if (files < stats.segments.size() || files > stats.segments.size() + 1) {
    Complain(absl::StrCat(files, " files, but ", stats.segments.size(), " segments"));
  }
}

void ScheduleRun::Reopen() {
  iterators_.clear();
  snapshots_.clear();
  CheckOk(oracle_.Close(), "close");
  db_.reset();
  Complain(Open(files_.get(), index_.get(), &db_));
  if (db_ == nullptr) return;
  oracle_.SetDb(db_.get());
  Complain(db_->GetStats().index_rebuilt);
}

void ScheduleRun::Judge(Cut* cut) {
  ++crashes_;
  const std::string when =
      absl::StrCat(cut->killed ? "after a kill at " : "after a power cut at ", cut->where, ": ");
  std::unique_ptr<DB> db;
  std::string why = Open(cut->files.get(), cut->index.get(), &db);
  if (!why.empty()) return Complain(when + why);
  State found;
  Versions versions;
  absl::Status status = ReadAll(db.get(), &found);
  if (status.ok()) status = ReadVersions(db.get(), found, &versions);
  if (!status.ok()) return Complain(absl::StrCat(when, "read: ", status.ToString()));
  uint64_t prefix = 0;
  const uint64_t floor = cut->killed ? cut->promise.returned : cut->promise.synced;
  if (!oracle_.Explains(found, versions, floor, &prefix, &why)) return Complain(when + why);
  // It goes on, compacts, and is opened again.
  status = db->Put("key0", "after the crash", {/*sync=*/true});
  found["key0"] = "after the crash";
  if (status.ok()) status = db->CompactAll();
  if (status.ok()) status = db->Close();
  if (!status.ok()) return Complain(absl::StrCat(when, "going on: ", status.ToString()));
  db.reset();
  why = Open(cut->files.get(), cut->index.get(), &db);
  if (!why.empty()) return Complain(absl::StrCat(when, "again, ", why));
  State again;
  status = ReadAll(db.get(), &again);
  if (!status.ok()) return Complain(absl::StrCat(when, "read again: ", status.ToString()));
  if (again != found) return Complain(absl::StrCat(when, "again, ", Difference(again, found)));
  const auto verified = db->Verify();
  if (!verified.ok() || !verified->clean()) Complain(absl::StrCat(when, "verify finds damage"));
}

std::string ScheduleRun::Run() {
  Complain(Open(files_.get(), index_.get(), &db_));
  if (db_ == nullptr) return complaint_;
  oracle_.SetDb(db_.get());
  for (int round = 0; round < kRounds && complaint_.empty(); ++round) {
    Fill();
    Compact();
    if (complaint_.empty()) CheckAll();
    if (complaint_.empty()) LookAtHeld();
    if (complaint_.empty() && OneIn(4)) Reopen();
  }
  for (Cut& cut : cuts_) {
    if (complaint_.empty()) Judge(&cut);
  }
  return complaint_;
}

}  // namespace rumcask
