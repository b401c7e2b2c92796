// Every call to the system fails, for every reason, in every workload and mode: the n-th call, for
// each n, once or from then on.
//
// RUMCASK_FULL=1 combines both append modes with both read modes; without it each is there once.

#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ostream>
#include <string>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"

#include "core/mutex.h"
#include "tests/errors/error_run.h"
#include "tests/errors/error_workloads.h"

namespace rumcask {

void PrintTo(const ErrorWorkload& workload, std::ostream* os) { *os << workload.name; }

namespace {

constexpr size_t kThreads = 2;
// A run that hangs ends the test with its name: the alarm is put off whenever a run begins.
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

struct Totals {
  uint64_t calls = 0;
  uint64_t runs = 0;
  uint64_t complaints = 0;
};

// Of all workloads, and how many of them there were.
Mutex all_mutex;
Totals all_totals ABSL_GUARDED_BY(all_mutex);
size_t all_workloads ABSL_GUARDED_BY(all_mutex) = 0;

// The floor under the whole, where one process has run all of it.
class TotalRuns : public testing::Environment {
 public:
  void TearDown() override {
    MutexLock lock(all_mutex);
    if (all_workloads != ErrorWorkloads().size()) return;
    std::printf("All workloads: %llu calls, %llu runs, %llu complaints\n",
                static_cast<unsigned long long>(all_totals.calls),
                static_cast<unsigned long long>(all_totals.runs),
                static_cast<unsigned long long>(all_totals.complaints));
    EXPECT_GE(all_totals.runs, IsFull() ? 50000u : 10000u);
  }
};

const testing::Environment* const total_runs = testing::AddGlobalTestEnvironment(new TotalRuns);

class ErrorEnumerationTest : public testing::TestWithParam<ErrorWorkload> {
 protected:
  void SetUp() override { ::signal(SIGALRM, OnHang); }
  void TearDown() override { ::alarm(0); }

  // Fails one call after the other until a run has no more.
  void Enumerate(size_t thread, const ErrorModes& modes, const CrashImage& image,
                 const AdversarialDisk& index, const ErrorOracle& oracle, Fault fault,
                 bool for_ever, Totals* totals) {
    for (uint64_t call = 1;; ++call) {
      const std::string name =
          absl::StrCat(GetParam().name, ", ", modes.ToString(), ", call ", call, ": ",
                       FaultName(fault), for_ever ? " for ever" : " once");
      std::snprintf(current_runs[thread], sizeof(current_runs[thread]), "%s", name.c_str());
      ::alarm(kHangSeconds);
      ErrorRun run(modes, image, index, oracle);
      FaultPlan plan;
      plan.call = call;
      plan.fault = fault;
      plan.for_ever = for_ever;
      run.SetPlan(plan);
      GetParam().run(run);
      const uint64_t calls = run.faults().call_count();
      const bool met = run.faults().fault_count() != 0;
      const bool invisible = fault == Fault::kEintr || fault == Fault::kShort;
      if (invisible && run.errors() != 0) Report(name, "the caller saw it", totals);
      run.Finish(/*kill=*/call % 2 == 0);
      if (!run.complaint().empty()) Report(name, run.complaint(), totals);
      if (calls < call) {
        totals->calls = std::max(totals->calls, calls);
        return;
      }
      // A call that this fault can't befall makes a run like any other, which counts for nothing.
      if (met) ++totals->runs;
    }
  }

  // The same with the calls of an index on disk.
  void EnumerateIndex(size_t thread, const ErrorModes& modes, const CrashImage& image,
                      const AdversarialDisk& index, const ErrorOracle& oracle,
                      const absl::Status& error, bool for_ever, Totals* totals) {
    for (uint64_t call = 1;; ++call) {
      const std::string name =
          absl::StrCat(GetParam().name, ", ", modes.ToString(), ", call ", call,
                       " of the index: ", error.ToString(), for_ever ? " for ever" : " once");
      std::snprintf(current_runs[thread], sizeof(current_runs[thread]), "%s", name.c_str());
      ::alarm(kHangSeconds);
      ErrorRun run(modes, image, index, oracle);
      run.SetIndexFault(call, error, for_ever);
      GetParam().run(run);
      const uint64_t calls = run.index().calls();
      const bool met = run.index().failed_calls() != 0;
      run.Finish(/*kill=*/call % 2 == 0);
      if (!run.complaint().empty()) Report(name, run.complaint(), totals);
      if (calls < call) {
        totals->calls += calls;
        return;
      }
      if (met) ++totals->runs;
    }
  }

  void EnumerateAll(size_t thread, ErrorModes modes) {
    modes.hash = GetParam().hash && !modes.on_disk;
    modes.background_threads = GetParam().background_threads;
    ErrorRun preparation(modes, CrashFileSystem().Cut(KeepPolicy::KeepEverything()),
                         *AdversarialDisk::Make(), {});
    if (GetParam().prepare) GetParam().prepare(preparation);
    if (GetParam().prepare && !GetParam().prepared_by_kill) preparation.Close();
    const CrashImage image = preparation.Kill();
    EXPECT_EQ(preparation.complaint(), "");
    EXPECT_EQ(preparation.errors(), 0);
    Totals totals;
    for (const Fault fault : kAllFaults) {
      for (const bool for_ever : {false, true}) {
        Enumerate(thread, modes, image, preparation.index(), preparation.oracle(), fault, for_ever,
                  &totals);
      }
    }
    if (modes.on_disk) {
      for (const absl::Status& error :
           {absl::InternalError("input/output error"), absl::ResourceExhaustedError("no room"),
            absl::DataLossError("damaged page")}) {
        for (const bool for_ever : {false, true}) {
          EnumerateIndex(thread, modes, image, preparation.index(), preparation.oracle(), error,
                         for_ever, &totals);
        }
      }
    }
    std::printf("%s, %s: %llu calls, %llu runs\n", GetParam().name, modes.ToString().c_str(),
                static_cast<unsigned long long>(totals.calls),
                static_cast<unsigned long long>(totals.runs));
    EXPECT_EQ(totals.complaints, 0u);
    MutexLock lock(all_mutex);
    all_totals.calls += totals.calls;
    all_totals.runs += totals.runs;
    all_totals.complaints += totals.complaints;
  }

  static void Report(const std::string& name, const std::string& complaint, Totals* totals) {
    if (totals->complaints++ < 5) ADD_FAILURE() << name << ": " << complaint;
  }
};

INSTANTIATE_TEST_SUITE_P(Workloads, ErrorEnumerationTest, testing::ValuesIn(ErrorWorkloads()),
                         [](const auto& param) { return std::string(param.param.name); });

TEST_P(ErrorEnumerationTest, NothingIsLost) {
  const std::vector<ErrorModes> modes = Modes();
  std::atomic<size_t> next{0};
  std::vector<std::thread> threads;
  for (size_t thread = 0; thread < kThreads; ++thread) {
    threads.emplace_back([&, thread] {
      for (size_t i = next.fetch_add(1); i < modes.size(); i = next.fetch_add(1)) {
        EnumerateAll(thread, modes[i]);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  MutexLock lock(all_mutex);
  ++all_workloads;
}

}  // namespace
}  // namespace rumcask
