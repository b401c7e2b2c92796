#include "tests/crash/crash_enumeration.h"

#include <atomic>
#include <iterator>
#include <thread>
#include <utility>

#include "absl/strings/str_cat.h"

#include "core/map_keystore.h"

namespace rumcask {
namespace {

// Small buffers, so that every workload fills several.
constexpr uint64_t kBufferBytes = 1024;
constexpr uint64_t kReplayBytes = 3000;

Options MakeOptions(CrashModes modes, FileSystem* file_system, AdversarialDisk* index) {
  Options options;
  options.keystore = TestKeystore();
  if (modes.index != CrashIndex::kMemory) {
    options.keystore = index->Keystore("adversarial", modes.index == CrashIndex::kLooking);
    options.keystore->buffer_bytes = kBufferBytes;
    options.replay_bytes = kReplayBytes;
  }
  options.create_if_missing = true;
  options.segment_bytes = kMinSegmentBytes;
  options.append_mode = modes.append;
  options.read_mode = modes.read;
  options.background_threads = 0;
  options.file_system = file_system;
  return options;
}

// What a crash leaves.
struct Remains {
  CrashImage files;
  std::shared_ptr<AdversarialDisk> index;
};

// Judges one image after the other.
class Judge {
 public:
  Judge(CrashModes modes, const CrashOracle& oracle, CrashReport* report)
      : modes_(modes), oracle_(oracle), report_(report) {}

  void Check(const CrashRun::Cut& cut) {
    ++report_->images;
    const std::string why = Inspect(cut);
    if (why.empty()) return;
    if (report_->violations++ == 0) {
      report_->first_violation = absl::StrCat(modes_.ToString(), ", operation ", cut.operation,
                                              " (", cut.what, "), ", cut.policy, ": ", why);
    }
  }

 private:
  // Opens what is in `file_system` and reads it. Says what is wrong, or nothing.
  std::string OpenAndRead(const Options& options, uint64_t floor, std::unique_ptr<DB>* db,
                          State* found, uint64_t* cut) {
    auto opened = DB::Open(kCrashPath, options);
    if (!opened.ok()) return absl::StrCat("open: ", opened.status().ToString());
    *db = std::move(*opened);
    const absl::Status status = ReadAll(db->get(), found);
    if (!status.ok()) return absl::StrCat("read: ", status.ToString());
    std::string why;
    return oracle_.Explains(*found, floor, cut, &why) ? "" : why;
  }

  // A database that was to be reindexed may still have its old keystore. Then either goes on.
  static void ChooseKeystore(uint64_t number, Options* options) {
    auto stored = DB::StoredKeystore(kCrashPath, options->file_system);
    if (!stored.ok() || *stored == options->keystore->traits.name) return;
    options->reindex = true;
    if (number % 2 == 0) options->keystore = TestKeystore();
  }

  // Closes and counts, by the log, what lives in each segment: an index that keeps account of it
  // must say the same.
  static std::string CheckLiveBytes(std::unique_ptr<DB> db, const Options& options) {
    if (!db->GetStats().live_bytes_exact) return "";
    const absl::Status closed = db->Close();
    if (!closed.ok()) return absl::StrCat("close: ", closed.ToString());
    auto again = DB::Open(kCrashPath, options);
    if (!again.ok()) return absl::StrCat("open after close: ", again.status().ToString());
    const Stats told = (*again)->GetStats();
    again->reset();
    Options by_log = options;
    by_log.keystore = TestKeystore();
    auto counted = DB::OpenReadOnly(kCrashPath, by_log);
    if (!counted.ok()) return absl::StrCat("read-only open: ", counted.status().ToString());
    const Stats stats = (*counted)->GetStats();
    if (told.keys != stats.keys) {
      return absl::StrCat("the index has ", told.keys, " keys, the log ", stats.keys);
    }
    for (const SegmentStats& segment : stats.segments) {
      for (const SegmentStats& other : told.segments) {
        if (other.id == segment.id && other.live_bytes != segment.live_bytes) {
          return absl::StrCat("live bytes of segment ", segment.id, ": ", other.live_bytes,
                              ", by the log ", segment.live_bytes);
        }
      }
    }
    return "";
  }

  static std::string VerifyAll(DB* db) {
    auto verified = db->Verify();
    if (!verified.ok()) return absl::StrCat("verify: ", verified.status().ToString());
    return verified->clean()
               ? ""
               : absl::StrCat("verify: ", DamageStatus(verified->damages[0]).ToString());
  }

  std::string Inspect(const CrashRun::Cut& cut) {
    const uint64_t floor = cut.killed ? cut.promise.returned : cut.promise.synced;
    CrashFileSystem file_system(cut.image);
    const std::shared_ptr<AdversarialDisk> index = cut.index;
    Options options = MakeOptions(modes_, &file_system, index.get());
    ChooseKeystore(cut.operation, &options);
    std::unique_ptr<DB> db;
    State found;
    uint64_t prefix = 0;
    std::string why = OpenAndRead(options, floor, &db, &found, &prefix);
    if (why.empty()) why = VerifyAll(db.get());
    if (!why.empty()) return why;

    // The first write commits the recovery; a crash may come anywhere in it.
    std::vector<Remains> second;
    uint64_t fate = cut.operation;
    const auto remains = [&](const KeepPolicy& policy) {
      // In this order, so that the index is never of a later time.
      std::shared_ptr<AdversarialDisk> part;
      ++fate;
      if (index != nullptr) part = index->Cut(kAllFates[fate % std::size(kAllFates)], fate);
      return Remains{file_system.Cut(policy), part};
    };
    if (cut.deepens) {
      file_system.SetObserver([&](uint64_t, const char*, const std::string&, bool after) {
        if (!after) return;
        second.push_back(remains(KeepPolicy::DropUnsynced()));
        second.push_back(remains(KeepPolicy::KeepEverything()));
        second.push_back(remains(KeepPolicy::Random(second.size())));
      });
    }
    const absl::Status put = db->Put("written after", "the crash", {/*sync=*/true});
    file_system.SetObserver(nullptr);
    if (!put.ok()) return absl::StrCat("put after recovery: ", put.ToString());
    State extended = found;
    extended["written after"] = "the crash";
    // A power cut now must keep it, and must not bring back what the first one took.
    for (const KeepPolicy& policy : {KeepPolicy::DropUnsynced(), KeepPolicy::KeepEverything(),
                                     KeepPolicy::Random(cut.operation)}) {
      why = Expect(remains(policy), {extended}, "after the synced put");
      if (!why.empty()) return why;
    }
    if (index != nullptr) why = CheckLiveBytes(std::move(db), options);
    if (!why.empty()) return why;
    db.reset();
    for (const Remains& image : second) {
      ++report_->second_images;
      why = Expect(image, {found, extended}, "after a crash in recovery");
      if (!why.empty()) return why;
    }
    return "";
  }

  // Opens an image, which must hold one of the states.
  std::string Expect(const Remains& image, const std::vector<State>& states, const char* when) {
    CrashFileSystem file_system(image.files);
    Options options = MakeOptions(modes_, &file_system, image.index.get());
    ChooseKeystore(report_->second_images, &options);
    auto db = DB::Open(kCrashPath, options);
    if (!db.ok()) return absl::StrCat("open ", when, ": ", db.status().ToString());
    State found;
    const absl::Status status = ReadAll(db->get(), &found);
    if (!status.ok()) return absl::StrCat("read ", when, ": ", status.ToString());
    for (const State& state : states) {
      if (found == state) return VerifyAll(db->get());
    }
    return absl::StrCat("unexpected contents ", when, ": ", found.size(), " keys, not ",
                        states.back().size());
  }

  const CrashModes modes_;
  const CrashOracle& oracle_;
  CrashReport* const report_;
};

}  // namespace

std::string CrashModes::ToString() const {
  constexpr const char* kIndexes[] = {"", ", looking index", ", blind index"};
  return absl::StrCat(append == AppendMode::kMapped ? "mapped" : "pwrite", " append, ",
                      read == ReadMode::kMapped ? "mapped" : "pread", " read",
                      kIndexes[static_cast<int>(index)]);
}

CrashRun::CrashRun(CrashModes modes, int random_images)
    : modes_(modes),
      random_images_(random_images),
      crash_(std::make_unique<CrashFileSystem>()),
      fault_(std::make_unique<FaultFileSystem>(crash_.get())) {
  if (modes.index != CrashIndex::kMemory) UseIndex(AdversarialDisk::Make());
  options_ = MakeOptions(modes_, fault_.get(), index_.get());
  crash_->SetObserver([this](uint64_t operation, const char* what, const std::string& name,
                             bool after) { Observe(operation, what, name, after); });
}

CrashRun::~CrashRun() {
  if (index_ != nullptr) index_->SetObserver(nullptr);
}

void CrashRun::UseIndex(std::shared_ptr<AdversarialDisk> index) {
  index_ = std::move(index);
  index_->SetObserver([this](const char* what) {
    if (std::string_view(what) == "get" || std::string_view(what) == "got") return;
    Observe(crash_->operation_count(), what, "the index", /*after=*/true);
  });
}

std::shared_ptr<AdversarialDisk> CrashRun::CutIndex(std::string* policy) {
  if (index_ == nullptr) return nullptr;
  const uint64_t number = index_cuts_.fetch_add(1);
  const IndexFate fate = kAllFates[number % std::size(kAllFates)];
  absl::StrAppend(policy, ", index ", IndexFateName(fate));
  return index_->Cut(fate, number);
}

void CrashRun::Observe(uint64_t operation, const char* what, const std::string& name, bool after) {
  if (!after) {
    if (on_operation) on_operation(what, name);
    return;
  }
  if (!cutting_) return;
  // First the promise, then the images, the index's before the log's: what is acknowledged in
  // between only raises the floor, and no index points at what its log never had.
  const Promise promise = oracle_.promise();
  std::vector<Cut> cuts;
  const auto cut = [&](const KeepPolicy& policy, bool killed, bool deepens) {
    std::string told = policy.ToString();
    const std::shared_ptr<AdversarialDisk> index = CutIndex(&told);
    cuts.push_back({crash_->Cut(policy), index, promise, killed, deepens, operation,
                    absl::StrCat(what, " ", name), told});
  };
  cut(KeepPolicy::KeepEverything(), /*killed=*/true, false);
  cut(KeepPolicy::DropUnsynced(), false, /*deepens=*/true);
  cut(KeepPolicy::NewDataOldDirectory(), false, false);
  cut(KeepPolicy::DataWithoutSize(), false, false);
  cut(KeepPolicy::OnlyLatestWrites(1), false, false);
  for (int i = 0; i < random_images_; ++i) {
    cut(KeepPolicy::Random(operation * 1000 + static_cast<uint64_t>(i)), false, i == 0);
  }
  MutexLock lock(mutex_);
  for (Cut& c : cuts) cuts_.push_back(std::move(c));
}

absl::Status CrashRun::Open(int background_threads) {
  Options options = options_;
  options.background_threads = background_threads;
  auto db = DB::Open(kCrashPath, options);
  if (!db.ok()) return db.status();
  db_ = std::move(*db);
  oracle_.SetDb(db_.get());
  return absl::OkStatus();
}

void CrashRun::Kill() {
  // Nothing that the dying object still tries reaches the files; what the page cache holds lives
  // on.
  FaultPlan dead;
  dead.call = 1;
  dead.for_ever = true;
  fault_->SetPlan(dead);
  if (index_ != nullptr) index_->FailApply(absl::InternalError("the process is dead"));
  db_.reset();
  fault_->SetPlan(FaultPlan());
  if (index_ == nullptr) return;
  index_->SetObserver(nullptr);
  std::string policy;
  UseIndex(CutIndex(&policy));
  options_.keystore = MakeOptions(modes_, fault_.get(), index_.get()).keystore;
}

absl::Status CrashRun::Reopen() {
  absl::Status status = Open();
  if (!status.ok()) return status;
  State found;
  status = ReadAll(db_.get(), &found);
  if (!status.ok()) return status;
  uint64_t prefix = 0;
  std::string why;
  if (!oracle_.Explains(found, oracle_.promise().returned, &prefix, &why)) {
    return absl::InternalError(why);
  }
  oracle_.Forget(prefix);
  return absl::OkStatus();
}

std::vector<CrashRun::Cut> CrashRun::TakeCuts() {
  // A finished run: nothing is cut any more by closing what is still open.
  cutting_ = false;
  db_.reset();
  MutexLock lock(mutex_);
  return std::move(cuts_);
}

CrashReport EnumerateCrashes(CrashModes modes, int random_images,
                             const std::function<void(CrashRun&)>& workload) {
  CrashRun run(modes, random_images);
  workload(run);
  const uint64_t operations = run.operations();
  const std::vector<CrashRun::Cut> cuts = run.TakeCuts();

  constexpr int kThreads = 2;
  CrashReport reports[kThreads];
  std::atomic<size_t> next{0};
  std::vector<std::thread> threads;
  for (CrashReport& report : reports) {
    threads.emplace_back([&] {
      Judge judge(modes, run.oracle(), &report);
      for (size_t i = next.fetch_add(1); i < cuts.size(); i = next.fetch_add(1)) {
        judge.Check(cuts[i]);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  CrashReport total;
  total.operations = operations;
  for (const CrashReport& report : reports) {
    total.images += report.images;
    total.second_images += report.second_images;
    total.violations += report.violations;
    if (total.first_violation.empty()) total.first_violation = report.first_violation;
  }
  return total;
}

}  // namespace rumcask
