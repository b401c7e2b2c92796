#include "tests/linearizability/linearizability_fixture.h"

#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <iostream>
#include <iterator>
#include <memory>
#include <sstream>
#include <thread>
#include <utility>

#include "core/check/verify.h"
#include "core/damage.h"
#include "core/db.h"
#include "core/stats.h"
#include "tests/linearizability/linearizability_checker.h"
#include "tests/linearizability/recording_client.h"

namespace rumcask {
namespace {

constexpr int kThreads = 8;
// Each round has its own database, because without compaction every segment stays open.
constexpr uint64_t kCallsPerRound = 8000;

uint64_t Environment(const char* name, uint64_t otherwise) {
  const char* const text = std::getenv(name);
  return text == nullptr ? otherwise : std::strtoull(text, nullptr, 10);
}

// The options of a round.
Options RoundOptions(const KeystoreFactory& keystore, uint64_t round) {
  Options options;
  options.create_if_missing = true;
  options.append_mode = (round & 1) != 0 ? AppendMode::kWrite : AppendMode::kMapped;
  options.read_mode = (round & 2) != 0 ? ReadMode::kPread : ReadMode::kMapped;
  options.background_threads = (round & 4) != 0 ? 0 : 1;
  if (round % 16 == 8) options.sync_interval = std::chrono::milliseconds(1);
  options.segment_bytes = round % 3 == 0 ? 32768 : 4096;
  // As much as possible, but the PinnedValues that threads hold on to are not to end writing.
  options.compaction.trigger_dead_share = 0.3;
  options.compaction.max_space_amplification = 100;
  options.keystore = keystore;
  if (keystore.traits.persistent) {
    options.replay_bytes = round % 5 == 4 ? 4096 : uint64_t{1} << 20;
  } else if ((round & 8) == 0) {
    options.keystore = Distorted(keystore, Distortion::kYield, 1);
  }
  return options;
}

}  // namespace

LinearizabilityFixture::LinearizabilityFixture()
    : root_(testing::TempDir() + "/linearizability." + std::to_string(::getpid())) {
  std::filesystem::create_directories(root_);
}

LinearizabilityFixture::~LinearizabilityFixture() { std::filesystem::remove_all(root_); }

// All threads use the database in two openings; at the end of each, everything is read.
LinearizabilityFixture::Outcome LinearizabilityFixture::RunRound(const Options& options,
                                                                 uint32_t keys, uint64_t round) {
  const std::string path = root_ + "/db";
  Outcome outcome;
  auto expect_ok = [&](const absl::Status& status, const char* call) {
    if (status.ok()) return true;
    std::ostringstream text;
    text << call << ": " << status;
    outcome.errors.push_back(text.str());
    return false;
  };
  HistoryClock clock;
  std::vector<std::unique_ptr<RecordingClient>> clients;
  for (int i = 0; i < kThreads; ++i) {
    clients.push_back(
        std::make_unique<RecordingClient>(static_cast<uint8_t>(i), keys, round, &clock));
  }
  for (int opening = 0; opening < 2; ++opening) {
    absl::StatusOr<std::unique_ptr<DB>> db = DB::Open(path, options);
    if (!expect_ok(db.status(), "open")) break;
    std::vector<std::thread> threads;
    for (const auto& client : clients) {
      threads.emplace_back(
          [&client, &db] { client->Run(db->get(), kCallsPerRound / 2 / kThreads); });
    }
    for (std::thread& thread : threads) thread.join();
    clients[0]->ReadAll(db->get());
    const absl::StatusOr<VerifyReport> report = (*db)->Verify();
    if (expect_ok(report.status(), "verify") && !report->clean()) {
      expect_ok(DamageStatus(report->damages.front()), "verify");
    }
    outcome.sealed_segments += (*db)->GetStats().sealed_segments;
    expect_ok((*db)->Close(), "close");
  }
  for (const auto& client : clients) {
    const History& events = client->history();
    outcome.history.insert(outcome.history.end(), events.begin(), events.end());
    const std::vector<std::string>& errors = client->errors();
    outcome.errors.insert(outcome.errors.end(), errors.begin(), errors.end());
  }
  outcome.violation = FindViolation(outcome.history);
  std::filesystem::remove_all(path);
  return outcome;
}

void LinearizabilityFixture::RunRounds(const KeystoreFactory& keystore, uint64_t calls) {
  // A few keys make calls meet often; many make the keystore grow.
  constexpr uint32_t kKeys[] = {5, 16, 3, 64, 2000};
  calls = Environment("RUMCASK_LINEARIZABILITY_CALLS", calls);
  const uint64_t first = Environment("RUMCASK_LINEARIZABILITY_SEED", 0);
  uint64_t sealed = 0;
  uint64_t events = 0;
  for (uint64_t done = 0, round = first; done < calls; done += kCallsPerRound, ++round) {
    SCOPED_TRACE("RUMCASK_LINEARIZABILITY_SEED=" + std::to_string(round));
    const Outcome outcome =
        RunRound(RoundOptions(keystore, round), kKeys[round % std::size(kKeys)], round);
    for (const std::string& error : outcome.errors) ADD_FAILURE() << error;
    ASSERT_FALSE(outcome.violation.has_value()) << *outcome.violation;
    ASSERT_TRUE(outcome.errors.empty());
    ASSERT_GE(outcome.history.size(), kCallsPerRound);
    ASSERT_GT(outcome.sealed_segments, 5);
    sealed += outcome.sealed_segments;
    events += outcome.history.size();
  }
  std::cout << events << " events, " << sealed << " segments sealed\n";
}

bool LinearizabilityFixture::IsFoundOut(const KeystoreFactory& keystore, Distortion distortion) {
  for (uint64_t round = 0; round < 4; ++round) {
    Options options = RoundOptions(keystore, round);
    options.keystore = Distorted(keystore, distortion, 100);
    if (RunRound(options, 16, round).violation.has_value()) return true;
  }
  return false;
}

}  // namespace rumcask
