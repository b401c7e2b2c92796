// Every keystore does what a std::map does: the same operations from a seed on a database and on a
// map, status, versions and results compared after every step, everything compared after every
// reopening and every thousand steps. Segments are small, so that they are sealed all the time.
//
// In the normal form a million operations and two thousand reopenings for each keystore. In full, a
// hundred million:
//
//   bazel test //tests/model:model_test --test_env=RUMCASK_FULL=1 --test_timeout=86400
//
// RUMCASK_MODEL_OPERATIONS=n is another number, for sanitizers. A failure names its seed. To see it
// again, and nothing else:
//
//   bazel test //tests/model:model_test --test_filter=... --test_env=RUMCASK_MODEL_SEED=...

#include <unistd.h>

#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "gtest/gtest.h"

#include "core/plugin/disk_index.h"
#include "keystores/by_name.h"
#include "tests/model/model_run.h"

namespace rumcask {
namespace {

constexpr int kOperationsPerRun = 5000;

class ModelTest : public testing::TestWithParam<ModelSetup> {};

std::vector<ModelSetup> AllModes(const KeystoreFactory& keystore,
                                 const std::vector<KeystoreFactory>& exchangeable) {
  std::vector<ModelSetup> setups;
  for (const AppendMode append : {AppendMode::kMapped, AppendMode::kWrite}) {
    for (const ReadMode read : {ReadMode::kMapped, ReadMode::kPread}) {
      ModelSetup setup;
      setup.keystore = keystore;
      setup.exchangeable = exchangeable;
      setup.append = append;
      setup.read = read;
      setups.push_back(std::move(setup));
    }
  }
  return setups;
}

std::string ModeName(const testing::TestParamInfo<ModelSetup>& info) {
  return std::string(info.param.append == AppendMode::kMapped ? "MappedAppend" : "WriteAppend") +
         (info.param.read == ReadMode::kMapped ? "MappedRead" : "PreadRead");
}

// The log is on a disk of the tests, the index on a real one.
KeystoreFactory InTempDirectory(KeystoreFactory keystore) {
  const auto moved = [](const std::string& name) {
    return testing::TempDir() + "/model_index." + std::to_string(::getpid()) + "/" + name;
  };
  const std::string path = moved(keystore.traits.name);
  std::filesystem::create_directories(path);
  keystore.open_index = [path, open = keystore.open_index](DiskIndexConfig config) {
    config.path = path;
    return open(config);
  };
  keystore.remove_index = [path, remove = keystore.remove_index](const std::string&) {
    return remove(path);
  };
  return keystore;
}

// All keystores of this project that are in memory, or all on disk.
std::vector<KeystoreFactory> AllKeystores(bool persistent) {
  std::vector<KeystoreFactory> all;
  for (const std::string& name : KeystoreNames()) {
    KeystoreFactory keystore = KeystoreByName(name).value();
    if (keystore.traits.persistent != persistent) continue;
    all.push_back(persistent ? InTempDirectory(std::move(keystore)) : std::move(keystore));
  }
  return all;
}

// Each in memory, exchanged with the others in memory; each on disk, with all others.
std::vector<ModelSetup> Keystores() {
  const std::vector<KeystoreFactory> in_memory = AllKeystores(/*persistent=*/false);
  std::vector<KeystoreFactory> all = in_memory;
  for (KeystoreFactory& keystore : AllKeystores(/*persistent=*/true)) {
    all.push_back(std::move(keystore));
  }
  std::vector<ModelSetup> setups;
  for (const KeystoreFactory& keystore : all) {
    std::vector<KeystoreFactory> others;
    for (const KeystoreFactory& other : keystore.traits.persistent ? all : in_memory) {
      if (other.traits.name != keystore.traits.name) others.push_back(other);
    }
    for (ModelSetup& setup : AllModes(keystore, others)) setups.push_back(std::move(setup));
  }
  return setups;
}

INSTANTIATE_TEST_SUITE_P(Keystores, ModelTest, testing::ValuesIn(Keystores()),
                         [](const auto& tested) {
                           return tested.param.keystore.traits.name + ModeName(tested);
                         });

// Changes its keystore all the time, from and to one in memory; its index comes out of a kill in
// any state.
std::vector<ModelSetup> OnDisk(bool reports_replaced) {
  const KeystoreFactory keystore =
      AdversarialDisk::Make()->Keystore(reports_replaced ? "looking" : "blind", reports_replaced);
  std::vector<ModelSetup> setups = AllModes(keystore, AllKeystores(/*persistent=*/false));
  for (ModelSetup& setup : setups) {
    setup.index_disk = AdversarialDisk::Make();
    setup.index_reports_replaced = reports_replaced;
  }
  return setups;
}
INSTANTIATE_TEST_SUITE_P(LookingIndex, ModelTest, testing::ValuesIn(OnDisk(true)), ModeName);
INSTANTIATE_TEST_SUITE_P(BlindIndex, ModelTest, testing::ValuesIn(OnDisk(false)), ModeName);

uint64_t OperationsPerKeystore() {
  if (const char* const operations = std::getenv("RUMCASK_MODEL_OPERATIONS")) {
    return std::strtoull(operations, nullptr, 10);
  }
  return std::getenv("RUMCASK_FULL") == nullptr ? 1000000 : 100000000;
}

TEST_P(ModelTest, DoesWhatAMapDoes) {
  if (const char* const seed = std::getenv("RUMCASK_MODEL_SEED")) {
    ModelRun run(GetParam(), std::strtoull(seed, nullptr, 10));
    ASSERT_EQ(run.Run(kOperationsPerRun), "") << "seed " << seed;
    return;
  }
  const uint64_t wanted = OperationsPerKeystore() / 4;  // there are four modes
  uint64_t operations = 0;
  uint64_t reopens = 0;
  uint64_t kills = 0;
  uint64_t exchanges = 0;
  uint64_t comparisons = 0;
  // Other histories in each mode.
  const uint64_t mode = (GetParam().keystore.traits.ordered ? 4 : 0) +
                        (GetParam().append == AppendMode::kWrite ? 2 : 0) +
                        (GetParam().read == ReadMode::kPread ? 1 : 0);
  for (uint64_t seed = 1 + 1000000 * mode; operations < wanted; ++seed) {
    ModelRun run(GetParam(), seed);
    ASSERT_EQ(run.Run(kOperationsPerRun), "") << "RUMCASK_MODEL_SEED=" << seed;
    operations += run.operations();
    reopens += run.reopens();
    kills += run.kills();
    exchanges += run.exchanges();
    comparisons += run.comparisons();
  }
  EXPECT_GE(reopens, wanted / 500);
  EXPECT_GE(kills, reopens / 4);
  EXPECT_GE(exchanges, reopens / 8);
  RecordProperty("operations", std::to_string(operations));
  RecordProperty("reopens", std::to_string(reopens));
  RecordProperty("kills", std::to_string(kills));
  RecordProperty("exchanges", std::to_string(exchanges));
  RecordProperty("comparisons", std::to_string(comparisons));
}

}  // namespace
}  // namespace rumcask
