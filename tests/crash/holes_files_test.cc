// Holes about missing and leftover files, H14 and H15, and about repair, H25.

#include <string>

#include "gtest/gtest.h"

#include "core/check/repair.h"
#include "core/format/limits.h"
#include "core/stats.h"
#include "tests/crash/holes_fixture.h"
#include "tests/crash_kit/fault_file_system.h"

namespace rumcask {
namespace {

// H14. A missing sealed segment is reported by name, not taken for a reclaimed one.
TEST_P(HolesTest, H14_AMissingSealedSegmentIsDamage) {
  Open();
  for (int i = 0; i < 60; ++i) Put(Key(i), std::string(200, 'v'));
  ASSERT_TRUE(db_->Close().ok());
  const CrashImage image = disk_->Cut(KeepPolicy::KeepEverything());
  const size_t segments = Files().size() - 2;
  ASSERT_GE(segments, 3u);
  for (size_t id = 1; id <= segments; ++id) {
    StartFrom(image);
    disk_->RemoveFile(SegmentPath(static_cast<int>(id)));
    const absl::Status status = TryOpen();
    ASSERT_TRUE(absl::IsDataLoss(status)) << id << ": " << status;
    EXPECT_TRUE(absl::StrContains(status.message(), absl::StrCat("000", id, ".seg"))) << status;
  }
}

// A segment id is never reused, not even that of a file that held nothing. Such a file is deleted.
TEST_P(HolesTest, H14_IdsAreNeverReused) {
  Open();
  Put("k", "v", true);
  ASSERT_TRUE(db_->Close().ok());
  // A crash may leave an empty prepared file with an id above those in MANIFEST.
  disk_->WriteFile(SegmentPath(7), std::string(kMinSegmentBytes, '\0'));
  Open();
  for (int i = 0; i < 40; ++i) Put(Key(i), std::string(200, 'v'));
  EXPECT_FALSE(FileExists(7));
  for (const SegmentStats& segment : db_->GetStats().segments) {
    EXPECT_TRUE(segment.id == 1 || segment.id > 7) << segment.id;
  }
  EXPECT_EQ(Get("k"), "v");
}

// H15. The directory of a new database is durable before Open returns.
TEST_P(HolesTest, H15_ANewDatabaseDoesNotVanishWhole) {
  Open();
  Put("k", "v", true);
  for (const KeepPolicy& policy : KeepPolicy::AllFixed()) {
    const CrashImage image = disk_->Cut(policy);
    CrashFileSystem disk(image);
    auto db = DB::Open(kPath, [&] {
      Options options = MakeOptions(&disk);
      options.create_if_missing = false;
      return options;
    }());
    ASSERT_TRUE(db.ok()) << policy.ToString() << ": " << db.status();
    EXPECT_EQ(*(*db)->Get("k"), "v") << policy.ToString();
  }
}

// The same if the creation was interrupted before that point and the next opening completes it.
TEST_P(HolesTest, H15_AnInterruptedCreationLeavesNothingToVanish) {
  FaultFileSystem faults(disk_.get());
  options_.file_system = &faults;
  FaultPlan plan;
  plan.call = 1;
  plan.fault = Fault::kEio;
  plan.matches = [](const Call& call) { return call.kind == CallKind::kSyncParent; };
  faults.SetPlan(plan);
  EXPECT_FALSE(TryOpen().ok());
  Open();
  Put("k", "v", true);
  CutPower(KeepPolicy::DropUnsynced());
  options_.create_if_missing = false;
  Open();
  EXPECT_EQ(Get("k"), "v");
}

// Segments without a MANIFEST are not a new database.
TEST_P(HolesTest, H15_SegmentsWithoutManifestAreDamage) {
  Open();
  Put("k", "v", true);
  ASSERT_TRUE(db_->Close().ok());
  disk_->RemoveFile(absl::StrCat(kPath, "/MANIFEST"));
  const auto files = Files();
  const absl::Status status = TryOpen();
  ASSERT_TRUE(absl::IsDataLoss(status)) << status;
  EXPECT_TRUE(absl::StrContains(status.message(), "MANIFEST")) << status;
  EXPECT_EQ(Files(), files);
}

// A repaired database tolerates a damaged footer like any other: the link in the next segment says
// where the records end.
TEST_P(HolesTest, H25_ARepairedDatabaseKeepsItsLinks) {
  Open();
  for (int i = 0; i < 60; ++i) Put(Key(i), std::string(200, 'v'));
  ASSERT_TRUE(db_->Close().ok());
  const std::string repaired = "/crash/repaired";
  ASSERT_TRUE(Repair(kPath, repaired, disk_.get()).ok());
  const size_t segments = disk_->Contents(repaired).size() - 1;
  ASSERT_GE(segments, 3u);
  for (size_t id = 1; id <= segments; ++id) {
    const std::string name = absl::StrCat("000000000000000", id, ".seg");
    const std::string path = absl::StrCat(repaired, "/", name);
    const std::string whole = disk_->Contents(repaired)[name];
    disk_->FlipBit(path, whole.size() - 10, 2);
    auto db = DB::Open(repaired, options_);
    ASSERT_TRUE(db.ok()) << id << ": " << db.status();
    EXPECT_EQ((*db)->KeyCount(), 60u);
    db->reset();
    disk_->WriteFile(path, whole);
  }
}

}  // namespace
}  // namespace rumcask
