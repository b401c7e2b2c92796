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

}  // namespace
}  // namespace rumcask::advise
