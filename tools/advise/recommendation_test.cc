#include "tools/advise/recommendation.h"

#include <cstdint>
#include <fstream>
#include <string>
#include <utility>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "tools/advise/profile.h"
#include "tools/advise/recorded_evidence.h"

namespace rumcask::advise {
namespace {

constexpr uint64_t kGiB = uint64_t{1} << 30;

struct Case {
  std::string name;
  Profile profile;
  Evidence evidence;
  std::string keystore;
};

Profile Lookups() {
  Profile profile;
  profile.keys = 5000000;
  profile.memory_bytes = 8 * kGiB;
  return profile;
}

Profile Exact() {
  Profile profile = Lookups();
  profile.exact_keys = true;
  return profile;
}

Profile Ranges() {
  Profile profile = Lookups();
  profile.gets = 0.3;
  profile.overwrites = 0.3;
  profile.scans = 0.4;
  return profile;
}

Profile MoreThanMemory() {
  Profile profile;
  profile.keys = 20000000;
  profile.memory_bytes = kGiB / 2;
  profile.gets = 0.9;
  profile.overwrites = 0.1;
  return profile;
}

Profile MoreThanMemoryWritten() {
  Profile profile = MoreThanMemory();
  profile.gets = 0.1;
  profile.overwrites = 0.9;
  return profile;
}

Profile LongKeys() {
  Profile profile = MoreThanMemory();
  profile.key_bytes = {600};
  return profile;
}

Profile OpensAtOnce() {
  Profile profile = Lookups();
  profile.open_seconds = 0.1;
  profile.gets = 0.8;
  profile.overwrites = 0.2;
  return profile;
}

Profile Impossible() {
  Profile profile = LongKeys();
  profile.memory_bytes = 100 << 20;
  return profile;
}

std::vector<Case> Cases() {
  return {
      {"lookups", Lookups(), FiveMillionKeys(), "hash"},
      {"exact", Exact(), FiveMillionKeys(), "flat"},
      {"ranges", Ranges(), FiveMillionKeys(), "btree"},
      {"more_than_memory", MoreThanMemory(), TwentyMillionKeys(), "lmdb"},
      {"more_than_memory_written", MoreThanMemoryWritten(), TwentyMillionKeys(), "rocksdb"},
      {"long_keys", LongKeys(), TwentyMillionKeys(), "rocksdb"},
      {"opens_at_once", OpensAtOnce(), FiveMillionKeys(), "lmdb"},
      {"impossible", Impossible(), TwentyMillionKeys(), ""},
  };
}

class ProfilesTest : public testing::TestWithParam<Case> {};

TEST_P(ProfilesTest, HaveTheirKeystore) {
  const Recommendation recommendation = Recommend(GetParam().profile, GetParam().evidence);
  EXPECT_EQ(recommendation.keystore, GetParam().keystore) << recommendation.reason;
}

INSTANTIATE_TEST_SUITE_P(All, ProfilesTest, testing::ValuesIn(Cases()),
                         [](const auto& test) { return test.param.name; });

std::string ObstacleOf(const Recommendation& recommendation, const std::string& keystore) {
  for (const Judgement& judgement : recommendation.judgements) {
    if (judgement.keystore == keystore) return judgement.obstacle;
  }
  return "not judged";
}

TEST(RecommendationTest, SaysWhatDoesNotFit) {
  const Recommendation long_keys = Recommend(LongKeys(), TwentyMillionKeys());
  EXPECT_EQ(ObstacleOf(long_keys, "hash"), "it needs 686.6 MiB of memory, and there are 512.0 MiB");
  EXPECT_EQ(ObstacleOf(long_keys, "lmdb"),
            "its keys have at most 511 bytes, and there are some of 600");
  EXPECT_EQ(ObstacleOf(long_keys, "rocksdb"), "");
  EXPECT_EQ(long_keys.reason, "It is the only one that fits.");
  const Recommendation ranges = Recommend(Ranges(), FiveMillionKeys());
  EXPECT_EQ(ObstacleOf(ranges, "flat"), "it keeps no order of keys");
  Profile profile = Lookups();
  profile.recovery_seconds = 2;
  EXPECT_EQ(ObstacleOf(Recommend(profile, FiveMillionKeys()), "flat"),
            "opening after a crash takes 4.2 s, and may take 2.0 s");
  EXPECT_EQ(ObstacleOf(Recommend(Exact(), FiveMillionKeys()), "hash"),
            "it may take two keys for one, with odds below n^2 / 2^109 for n keys");
}

TEST(RecommendationTest, PrefersTheSimplerOfTwoThatCostAboutTheSame) {
  Evidence evidence = FiveMillionKeys();
  evidence.models[1].seconds = evidence.models[0].seconds;
  evidence.models[1].seconds.get *= 0.95;
  evidence.models[1].seconds.overwrite *= 0.95;
  EXPECT_EQ(Recommend(Lookups(), evidence).keystore, "hash");
  evidence.models[1].seconds.get *= 0.9;
  evidence.models[1].seconds.overwrite *= 0.9;
  EXPECT_EQ(Recommend(Lookups(), evidence).keystore, "flat");
}

TEST(RecommendationTest, APutCostsWhatTheDeviceTakesForIt) {
  // LMDB writes five times as much.
  Evidence evidence = TwentyMillionKeys();
  for (Model& model : evidence.models) model.seconds = {1e-6, 1e-6, 1e-6, 1e-6};
  const Profile profile = MoreThanMemoryWritten();
  evidence.device_bytes_per_second = 10e9;
  EXPECT_EQ(Recommend(profile, evidence).keystore, "lmdb");
  evidence.device_bytes_per_second = 100e6;
  EXPECT_EQ(Recommend(profile, evidence).keystore, "rocksdb");
}

// What is told is true: with the number of keys that is named, the other keystore is the choice,
// and with a tenth less it is not.
TEST(RecommendationTest, WhatItTellsOfKeysHappens) {
  Profile profile = Lookups();
  profile.memory_bytes = kGiB;
  profile.keys = 30000000;
  EXPECT_EQ(Recommend(profile, FiveMillionKeys()).keystore, "lmdb");
  profile.keys = 27000000;
  EXPECT_EQ(Recommend(profile, FiveMillionKeys()).keystore, "hash");
}

TEST(RecommendationTest, TellsWhatWouldChangeIt) {
  Profile profile = Lookups();
  profile.memory_bytes = kGiB;
  const Recommendation recommendation = Recommend(profile, FiveMillionKeys());
  std::vector<std::string> told;
  for (const Change& change : recommendation.changes) {
    told.push_back(change.keystore + " " + change.condition);
  }
  // With the table's figures btree is nowhere the best without scans, and rocksdb needs more than
  // one change.
  EXPECT_THAT(told, testing::ElementsAre("flat if two keys may never be taken for one",
                                         "lmdb with some 30,000,000 keys or more",
                                         "lmdb if keys are wanted in order"));
}

TEST(RecommendationTest, ScansAloneDoNotDecideWhereOrderIsWanted) {
  const auto of_hash = [](const Profile& profile) {
    for (const Change& change : Recommend(profile, FiveMillionKeys()).changes) {
      if (change.keystore == "hash") return change.condition;
    }
    return std::string();
  };
  Profile profile = Ranges();
  EXPECT_EQ(of_hash(profile), "if nothing is scanned");
  profile.ordered = true;
  EXPECT_EQ(of_hash(profile), "if nothing is scanned and keys are not wanted in order");
  profile.scans = 0;
  EXPECT_EQ(of_hash(profile), "if keys are not wanted in order");
}

TEST(RecommendationTest, TellsLongTimesInFull) {
  Profile profile = Lookups();
  profile.keys = 1000000000;
  profile.memory_bytes = 1000 * kGiB;
  profile.open_seconds = 103;
  const Recommendation recommendation = Recommend(profile, FiveMillionKeys());
  EXPECT_EQ(ObstacleOf(recommendation, "hash"), "opening takes 184.0 s, and may take 103.0 s");
  std::vector<std::string> told;
  for (const Change& change : recommendation.changes) {
    if (change.keystore == "hash") told.push_back(change.condition);
  }
  EXPECT_THAT(told, testing::ElementsAre("with some 185.0 s for an opening or more"));
}

// The keystores of the table in README under "Which keystore".
std::vector<std::string> ReadmeRows() {
  std::ifstream file("README.md");
  EXPECT_TRUE(file.is_open());
  std::vector<std::string> keystores;
  bool in_table = false;
  for (std::string line; std::getline(file, line);) {
    if (line == "| you have | take | because |") {
      in_table = true;
    } else if (in_table && line.empty()) {
      break;
    } else if (in_table && line.rfind("|---", 0) != 0) {
      const size_t cell = line.find("| `", 1) + 3;
      keystores.push_back(line.substr(cell, line.find('`', cell) - cell));
    }
  }
  return keystores;
}

TEST(RecommendationTest, SaysWhatTheReadmeSays) {
  std::vector<std::string> keystores;
  for (const auto& [profile, evidence] :
       std::vector<std::pair<Profile, Evidence>>{{Lookups(), FiveMillionKeys()},
                                                 {Exact(), FiveMillionKeys()},
                                                 {Ranges(), FiveMillionKeys()},
                                                 {MoreThanMemory(), TwentyMillionKeys()},
                                                 {MoreThanMemoryWritten(), TwentyMillionKeys()}}) {
    keystores.push_back(Recommend(profile, evidence).keystore);
  }
  EXPECT_EQ(keystores, ReadmeRows());
}

// The trials' indexes are in the page cache, where lmdb is as fast as rocksdb or faster. What the
// README knows of others is told then.
TEST(RecommendationTest, SaysWhereTheReadmeKnowsMore) {
  const Recommendation read = Recommend(MoreThanMemory(), FiveMillionKeys());
  EXPECT_EQ(read.keystore, ReadmeRows()[3]);
  EXPECT_EQ(read.caution, "");
  const Recommendation written = Recommend(MoreThanMemoryWritten(), FiveMillionKeys());
  EXPECT_EQ(written.keystore, "lmdb");
  EXPECT_THAT(written.caution, testing::HasSubstr("its index would take 934.6 MiB"));
  EXPECT_THAT(written.caution, testing::HasSubstr("take " + ReadmeRows()[4] + " then"));
  // Not where the index fits, or where rocksdb does not.
  Profile fits = MoreThanMemoryWritten();
  fits.ordered = true;
  fits.memory_bytes = kGiB;
  EXPECT_EQ(Recommend(fits, FiveMillionKeys()).keystore, "lmdb");
  EXPECT_EQ(Recommend(fits, FiveMillionKeys()).caution, "");
  Evidence slow_to_open = FiveMillionKeys();
  slow_to_open.models[4].open_seconds = {1000, 0};
  Profile opens = MoreThanMemoryWritten();
  opens.open_seconds = 1;
  EXPECT_EQ(Recommend(opens, slow_to_open).keystore, "lmdb");
  EXPECT_EQ(Recommend(opens, slow_to_open).caution, "");
}

}  // namespace
}  // namespace rumcask::advise
