// Every keystore must behave like a std::map. The test makes the same random operations on a
// database and on a map. It compares status, versions and results after every step, and the whole
// contents after every reopening and every thousand steps. Segments are small, so that they are
// sealed all the time.
//
// By default each keystore gets half a million operations and a thousand reopenings. A hundred
// million operations are made with
//
//   bazel test //tests/model:model_test --test_env=RUMCASK_FULL=1 --test_timeout=86400
//
// RUMCASK_MODEL_OPERATIONS=n sets another number, for example under sanitizers. A failure names its
// seed. To repeat only the run with that seed:
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
#include "tests/model/model_run.h"
#include "tests/workloads/keystores.h"

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

// The log is on a simulated disk. This puts the index into a real directory.
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

// Each in-memory keystore takes turns with the other in-memory ones, each on-disk one with all
// others.
std::vector<ModelSetup> Keystores() {
  const std::vector<KeystoreFactory> in_memory = KeystoresInMemory();
  std::vector<KeystoreFactory> all = in_memory;
  for (KeystoreFactory& keystore : KeystoresOnDisk()) {
    all.push_back(InTempDirectory(std::move(keystore)));
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

// A keystore with a simulated disk, which takes turns with the in-memory ones. A kill leaves its
// index in any state.
std::vector<ModelSetup> OnDisk(bool reports_replaced) {
  const KeystoreFactory keystore =
      AdversarialDisk::Make()->Keystore(reports_replaced ? "looking" : "blind", reports_replaced);
  std::vector<ModelSetup> setups = AllModes(keystore, KeystoresInMemory());
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
  return std::getenv("RUMCASK_FULL") == nullptr ? 500000 : 100000000;
}

TEST_P(ModelTest, DoesWhatAMapDoes) {
  if (const char* const seed = std::getenv("RUMCASK_MODEL_SEED")) {
    ModelRun run(GetParam(), std::strtoull(seed, nullptr, 10));
    ASSERT_EQ(run.Run(kOperationsPerRun), "") << "seed " << seed;
    return;
  }
  const uint64_t wanted = OperationsPerKeystore() / 4;  // for each of the four modes
  uint64_t operations = 0;
  uint64_t reopens = 0;
  uint64_t kills = 0;
  uint64_t exchanges = 0;
  uint64_t comparisons = 0;
  uint64_t retired = 0;
  // Each mode has seeds of its own, so that the histories differ.
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
    retired += run.retired_segments();
  }
  EXPECT_GE(reopens, wanted / 500);
  EXPECT_GE(kills, reopens / 4);
  EXPECT_GE(exchanges, reopens / 8);
  EXPECT_GE(retired, wanted / 1000);
  RecordProperty("operations", std::to_string(operations));
  RecordProperty("reopens", std::to_string(reopens));
  RecordProperty("kills", std::to_string(kills));
  RecordProperty("exchanges", std::to_string(exchanges));
  RecordProperty("comparisons", std::to_string(comparisons));
  RecordProperty("retired segments", std::to_string(retired));
}

}  // namespace
}  // namespace rumcask
