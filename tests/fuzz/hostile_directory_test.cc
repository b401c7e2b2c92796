// Directories that no writer leaves and no fuzzer finds, because they are too large, too expensive
// or too far from any seed. Like those of database_fuzz_test, they may be refused, but only with a
// status.

#include <cstdint>
#include <map>
#include <memory>
#include <string>

#include "gtest/gtest.h"

#include "core/check/repair.h"
#include "core/check/verify.h"
#include "core/db.h"
#include "core/format/format.h"
#include "core/format/key_table.h"
#include "core/format/manifest.h"
#include "core/testing/map_keystore.h"
#include "tests/crash_kit/crash_file_system.h"

namespace rumcask {
namespace {

constexpr char kPath[] = "/crash/db";
constexpr char kRepaired[] = "/crash/repaired";

class HostileDirectoryTest : public testing::Test {
 protected:
  HostileDirectoryTest() {
    options_.keystore = TestKeystore();
    options_.create_if_missing = true;
    options_.segment_bytes = 4096;
    options_.background_threads = 0;
    options_.file_system = &fs_;
    uuid_ = {7, 7, 7};
  }

  static std::string Path(uint64_t id) { return std::string(kPath) + "/" + SegmentName(id); }

  // A closed database with `segments` sealed segments and one that is continued. Key i has its
  // newest value in segment i + 1 and older ones in the segments before.
  void MakeHonest(int segments) {
    absl::StatusOr<std::unique_ptr<DB>> db = DB::Open(kPath, options_);
    ASSERT_TRUE(db.ok()) << db.status();
    for (int segment = 0; segment <= segments; ++segment) {
      const int puts = segments + 1 - segment;
      for (int key = segment; key <= segments; ++key) {
        ASSERT_TRUE(
            (*db)->Put("key" + std::to_string(key), "value of " + std::to_string(segment)).ok());
      }
      // Leaves less room than another put takes.
      const int room = 4096 - static_cast<int>(kSegmentHeaderBytes) - 40 * puts - 4 * 24 - 8;
      if (segment == segments) break;
      ASSERT_TRUE((*db)->Put("filling", std::string(room - 31, 'f')).ok());
    }
    ASSERT_TRUE((*db)->Close().ok());
    ASSERT_EQ(fs_.Contents(kPath).count(SegmentName(segments + 1)), 1);
  }

  // Writes a MANIFEST that lists one sealed segment with id 1.
  void WriteManifestOfOne() {
    ASSERT_TRUE(fs_.CreateDirectory(kPath).ok());
    Manifest manifest;
    manifest.uuid = uuid_;
    manifest.keystore = "hash";
    manifest.durable_sequence = 100;
    manifest.next_sequence = 1000;
    manifest.Append(1, Stream::kUser, /*sealed=*/true, 0);
    fs_.WriteFile(std::string(kPath) + "/MANIFEST", EncodeManifest(manifest));
  }

  std::string Header() const {
    SegmentHeader header;
    header.uuid = uuid_;
    header.id = 1;
    std::string bytes(kSegmentHeaderBytes, '\0');
    EncodeSegmentHeader(header, bytes.data());
    return bytes;
  }

  std::string Record(uint64_t offset, const RecordHeader& header, const std::string& key,
                     const std::string& value) const {
    std::string bytes(header.record_bytes(), '\0');
    EncodeRecordHeader(bytes.data(), header, SegmentSeed(uuid_, 1) + offset,
                       InnerChecksum(key, value));
    bytes.replace(kRecordHeaderBytes, key.size(), key);
    bytes.replace(kRecordHeaderBytes + key.size(), value.size(), value);
    return bytes;
  }

  CrashFileSystem fs_;
  Options options_;
  Uuid uuid_ = {};
};

// A location can hold offsets below 2 GiB; a sparse file can be larger at no cost.
TEST_F(HostileDirectoryTest, RecordsBeyondWhatALocationCanHold) {
  WriteManifestOfOne();
  KeyTableBuilder table;
  uint64_t end = kSegmentHeaderBytes;
  for (int i = 0; i < 4; ++i) {
    RecordHeader header;
    header.sequence = i + 1;
    header.key_bytes = 1;
    header.value_bytes = i < 3 ? 1u << 30 : 5;
    table.Add(header, std::string(1, static_cast<char>('a' + i)));
    end += header.record_bytes();
  }
  fs_.WriteFile(Path(1), Header());
  fs_.Overwrite(Path(1), end, table.Finish(end, SegmentSeed(uuid_, 1), {}));
  auto db = DB::OpenReadOnly(kPath, options_);
  if (!db.ok()) return;
  std::string value;
  for (const char* key : {"a", "b", "c", "d"}) EXPECT_FALSE((*db)->Get(key, &value).ok());
  auto it = (*db)->NewIterator();
  ASSERT_TRUE(it.ok());
  while ((*it)->Valid()) (*it)->Next();
}

// Small valid records lie between headers that claim most of the file. Looking for the next record
// after each of them must not compute a checksum over the rest of the file every time.
TEST_F(HostileDirectoryTest, ResynchronisingIsNotQuadratic) {
  WriteManifestOfOne();
  std::string bytes = Header();
  constexpr size_t kSize = size_t{8} << 20;
  RecordHeader lie;
  lie.key_bytes = 1;
  uint64_t sequence = 0;
  while (bytes.size() < kSize) {
    lie.value_bytes = static_cast<uint32_t>(kSize - bytes.size());
    std::string fake(32, '\0');
    EncodeRecordHeader(fake.data(), lie, 0, 0);
    bytes += fake;
    RecordHeader header;
    header.sequence = ++sequence;
    header.key_bytes = 1;
    bytes += Record(bytes.size(), header, "k", "");
  }
  bytes.resize(kSize + 4096);
  fs_.WriteFile(Path(1), bytes);
  // If it did, this would take hours and exceed the test's time limit.
  EXPECT_FALSE(DB::Open(kPath, options_).ok());
  (void)VerifyFiles(kPath, &fs_);
  (void)Repair(kPath, kRepaired, &fs_);
}

// Numbers are so high that the next ones would wrap. Opening is refused, or else what is written is
// there afterwards.
TEST_F(HostileDirectoryTest, NumbersThatLeaveNoneForTheNextWrite) {
  const uint64_t end = UINT64_MAX;
  for (const uint64_t high : {end, end - 1, end - (uint64_t{1} << 40), end - (uint64_t{3} << 40)}) {
    for (int which = 0; which < 4; ++which) {
      Manifest manifest;
      manifest.uuid = uuid_;
      manifest.keystore = "hash";
      manifest.clean = which == 3;
      if (which == 0) manifest.durable_sequence = high;
      if (which == 1 || which == 3) manifest.next_sequence = high;
      if (which == 2) manifest.highest_id = high;
      const std::string path = "/crash/" + std::to_string(high) + "." + std::to_string(which);
      ASSERT_TRUE(fs_.CreateDirectory(path).ok());
      fs_.WriteFile(path + "/MANIFEST", EncodeManifest(manifest));
      auto db = DB::Open(path, options_);
      if (!db.ok() || !(*db)->Put("key", "value").ok() || !(*db)->Close().ok()) continue;
      db = DB::Open(path, options_);
      ASSERT_TRUE(db.ok()) << path << ": " << db.status();
      EXPECT_EQ((*db)->Get("key").value_or(""), "value") << path;
    }
  }
}

// One segment of many is missing: the later ones can be read and survive a repair.
TEST_F(HostileDirectoryTest, SegmentsAfterAMissingOneAreKept) {
  MakeHonest(6);
  fs_.RemoveFile(Path(3));
  EXPECT_TRUE(absl::IsDataLoss(DB::Open(kPath, options_).status()));
  const auto check = [&](DB* db) {
    for (const int key : {0, 1, 3, 4, 5, 6}) {
      auto value = db->Get("key" + std::to_string(key));
      ASSERT_TRUE(value.ok()) << "key" << key << ": " << value.status();
      EXPECT_EQ(*value, "value of " + std::to_string(key));
    }
  };
  {
    auto db = DB::OpenReadOnly(kPath, options_);
    ASSERT_TRUE(db.ok()) << db.status();
    check(db->get());
  }
  const auto report = Repair(kPath, kRepaired, &fs_);
  ASSERT_TRUE(report.ok()) << report.status();
  auto db = DB::Open(kRepaired, options_);
  ASSERT_TRUE(db.ok()) << db.status();
  check(db->get());
}

// A sealed segment has only a few bytes left, fewer than a header.
TEST_F(HostileDirectoryTest, SegmentShorterThanItsHeader) {
  MakeHonest(4);
  for (const uint64_t size : {224, 223, 129, 128, 127, 10, 1, 0}) {
    fs_.TruncateFile(Path(3), size);
    {
      auto db = DB::OpenReadOnly(kPath, options_);
      ASSERT_TRUE(db.ok()) << size << ": " << db.status();
      EXPECT_EQ((*db)->Get("key4").value_or(""), "value of 4");
      EXPECT_TRUE((*db)->Verify().ok());
    }
    const auto verified = VerifyFiles(kPath, &fs_);
    ASSERT_TRUE(verified.ok()) << size << ": " << verified.status();
    EXPECT_FALSE(verified->clean());
    const auto report = Repair(kPath, kRepaired + std::to_string(size), &fs_);
    EXPECT_TRUE(report.ok()) << size << ": " << report.status();
  }
}

// According to FORMAT.md, a reader that does not know a kind below 32 must refuse the database,
// even if only the key table of a sealed segment has that kind.
TEST_F(HostileDirectoryTest, UnknownKindInASealedSegmentIsRefused) {
  WriteManifestOfOne();
  RecordHeader header;
  header.kind = static_cast<RecordKind>(9);
  header.sequence = 5;
  header.key_bytes = 1;
  const std::string record = Record(kSegmentHeaderBytes, header, "k", "");
  header.checksum = LoadU64(record.data());
  KeyTableBuilder table;
  table.Add(header, "k");
  const uint64_t end = kSegmentHeaderBytes + record.size();
  fs_.WriteFile(Path(1), Header() + record + table.Finish(end, SegmentSeed(uuid_, 1), {}));
  EXPECT_TRUE(absl::IsFailedPrecondition(DB::Open(kPath, options_).status()));
}

// The highest ids would leave none for later segments.
TEST_F(HostileDirectoryTest, ASegmentThatTakesTheLastId) {
  MakeHonest(1);
  fs_.WriteFile(Path(kEndOfNumbers - 1), "");
  const auto files = fs_.Contents(kPath);
  const absl::Status status = DB::Open(kPath, options_).status();
  EXPECT_TRUE(absl::IsDataLoss(status)) << status;
  EXPECT_NE(status.message().find(SegmentName(kEndOfNumbers - 1)), absl::string_view::npos);
  EXPECT_EQ(fs_.Contents(kPath), files);
  auto reader = DB::OpenReadOnly(kPath, options_);
  ASSERT_TRUE(reader.ok()) << reader.status();
  EXPECT_EQ((*reader)->KeyCount(), 3u);
  ASSERT_TRUE(Repair(kPath, kRepaired, &fs_).ok());
  auto repaired = DB::Open(kRepaired, options_);
  ASSERT_TRUE(repaired.ok()) << repaired.status();
  EXPECT_EQ((*repaired)->KeyCount(), 3u);
}

// The highest numbers would leave none for later records.
TEST_F(HostileDirectoryTest, AManifestThatTakesTheLastNumber) {
  ASSERT_TRUE(fs_.CreateDirectory(kPath).ok());
  Manifest manifest;
  manifest.keystore = "hash";
  manifest.next_sequence = kEndOfNumbers - 1;
  fs_.WriteFile(std::string(kPath) + "/MANIFEST", EncodeManifest(manifest));
  const absl::Status status = DB::Open(kPath, options_).status();
  EXPECT_TRUE(absl::IsDataLoss(status)) << status;
}

}  // namespace
}  // namespace rumcask
