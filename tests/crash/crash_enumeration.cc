#include "tests/crash/crash_enumeration.h"

#include <atomic>
#include <thread>
#include <vector>

namespace rumcask {

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
      CrashJudge judge(modes, run.oracle(), &report);
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
    total.images_after_kill += report.images_after_kill;
    total.violations += report.violations;
    if (total.first_violation.empty()) total.first_violation = report.first_violation;
  }
  return total;
}

}  // namespace rumcask
