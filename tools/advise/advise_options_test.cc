// What flags, properties of YCSB and a database say together.

#include "tools/advise/advise_options.h"

#include <string>

#include "absl/status/statusor.h"
#include "gtest/gtest.h"

#include "tools/advise/profile.h"
#include "tools/bench/workload.h"

namespace rumcask::advise {
namespace {

Profile OfDatabase() {
  Profile profile;
  profile.keys = 7000;
  profile.key_bytes = {9};
  profile.value_bytes = {33};
  return profile;
}

std::string Error(const AdviseOptions& options, const Profile& base = OfDatabase()) {
  return std::string(ProfileOf(options, base).status().message());
}

TEST(AdviseOptionsTest, PropertiesReplaceOnlyWhatTheyName) {
  AdviseOptions options;
  options.properties = {"readproportion=0.75", "updateproportion=0.25"};
  absl::StatusOr<Profile> profile = ProfileOf(options, OfDatabase());
  ASSERT_TRUE(profile.ok()) << profile.status();
  EXPECT_EQ(profile->keys, 7000);
  EXPECT_EQ(profile->EntryBytes(), 42);
  EXPECT_EQ(profile->gets, 0.75);
  EXPECT_EQ(profile->scan_length, 50);
  options.properties = {"recordcount=5000", "fieldlength=7", "maxscanlength=9",
                        "requestdistribution=latest", "insertorder=ordered"};
  profile = ProfileOf(options, OfDatabase());
  ASSERT_TRUE(profile.ok()) << profile.status();
  EXPECT_EQ(profile->keys, 5000);
  EXPECT_EQ(profile->EntryBytes(), 79);
  EXPECT_EQ(profile->gets, 0.5);
  EXPECT_EQ(profile->scan_length, 5);
  EXPECT_EQ(profile->popular, bench::KeyOrder::kLatest);
  EXPECT_TRUE(profile->ascending);
}

TEST(AdviseOptionsTest, FlagsComeBeforeProperties) {
  AdviseOptions options;
  options.properties = {"recordcount=5000"};
  options.scans = "1";
  absl::StatusOr<Profile> profile = ProfileOf(options, Profile());
  ASSERT_TRUE(profile.ok()) << profile.status();
  EXPECT_EQ(profile->keys, 5000);
  EXPECT_EQ(profile->scans, 1);
  EXPECT_EQ(profile->gets, 0);
  // What the proportions add up to does not matter then, but they are numbers all the same.
  options.properties = {"readproportion=0.5"};
  EXPECT_EQ(Error(options), "");
  options.properties = {"readproportion=half"};
  EXPECT_EQ(Error(options), "readproportion: 'half' is no share from 0 to 1");
}

TEST(AdviseOptionsTest, TheLongestKeyIsThatOfTheDatabaseUnlessLengthsAreGiven) {
  Profile base = OfDatabase();
  base.longest_key_bytes = 600;
  AdviseOptions options;
  EXPECT_EQ(ProfileOf(options, base).value().LongestKey(), 600);
  options.key_size = "20";
  EXPECT_EQ(ProfileOf(options, base).value().LongestKey(), 20);
}

TEST(AdviseOptionsTest, Wrong) {
  AdviseOptions options;
  options.properties = {"readproportion=0.5"};
  EXPECT_EQ(Error(options), "the proportions add up to 0.5, not 1");
  options.properties = {"fieldlength=5"};
  EXPECT_EQ(Error(options, Profile()),
            "the number of keys is missing: give --keys, a property file or --from-db");
}

TEST(AdviseOptionsTest, WhatCannotBe) {
  AdviseOptions options;
  options.keys = "0";
  EXPECT_EQ(Error(options), "--keys: '0' is no number from 1 to 10^15");
  options.keys = "-1";
  EXPECT_EQ(Error(options), "--keys: '-1' is no number from 1 to 10^15");
  options.keys = "257";
  options.key_size = "1";
  EXPECT_EQ(Error(options), "257 keys: with a length of at most 1 there are only 256");
  options.keys = "256";
  EXPECT_EQ(Error(options), "");
  options.scan_length = "0";
  EXPECT_EQ(Error(options), "--scan-length: '0' is no number from 1 to 10^15");
  options.scan_length.reset();
  options.gets = options.overwrites = "1e308";
  EXPECT_EQ(Error(options), "the shares of the operations are too large to be added");
  options.gets.reset();
  EXPECT_EQ(Error(options), "");
  options.key_size = "x";
  EXPECT_EQ(Error(options),
            "--key-size: 'x' is no length up to 67108864 bytes; there are BYTES, uniform:FROM-TO, "
            "normal:MEAN,DEVIATION and pareto:SHAPE,SCALE");
}

TEST(AdviseOptionsTest, MoreThanCanBeCalculatedWith) {
  AdviseOptions options;
  options.properties = {"recordcount=2000000000000000"};
  EXPECT_EQ(Error(options), "the number of keys must be at most 10^15");
  options.properties = {"recordcount=1000000000000000", "fieldlength=10"};
  EXPECT_EQ(Error(options), "keys and values of more than 10^17 bytes in all");
}

}  // namespace
}  // namespace rumcask::advise
