// The part of ErrorRun in which the program continues after an error.

#include <iterator>
#include <string>

#include "absl/strings/str_cat.h"

#include "tests/errors/error_run.h"

namespace rumcask {
namespace {

using When = ErrorOracle::When;

// s: a small put; y: the same with sync; l: a put larger than all before and than any segment that
// a failed put may have left; L: the same with sync; b: a batch; d: a delete; c: a compaction.
constexpr const char* kOrders[] = {"lsybdc", "L", "slbcdy", "bdsL", "l"};

}  // namespace

void ErrorRun::Heal() {
  // Background threads may make calls meanwhile, so the counts are taken together with the change
  // of the plan.
  const FaultFileSystem::Counts counts = faults_.SetPlan(FaultPlan());
  const AdversarialDisk::Counts of_index = index_->FailCalls(0, absl::OkStatus(), false);
  if (ended_) return;
  calls_ = counts.calls;
  failed_calls_ = counts.faults;
  index_calls_ = of_index.calls;
  failed_index_calls_ = of_index.failed;
  ended_ = true;
}

void ErrorRun::WriteKind(const std::string& name, char kind) {
  const std::string key = absl::StrCat(name, " ", std::string(1, kind));
  switch (kind) {
    case 's':
    case 'y':
      return Put(key, "small", /*sync=*/kind == 'y');
    case 'l':
    case 'L':
      return Put(key, std::string(largest_ + 5000, kind), /*sync=*/kind == 'L');
    case 'c':
      return Compact(/*all=*/true);
    case 'b':
      return Write({{key + "1", "one"}, {key + "2", std::nullopt}, {key + "3", "three"}},
                   /*sync=*/false);
    default: {
      // Deletes an existing key, because a delete of a missing key writes nothing.
      const State state = oracle_.Acknowledged();
      if (state.empty()) return Put(key, "nothing to delete");
      return Delete(state.begin()->first);
    }
  }
}

void ErrorRun::WriteAllKinds(const std::string& name, const char* kinds) {
  for (const char* kind = kinds; *kind != '\0'; ++kind) {
    const absl::Status state = db_->BackgroundStatus();
    // If the index's disk is full, applying is retried, and writes succeed while the buffers have
    // room.
    const bool for_now = failed_index_calls() > 0 && absl::IsResourceExhausted(state);
    const int errors_before = errors_;
    WriteKind(name, *kind);
    const bool wrote = errors_ == errors_before;
    const std::string what = absl::StrCat("write ", name, " of kind ", std::string(1, *kind));
    if (state.ok() && !wrote && db_->BackgroundStatus().ok()) {
      Complain(what, "fails though the system works again and the database is not read-only");
    }
    if (!state.ok() && !for_now && wrote) Complain(what, "succeeded in a read-only database");
  }
}

void ErrorRun::CheckPowerCut(uint64_t seed) {
  CheckReopened(nullptr, When::kPowerCut);
  CheckReopened(nullptr, When::kPowerCut, KeepPolicy::Random(seed));
}

void ErrorRun::GoOn(uint64_t number) {
  Heal();
  ends_at_error_ = idles_ = false;
  if (db_ != nullptr && read_only_) Close();
  // The database may be closed because an open or a close failed.
  if (db_ == nullptr) {
    oracle_.NoteReopened();
    if (!Open()) return Complain("open", "fails though the system works again");
  }
  WriteAllKinds("after", kOrders[number % std::size(kOrders)]);
  ReadAll();
  CheckPowerCut(number);
  (void)Kill();
  // A power cut can still lose what the killed process wrote without a sync.
  CheckPowerCut(number + 1);
  oracle_.NoteReopened();
  if (!Open()) return Complain("open after a kill", "fails though the system works again");
  ReadAll();
  WriteAllKinds("later", kOrders[(number + 2) % std::size(kOrders)]);
  ReadAll();
  Verify();
  CheckPowerCut(number + 2);
  Close();
  CheckReopened(&disk_, When::kReopened);
}

}  // namespace rumcask
