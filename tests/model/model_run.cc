#include "tests/model/model_run.h"

#include <algorithm>
#include <iterator>
#include <optional>
#include <set>
#include <string_view>

#include "absl/strings/str_cat.h"

#include "core/check/verify.h"
#include "core/compaction/compaction.h"
#include "core/damage.h"
#include "core/stats.h"

namespace rumcask {
namespace {

constexpr char kPath[] = "/crash/db";
constexpr size_t kMaxHeld = 8;

// Few keys, so that operations hit the same ones often.
std::vector<std::string> MakeKeys(std::mt19937_64* random) {
  std::set<std::string> keys = {std::string(1, '\0'),   "\xff", "\xff\xff", "user", "user/",
                                std::string(20000, 'k')};
  for (int i = 0; i < 160; ++i) keys.insert(absl::StrCat("user/", i));
  for (int i = 0; i < 60; ++i) keys.insert(absl::StrCat("item/", i, std::string(i * 5, '.')));
  while (keys.size() < 300) {
    std::string key;
    for (uint64_t n = (*random)() % 5 + 1; n > 0; --n) {
      key.push_back(static_cast<char>((*random)()));
    }
    keys.insert(key);
  }
  return {keys.begin(), keys.end()};
}

}  // namespace

ModelRun::ModelRun(const ModelSetup& setup, uint64_t seed)
    : setup_(setup),
      random_(seed),
      keys_(MakeKeys(&random_)),
      disk_(std::make_unique<CrashFileSystem>()) {
  if (setup_.index_disk != nullptr) {
    setup_.index_disk = AdversarialDisk::Make();
    setup_.keystore =
        setup_.index_disk->Keystore(setup_.keystore.traits.name, setup_.index_reports_replaced);
  }
  // The smaller sizes keep keys moving through the buffers all the time.
  const uint64_t buffer_bytes = std::vector<uint64_t>{2000, 20000, 1 << 20}[Random(3)];
  setup_.keystore.buffer_bytes = buffer_bytes;
  size_t longest = setup_.keystore.traits.max_key_bytes;
  for (KeystoreFactory& other : setup_.exchangeable) {
    other.buffer_bytes = buffer_bytes;
    longest = std::min(longest, other.traits.max_key_bytes);
  }
  keys_.erase(std::remove_if(keys_.begin(), keys_.end(),
                             [&](const std::string& key) { return key.size() > longest; }),
              keys_.end());
  options_.reindex = true;
  options_.replay_bytes = std::vector<uint64_t>{3000, 30000, 1 << 28}[Random(3)];
  options_.create_if_missing = true;
  options_.append_mode = setup.append;
  options_.read_mode = setup.read;
  options_.segment_bytes = std::vector<uint64_t>{4096, 8192, 65536}[Random(3)];
  // As much as possible, but no snapshot is to be given up because of the space that it keeps.
  options_.compaction.trigger_dead_share = 0.3;
  options_.compaction.max_space_amplification = 100;
  options_.background_threads = static_cast<int>(Random(3));
}

ModelRun::~ModelRun() {
  walks_.clear();
  snapshots_.clear();
  db_.reset();
}

bool ModelRun::Check(bool good, const std::string& what) {
  if (!good && complaint_.empty()) complaint_ = what;
  return complaint_.empty();
}

bool ModelRun::CheckStatus(const absl::Status& status, absl::StatusCode expected,
                           const std::string& what) {
  return Check(status.code() == expected, absl::StrCat(what, ": ", status.ToString(), ", not ",
                                                       absl::StatusCodeToString(expected)));
}

void ModelRun::NoteVersion(uint64_t version, const std::string& what) {
  Check(version > last_version_,
        absl::StrCat(what, ": version ", version, " after version ", last_version_));
  last_version_ = version;
}

std::string ModelRun::AnyValue() {
  size_t size = Random(80);
  if (OneIn(50)) size = Random(3000);
  if (OneIn(2000)) size = Random(20000);
  std::string value(size, static_cast<char>('a' + Random(26)));
  if (size >= 8) value.replace(size / 2, 4, std::string("\0\n\xff\t", 4));
  return value;
}

WriteOptions ModelRun::AnyWriteOptions() {
  WriteOptions options;
  options.sync = OneIn(100);
  return options;
}

uint64_t ModelRun::VersionOf(const std::string& key) const {
  auto it = model_.find(key);
  return it == model_.end() ? 0 : it->second.version;
}

ModelRun::Copy ModelRun::Now() {
  if (copy_ == nullptr) copy_ = std::make_shared<const ModelMap>(model_);
  return copy_;
}

// ---- reading ----

void ModelRun::Get(const std::string& key) {
  auto it = model_.find(key);
  const absl::StatusCode expected =
      it == model_.end() ? absl::StatusCode::kNotFound : absl::StatusCode::kOk;
  const std::string what = "Get";
  const auto exists = db_->Exists(key);
  if (!CheckStatus(exists.status(), absl::StatusCode::kOk, "Exists")) return;
  Check(*exists == (it != model_.end()), absl::StrCat("Exists ", ShownKey(key)));
  uint64_t version = 0;
  if (OneIn(4)) {
    PinnedValue value;
    if (!CheckStatus(db_->Get(key, &value), expected, what)) return;
    if (it == model_.end()) return;
    Check(value.value() == it->second.value, absl::StrCat(what, " pinned ", ShownKey(key)));
    version = value.version();
  } else {
    std::string value = "before";
    const absl::Status status = db_->Get(key, &value, {}, &version);
    if (!CheckStatus(status, expected, what)) return;
    if (it == model_.end()) {
      Check(status.message().empty(), "NotFound has a message");
      return;
    }
    Check(value == it->second.value, absl::StrCat(what, " ", ShownKey(key)));
  }
  Check(version == it->second.version, absl::StrCat(what, " ", ShownKey(key), ": version ", version,
                                                    ", not ", it->second.version));
}

void ModelRun::MultiGet() {
  std::vector<std::string_view> keys;
  for (uint64_t n = Random(50); n > 0; --n) keys.emplace_back(AnyKey());
  ReadOptions options;
  const ModelMap* map = &model_;
  if (!snapshots_.empty() && OneIn(2)) {
    const HeldSnapshot& held = snapshots_[Random(snapshots_.size())];
    options.snapshot = held.snapshot.get();
    map = held.map.get();
  }
  std::vector<std::string> values;
  std::vector<absl::Status> statuses;
  db_->MultiGet(keys, &values, &statuses, options);
  if (!Check(values.size() == keys.size() && statuses.size() == keys.size(), "MultiGet: sizes")) {
    return;
  }
  for (size_t i = 0; i < keys.size(); ++i) {
    auto it = map->find(std::string(keys[i]));
    if (it == map->end()) {
      CheckStatus(statuses[i], absl::StatusCode::kNotFound, "MultiGet");
    } else if (CheckStatus(statuses[i], absl::StatusCode::kOk, "MultiGet")) {
      Check(values[i] == it->second.value, "MultiGet: another value");
    }
  }
}

void ModelRun::Take() {
  if (snapshots_.size() == kMaxHeld) {
    snapshots_.erase(snapshots_.begin() + static_cast<ptrdiff_t>(Random(kMaxHeld)));
  }
  auto snapshot = db_->TakeSnapshot();
  if (!CheckStatus(snapshot.status(), absl::StatusCode::kOk, "TakeSnapshot")) return;
  const uint64_t version = (*snapshot)->version();
  Check(version >= last_version_, "TakeSnapshot: version");
  snapshots_.push_back({*std::move(snapshot), Now()});
}

void ModelRun::ReadAtSnapshot() {
  if (snapshots_.empty()) return Take();
  const HeldSnapshot& held = snapshots_[Random(snapshots_.size())];
  ReadOptions options;
  options.snapshot = held.snapshot.get();
  for (int n = 0; n < 20; ++n) {
    const std::string& key = AnyKey();
    auto it = held.map->find(key);
    std::string value;
    uint64_t version = 0;
    const absl::Status status = db_->Get(key, &value, options, &version);
    const std::string what = absl::StrCat(ShownKey(key), " at snapshot ", held.snapshot->version());
    if (it == held.map->end()) {
      CheckStatus(status, absl::StatusCode::kNotFound, what);
    } else if (CheckStatus(status, absl::StatusCode::kOk, what)) {
      Check(value == it->second.value, absl::StrCat(what, ": another value"));
      Check(version == it->second.version, absl::StrCat(what, ": another version"));
    }
  }
}

IteratorOptions ModelRun::AnyRange(Copy* map) {
  IteratorOptions options;
  *map = Now();
  if (!snapshots_.empty() && OneIn(2)) {
    const HeldSnapshot& held = snapshots_[Random(snapshots_.size())];
    options.snapshot = held.snapshot;
    *map = held.map;
  }
  const auto bound = [this] {
    std::string key = AnyKey().substr(0, 30);
    if (OneIn(3)) key.push_back('\0');
    if (OneIn(3)) key.resize(Random(key.size() + 1));
    return key;
  };
  if (OneIn(2)) options.lower = bound();
  if (OneIn(2)) options.upper = bound();
  if (OneIn(3)) options.prefix = OneIn(2) ? "user/1" : bound().substr(0, 2);
  return options;
}

void ModelRun::Count() {
  Copy map;
  IteratorOptions options = AnyRange(&map);
  // Without order there is only the whole.
  if (!ordered_) {
    const bool whole = options.lower.empty() && options.upper.empty() && options.prefix.empty();
    CheckStatus(db_->CountRange(options).status(),
                whole ? absl::StatusCode::kOk : absl::StatusCode::kUnimplemented, "CountRange");
    options.lower = options.upper = options.prefix = "";
  }
  const uint64_t at_most = OneIn(2) ? UINT64_MAX : Random(2 * map->size() + 2);
  const auto count = db_->CountRange(options, at_most);
  if (!CheckStatus(count.status(), absl::StatusCode::kOk, "CountRange")) return;
  const uint64_t expected = std::min<uint64_t>(InRange(*map, options).size(), at_most);
  Check(*count == expected, absl::StrCat("CountRange: ", *count, ", not ", expected));
}

void ModelRun::NewWalk() {
  Copy map;
  IteratorOptions options = AnyRange(&map);
  options.keys_only = OneIn(4);
  options.ordered = ordered_ && OneIn(2);
  auto it = db_->NewIterator(options);
  if (!CheckStatus(it.status(), absl::StatusCode::kOk, "NewIterator")) return;
  walks_.push_back(std::make_unique<ModelWalk>(*std::move(it), InRange(*map, options), ordered_,
                                               options.keys_only));
}

void ModelRun::MoveWalk() {
  if (walks_.empty()) return NewWalk();
  std::swap(walks_[Random(walks_.size())], walks_.back());
  ModelWalk& walk = *walks_.back();
  std::string difference;
  for (uint64_t n = Random(20); n > 0 && difference.empty(); --n) {
    difference = walk.Move(keys_, &random_);
  }
  const bool finish = OneIn(8);
  if (finish && difference.empty()) difference = walk.Finish();
  Check(difference.empty(), absl::StrCat("iterator ", difference));
  if (finish || walks_.size() > kMaxHeld) walks_.pop_back();
}

// ---- compaction ----

void ModelRun::Compact() {
  // What ended snapshots have left is forgotten little by little.
  const bool keeps = !snapshots_.empty() || !walks_.empty() || db_->GetStats().undo_bytes > 0;
  CompactionReport report;
  const absl::Status status = OneIn(2)
                                  ? db_->CompactAll(&report)
                                  : db_->CompactSome(Random(4 * options_.segment_bytes), &report);
  if (!CheckStatus(status, absl::StatusCode::kOk, "compaction")) return;
  retired_segments_ += report.retired_segments;
  Check(keeps || report.waiting_segments == 0, "emptied segments wait for nobody");
  if (OneIn(4)) CompareAll();
}

// ---- opening ----

void ModelRun::Open() {
  own_keystore_ = setup_.exchangeable.empty() || !OneIn(4);
  const KeystoreFactory& keystore =
      own_keystore_ ? setup_.keystore : setup_.exchangeable[Random(setup_.exchangeable.size())];
  if (options_.keystore.has_value() && options_.keystore->traits.name != keystore.traits.name) {
    ++exchanges_;
  }
  options_.keystore = keystore;
  options_.file_system = disk_.get();
  ordered_ = keystore.traits.ordered;
  auto db = DB::Open(kPath, options_);
  if (!CheckStatus(db.status(), absl::StatusCode::kOk, "Open")) return;
  db_ = *std::move(db);
  const Stats stats = db_->GetStats();
  Check(stats.recovery.dropped_bytes == 0, "Open: something was dropped");
  Check(stats.last_version >= last_version_, "Open: numbers went back");
}

void ModelRun::Reopen() {
  ++reopens_;
  std::vector<HeldSnapshot> held;
  std::vector<std::unique_ptr<ModelWalk>> walks;
  if (OneIn(2)) held.swap(snapshots_);
  // An on-disk index is closed with its database, which ends its iterators.
  if (OneIn(2) && !persistent()) walks.swap(walks_);
  snapshots_.clear();
  walks_.clear();
  if (OneIn(2)) {
    ++kills_;
    // Copies the files that a dead process would leave. The old database keeps its own files.
    auto disk = std::make_unique<CrashFileSystem>(disk_->Cut(KeepPolicy::KeepEverything()));
    // The index is copied last, so it may be ahead of the log, which opening must detect.
    if (setup_.index_disk != nullptr) {
      const IndexFate fate = kAllFates[Random(std::size(kAllFates))];
      setup_.index_disk = setup_.index_disk->Cut(fate, random_());
    }
    db_.reset();
    disk_ = std::move(disk);
    if (setup_.index_disk != nullptr) {
      const uint64_t buffer_bytes = setup_.keystore.buffer_bytes;
      setup_.keystore =
          setup_.index_disk->Keystore(setup_.keystore.traits.name, setup_.index_reports_replaced);
      setup_.keystore.buffer_bytes = buffer_bytes;
    }
  } else {
    CheckStatus(db_->Close(), absl::StatusCode::kOk, "Close");
    if (OneIn(2)) {
      CheckStatus(db_->Get(AnyKey()).status(), absl::StatusCode::kFailedPrecondition,
                  "Get of a closed database");
      CheckStatus(db_->TakeSnapshot().status(), absl::StatusCode::kFailedPrecondition,
                  "TakeSnapshot of a closed database");
    }
    db_.reset();
  }
  Open();
  if (!complaint_.empty()) return;
  // Iterators remain usable after their database is closed. Snapshots cannot be used with the next
  // one.
  for (const std::unique_ptr<ModelWalk>& walk : walks) {
    const std::string difference = walk->Finish();
    Check(difference.empty(), absl::StrCat("iterator past Close ", difference));
  }
  for (const HeldSnapshot& one : held) {
    ReadOptions options;
    options.snapshot = one.snapshot.get();
    CheckStatus(db_->Get(AnyKey(), options).status(), absl::StatusCode::kInvalidArgument,
                "Get at a snapshot of an earlier opening");
  }
  CompareAll();
}

void ModelRun::CompareAll() {
  ++comparisons_;
  for (const std::string& key : keys_) Get(key);
  IteratorOptions options;
  auto it = db_->NewIterator(options);
  if (!CheckStatus(it.status(), absl::StatusCode::kOk, "NewIterator")) return;
  ModelWalk walk(*std::move(it), model_, ordered_, /*keys_only=*/false);
  const std::string difference = walk.Finish();
  Check(difference.empty(), absl::StrCat("walk ", difference));
  uint64_t live_bytes = 0;
  for (const auto& [key, value] : model_) {
    live_bytes += (24 + key.size() + value.value.size() + 7) / 8 * 8;
  }
  // While a record is moved it may be counted twice, or not at all.
  const bool paused = db_->PauseCompaction().ok();
  const Stats stats = db_->GetStats();
  if (paused) (void)db_->ResumeCompaction();
  // Records that a buffer replaces count as dead only once the buffer has reached the on-disk
  // index.
  const bool exact =
      stats.live_bytes_exact && (!persistent() || stats.index_version >= last_version_);
  Check(exact ? stats.live_bytes == live_bytes : stats.live_bytes >= live_bytes,
        absl::StrCat("live bytes: ", stats.live_bytes, ", not ", live_bytes));
  auto report = db_->Verify();
  if (!CheckStatus(report.status(), absl::StatusCode::kOk, "Verify")) return;
  if (!report->clean()) Check(false, DamageStatus(report->damages[0]).ToString());
  Check(report->keys == model_.size(), "Verify: keys");
}

// ---- the run ----

void ModelRun::Step() {
  const uint64_t kind = Random(1000);
  if (kind < 200) {
    Put();
  } else if (kind < 300) {
    Delete();
  } else if (kind < 350) {
    Batch();
  } else if (kind < 410) {
    PutIfAbsent();
  } else if (kind < 480) {
    CompareAndPut();
  } else if (kind < 530) {
    CompareAndDelete();
  } else if (kind < 535) {
    Refused();
  } else if (kind < 537) {
    CheckStatus(db_->Sync(), absl::StatusCode::kOk, "Sync");
  } else if (kind < 770) {
    Get(AnyKey());
  } else if (kind < 820) {
    MultiGet();
  } else if (kind < 825) {
    Count();
  } else if (kind < 845) {
    Take();
  } else if (kind < 870) {
    if (!snapshots_.empty()) {
      snapshots_.erase(snapshots_.begin() + static_cast<ptrdiff_t>(Random(snapshots_.size())));
    }
  } else if (kind < 920) {
    ReadAtSnapshot();
  } else if (kind < 935) {
    NewWalk();
  } else if (kind < 997) {
    MoveWalk();
  } else if (kind < 998) {
    Compact();
  } else {
    Reopen();
  }
  if (kind < 530) copy_.reset();
  Check(db_ == nullptr || persistent() || db_->KeyCount() == model_.size(), "KeyCount");
}

std::string ModelRun::Run(int operations) {
  Open();
  int step = 0;
  for (; step < operations && complaint_.empty(); ++step) {
    if (own_keystore_) ++operations_;
    Step();
    if (step % 1000 == 999 && complaint_.empty()) CompareAll();
  }
  if (complaint_.empty()) Reopen();
  if (complaint_.empty()) return "";
  return absl::StrCat("step ", step, ", keystore ", options_.keystore->traits.name, ": ",
                      complaint_);
}

}  // namespace rumcask
