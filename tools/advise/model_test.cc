// What small trials predict, compared with a database that is 16 times as large.

#include "tools/advise/model.h"

#include <cmath>
#include <filesystem>
#include <string>

#include "absl/status/statusor.h"
#include "gtest/gtest.h"

#include "keystores/by_name.h"
#include "tools/advise/evidence.h"
#include "tools/advise/memory_trial.h"
#include "tools/advise/profile.h"
#include "tools/advise/trial.h"

namespace rumcask::advise {
namespace {

constexpr int kHalvings = 4;
constexpr double kTolerance = 0.15;

class ModelTest : public testing::TestWithParam<std::string> {
 protected:
  ModelTest() : directory_(testing::TempDir() + "/model_test") {
    std::filesystem::create_directory(directory_);
    profile_.keys = 1000000;
    // What is overwritten takes space that depends on when it comes back, up to a bound.
    profile_.gets = 0;
    profile_.overwrites = 0;
    profile_.inserts = 1;
    settings_.keystore = GetParam();
    settings_.directory = directory_;
  }
  ~ModelTest() override { std::filesystem::remove_all(directory_); }

  const std::string directory_;
  Profile profile_;
  TrialSettings settings_;
};

TEST_P(ModelTest, PredictsMemoryAndDiskOfALargerDatabase) {
  const KeystoreFactory keystore = *KeystoreByName(GetParam());
  GatherSettings gather;
  gather.directory = directory_;
  gather.most_index_keys = profile_.keys >> kHalvings;
  const absl::StatusOr<Trials> trials = TryKeystore(profile_, keystore, kHalvings, gather);
  ASSERT_TRUE(trials.ok()) << trials.status();
  settings_.only_fill = true;
  const absl::StatusOr<Trial> real = RunTrial(profile_, settings_);
  ASSERT_TRUE(real.ok()) << real.status();

  const Model model = ModelOf(profile_, keystore, *trials);
  const Prediction prediction = Predict(model, profile_.keys);
  const auto memory =
      static_cast<double>(model.persistent ? real->peak_memory_bytes : real->memory_bytes);
  EXPECT_NEAR(prediction.memory_bytes / memory, 1, kTolerance)
      << prediction.memory_bytes << " and " << memory;
  const auto disk =
      static_cast<double>(real->log_bytes + real->index_file_bytes + real->reserve_bytes);
  EXPECT_NEAR(prediction.disk_bytes / disk, 1, kTolerance)
      << prediction.disk_bytes << " and " << disk;

  // What the larger trial's log takes after overwriting is within what is predicted for it with
  // segments of its size, and would not be if nothing were overwritten.
  const auto worn = static_cast<double>(trials->large.worn_log_bytes);
  EXPECT_GT(worn, model.log.At(static_cast<double>(trials->large.keys)) * (1 + kTolerance));
  profile_.overwrites = 1;
  Model overwritten = ModelOf(profile_, keystore, *trials);
  overwritten.working_bytes = std::ldexp(overwritten.working_bytes, -kHalvings);
  overwritten.index_files = {};
  EXPECT_LE(worn, Predict(overwritten, trials->large.keys).disk_bytes);
}

INSTANTIATE_TEST_SUITE_P(All, ModelTest, testing::ValuesIn(KeystoreNames()),
                         [](const auto& test) { return test.param; });

}  // namespace
}  // namespace rumcask::advise
