#include "tests/crash/crash_run.h"

#include <iterator>
#include <utility>

#include "absl/strings/str_cat.h"

#include "core/format/limits.h"
#include "core/testing/map_keystore.h"

namespace rumcask {
namespace {

// Small, so that every workload fills several buffers.
constexpr uint64_t kBufferBytes = 1024;
constexpr uint64_t kReplayBytes = 3000;

}  // namespace

Options CrashOptions(CrashModes modes, FileSystem* file_system, AdversarialDisk* index) {
  Options options;
  options.keystore = TestKeystore();
  if (modes.index != CrashIndex::kMemory) {
    options.keystore = index->Keystore("adversarial", modes.index == CrashIndex::kLooking);
    options.keystore->buffer_bytes = kBufferBytes;
    options.replay_bytes = kReplayBytes;
  }
  options.create_if_missing = true;
  options.segment_bytes = kMinSegmentBytes;
  // Workloads compact when they say so, and some stall what a compaction waits for.
  options.compaction.automatic = false;
  options.append_mode = modes.append;
  options.read_mode = modes.read;
  options.background_threads = 0;
  options.file_system = file_system;
  return options;
}

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
  options_ = CrashOptions(modes_, fault_.get(), index_.get());
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
  // The promise is copied first, then the index, then the log. A write acknowledged meanwhile is
  // then at most in the images without being promised, and the index never points beyond its log.
  const Promise promise = oracle_.promise();
  std::vector<Cut> cuts;
  const std::string at = absl::StrCat(what, " ", name);
  const bool may_deepen = random_images_ > kBoundedImages || operation % deepen_every_ == 0;
  const auto cut = [&](const KeepPolicy& policy, bool deepens) {
    std::string told = policy.ToString();
    const std::shared_ptr<AdversarialDisk> index = CutIndex(&told);
    cuts.push_back(
        {crash_->Cut(policy), nullptr, index, promise, deepens && may_deepen, operation, at, told});
  };
  std::string told = "killed";
  const std::shared_ptr<AdversarialDisk> index = CutIndex(&told);
  // Crashes inside recovery cost most. The modes have mostly the same operations, so the bounded
  // enumeration makes these crashes at every third operation, not the same one in each mode.
  const uint64_t turn = operation + (modes_.append == AppendMode::kMapped ? 0 : 1) +
                        (modes_.read == ReadMode::kMapped ? 0 : 1);
  const bool deepens = may_deepen && (random_images_ > kBoundedImages || turn % 3 == 0);
  cuts.push_back({{}, crash_->AfterKill(), index, promise, deepens, operation, at, told});
  cut(KeepPolicy::DropUnsynced(), /*deepens=*/true);
  cut(KeepPolicy::NewDataOldDirectory(), false);
  cut(KeepPolicy::DataWithoutSize(), false);
  cut(KeepPolicy::OnlyLatestWrites(1), false);
  for (int i = 0; i < random_images_; ++i) {
    cut(KeepPolicy::Random(operation * 1000 + static_cast<uint64_t>(i)), i == 0);
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
  // All file operations fail, so that the destructor changes nothing. The page cache survives.
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
  options_.keystore = CrashOptions(modes_, fault_.get(), index_.get()).keystore;
}

absl::Status CrashRun::Reopen() {
  absl::Status status = Open();
  if (!status.ok()) return status;
  State found;
  status = ReadAll(db_.get(), &found);
  if (!status.ok()) return status;
  Versions versions;
  status = ReadVersions(db_.get(), found, &versions);
  if (!status.ok()) return status;
  uint64_t prefix = 0;
  std::string why;
  if (!oracle_.Explains(found, versions, oracle_.promise().returned, &prefix, &why)) {
    return absl::InternalError(why);
  }
  oracle_.Forget(prefix);
  return absl::OkStatus();
}

std::vector<CrashRun::Cut> CrashRun::TakeCuts() {
  // Closing the database adds no more cuts.
  cutting_ = false;
  db_.reset();
  MutexLock lock(mutex_);
  return std::move(cuts_);
}

}  // namespace rumcask
