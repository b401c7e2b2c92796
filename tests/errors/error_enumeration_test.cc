// Makes every system call fail with every fault, in every workload and mode: for each n, the n-th
// call fails, alone or with all calls after it. A second pass tests a program that continues after
// the first error: it makes smaller and larger writes, syncs, is killed, opens again and writes
// again.
//
// RUMCASK_FULL=1 combines both append modes with both read modes; without it two combinations cover
// each mode once.

#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <ostream>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"

#include "core/system/mutex.h"
#include "tests/errors/error_run.h"
#include "tests/errors/error_workloads.h"

namespace rumcask {

void PrintTo(const ErrorWorkload& workload, std::ostream* os) { *os << workload.name; }

namespace {

constexpr size_t kThreads = 2;
// A run that hangs ends the test, which prints the run's name. Each run resets the alarm.
constexpr unsigned kHangSeconds = 60;
char current_runs[kThreads][256];

void OnHang(int) {
  (void)!::write(STDERR_FILENO, "HANGS, one of:\n", 15);
  for (const char* run : current_runs) {
    (void)!::write(STDERR_FILENO, run, std::strlen(run));
    (void)!::write(STDERR_FILENO, "\n", 1);
  }
  std::abort();
}

bool IsFull() { return std::getenv("RUMCASK_FULL") != nullptr; }

std::vector<ErrorModes> Modes() {
  std::vector<ErrorModes> modes = {{AppendMode::kMapped, ReadMode::kMapped},
                                   {AppendMode::kWrite, ReadMode::kPread}};
  ErrorModes on_disk;
  on_disk.on_disk = true;
  modes.push_back(on_disk);
  if (IsFull()) {
    modes.push_back({AppendMode::kMapped, ReadMode::kPread});
    modes.push_back({AppendMode::kWrite, ReadMode::kMapped});
  }
  return modes;
}

std::vector<ErrorWorkload> GoingOnWorkloads();

struct Totals {
  uint64_t calls = 0;
  uint64_t runs = 0;
  uint64_t complaints = 0;
};

// The totals of all tests, and how many tests have run.
Mutex all_mutex;
Totals all_totals ABSL_GUARDED_BY(all_mutex);
size_t all_tests ABSL_GUARDED_BY(all_mutex) = 0;

// Checks the total number of runs, if one process has run all tests.
class TotalRuns : public testing::Environment {
 public:
  void TearDown() override {
    MutexLock lock(all_mutex);
    if (all_tests != ErrorWorkloads().size() + GoingOnWorkloads().size()) return;
    std::printf("All workloads: %llu calls, %llu runs, %llu complaints\n",
                static_cast<unsigned long long>(all_totals.calls),
                static_cast<unsigned long long>(all_totals.runs),
                static_cast<unsigned long long>(all_totals.complaints));
    EXPECT_GE(all_totals.runs, IsFull() ? 150000u : 60000u);
  }
};

const testing::Environment* const total_runs = testing::AddGlobalTestEnvironment(new TotalRuns);

class ErrorEnumerationTest : public testing::TestWithParam<ErrorWorkload> {
 protected:
  void SetUp() override { ::signal(SIGALRM, OnHang); }
  void TearDown() override { ::alarm(0); }

  // How a call fails, and whether it is a system call or a call of the index.
  struct Failure {
    Fault fault = Fault::kEio;
    absl::Status index_error;  // OK: a system call fails, not the index
    bool for_ever = false;

    bool of_index() const { return !index_error.ok(); }
    std::string ToString() const {
      return absl::StrCat(of_index() ? "of the index: " : ": ",
                          of_index() ? index_error.ToString() : FaultName(fault),
                          for_ever ? " for ever" : " once");
    }
  };

  struct Start {
    CrashImage image;
    std::shared_ptr<AdversarialDisk> index;
    ErrorOracle oracle;
  };

  // Makes one run for each call, until a run has no further call to fail. With `goes_on` the
  // workload ends at the first error, and the run continues as an application might.
  void Enumerate(size_t thread, const ErrorModes& modes, const Start& start, const Failure& failure,
                 bool goes_on, Totals* totals) {
    // Going on takes long. Without RUMCASK_FULL each kind of failure goes on from every third call,
    // and those that last begin with every second one; the kinds take turns.
    const uint64_t stride = IsFull() ? 1 : goes_on ? 3 : failure.for_ever ? 2 : 1;
    const uint64_t first = 1 + (static_cast<uint64_t>(failure.fault) + failure.for_ever) % stride;
    for (uint64_t call = first;; call += stride) {
      const std::string name =
          absl::StrCat(GetParam().name, ", ", modes.ToString(), goes_on ? ", goes on" : "",
                       ", call ", call, " ", failure.ToString());
      std::snprintf(current_runs[thread], sizeof(current_runs[thread]), "%s", name.c_str());
      ::alarm(kHangSeconds);
      ErrorRun run(modes, start.image, *start.index, start.oracle);
      if (goes_on) run.EndAtError();
      if (failure.of_index()) {
        run.SetIndexFault(call, failure.index_error, failure.for_ever);
      } else {
        FaultPlan plan;
        plan.call = call;
        plan.fault = failure.fault;
        plan.for_ever = failure.for_ever;
        run.SetPlan(plan);
      }
      GetParam().run(run);
      const bool invisible =
          !failure.of_index() && (failure.fault == Fault::kEintr || failure.fault == Fault::kShort);
      if (invisible && run.errors() != 0) Report(name, "the caller saw it", totals);
      if (goes_on) {
        run.GoOn(call + static_cast<uint64_t>(failure.fault) + (failure.for_ever ? 1 : 0));
      } else {
        run.Finish(/*kill=*/call % 2 == 0);
      }
      if (!run.complaint().empty()) Report(name, run.complaint(), totals);
      const uint64_t calls = failure.of_index() ? run.index_calls() : run.calls();
      if (calls < call) {
        totals->calls = std::max(totals->calls, calls);
        return;
      }
      // A run counts only if the call failed: not every fault applies to every call.
      if ((failure.of_index() ? run.failed_index_calls() : run.failed_calls()) != 0) ++totals->runs;
    }
  }

  Start Prepare(const ErrorModes& modes) {
    ErrorRun preparation(modes, CrashFileSystem().Cut(KeepPolicy::KeepEverything()),
                         *AdversarialDisk::Make(), {});
    if (GetParam().prepare) GetParam().prepare(preparation);
    if (GetParam().prepare && !GetParam().prepared_by_kill) preparation.Close();
    const CrashImage image = preparation.Kill();
    EXPECT_EQ(preparation.complaint(), "");
    EXPECT_EQ(preparation.errors(), 0);
    return {image, preparation.index().Cut(IndexFate::kLatest, 0), preparation.oracle()};
  }

  static std::vector<Failure> Failures(bool on_disk, bool goes_on) {
    std::vector<Failure> failures;
    for (const bool for_ever : {false, true}) {
      for (const Fault fault : kAllFaults) {
        // The caller never sees these faults, so there is no error to continue after.
        if (goes_on && (fault == Fault::kEintr || fault == Fault::kShort)) continue;
        // The log treats EMFILE like ENOSPC.
        if (goes_on && !IsFull() && fault == Fault::kEmfile) continue;
        failures.push_back({fault, absl::OkStatus(), for_ever});
      }
      if (!on_disk) continue;
      for (const absl::Status& error :
           {absl::InternalError("input/output error"), absl::ResourceExhaustedError("no room"),
            absl::DataLossError("damaged page")}) {
        failures.push_back({Fault::kEio, error, for_ever});
      }
    }
    return failures;
  }

  void EnumerateAll(size_t thread, ErrorModes modes, bool goes_on) {
    modes.hash = (GetParam().hash || goes_on) && !modes.on_disk;
    modes.background_threads = GetParam().background_threads;
    const Start start = Prepare(modes);
    Totals totals;
    for (const Failure& failure : Failures(modes.on_disk, goes_on)) {
      Enumerate(thread, modes, start, failure, goes_on, &totals);
    }
    std::printf("%s, %s%s: %llu calls, %llu runs\n", GetParam().name, modes.ToString().c_str(),
                goes_on ? ", goes on" : "", static_cast<unsigned long long>(totals.calls),
                static_cast<unsigned long long>(totals.runs));
    EXPECT_EQ(totals.complaints, 0u);
    MutexLock lock(all_mutex);
    all_totals.calls += totals.calls;
    all_totals.runs += totals.runs;
    all_totals.complaints += totals.complaints;
  }

  // Enumerates all modes, several at a time in different threads.
  void EnumerateModes(const std::vector<ErrorModes>& modes, bool goes_on) {
    std::atomic<size_t> next{0};
    std::vector<std::thread> threads;
    for (size_t thread = 0; thread < kThreads; ++thread) {
      threads.emplace_back([&, thread] {
        for (size_t i = next.fetch_add(1); i < modes.size(); i = next.fetch_add(1)) {
          EnumerateAll(thread, modes[i], goes_on);
        }
      });
    }
    for (std::thread& thread : threads) thread.join();
    MutexLock lock(all_mutex);
    ++all_tests;
  }

  static void Report(const std::string& name, const std::string& complaint, Totals* totals) {
    if (totals->complaints++ < 5) ADD_FAILURE() << name << ": " << complaint;
  }
};

INSTANTIATE_TEST_SUITE_P(Workloads, ErrorEnumerationTest, testing::ValuesIn(ErrorWorkloads()),
                         [](const auto& param) { return std::string(param.param.name); });

TEST_P(ErrorEnumerationTest, NothingIsLost) { EnumerateModes(Modes(), /*goes_on=*/false); }

std::vector<ErrorWorkload> GoingOnWorkloads() {
  std::vector<ErrorWorkload> workloads = ErrorWorkloads();
  if (IsFull()) return workloads;
  const auto end = std::remove_if(workloads.begin(), workloads.end(),
                                  [](const ErrorWorkload& workload) { return !workload.goes_on; });
  workloads.erase(end, workloads.end());
  return workloads;
}

class GoingOnTest : public ErrorEnumerationTest {};

INSTANTIATE_TEST_SUITE_P(Workloads, GoingOnTest, testing::ValuesIn(GoingOnWorkloads()),
                         [](const auto& param) { return std::string(param.param.name); });

TEST_P(GoingOnTest, NothingIsLost) {
  std::vector<ErrorModes> modes = Modes();
  // SyncedPuts is enough to show how an index on disk reacts to failures of the log.
  if (!IsFull() && std::string_view(GetParam().name) != "SyncedPuts")
    modes.erase(modes.begin() + 2);
  EnumerateModes(modes, /*goes_on=*/true);
}

}  // namespace
}  // namespace rumcask
