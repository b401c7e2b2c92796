#include "core/segment/segment_file.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "gtest/gtest.h"

#include "core/testing/segment_bytes.h"

namespace rumcask {
namespace {

constexpr uint64_t kId = 7;
constexpr uint64_t kSector = 512;
const Uuid kUuid = {1, 2, 3};

// A file in memory on a device that cannot read some of its sectors.
class BadSectorsFile : public File {
 public:
  explicit BadSectorsFile(std::string bytes) : File("0000000000000007.seg"), bytes_(bytes) {}

  void FailSector(uint64_t offset) { bad_.push_back(offset / kSector * kSector); }
  void FailWith(int error) { error_ = error; }
  // The n-th read from now on.
  void FailOnce(int n) { fails_in_ = n; }
  mutable uint64_t reads = 0;

 protected:
  int64_t DoPread(uint64_t offset, void* buffer, size_t size) const override {
    ++reads;
    if (error_ != 0) return -error_;
    if (fails_in_ > 0 && --fails_in_ == 0) return -EIO;
    if (offset >= bytes_.size()) return 0;
    size = std::min(size, bytes_.size() - offset);
    for (uint64_t bad : bad_) {
      if (bad < offset + size && offset < bad + kSector) return -EIO;
    }
    std::memcpy(buffer, bytes_.data() + offset, size);
    return static_cast<int64_t>(size);
  }
  int64_t DoPwritev(uint64_t, const iovec*, int) override { return -EROFS; }
  int DoTruncate(uint64_t) override { return -EROFS; }
  int DoSync() override { return 0; }
  int64_t DoSize() const override { return static_cast<int64_t>(bytes_.size()); }
  int DoMap(size_t, bool, std::unique_ptr<MappedRegion>*) override { return -ENODEV; }
  int DoLock(LockKind) override { return 0; }

 private:
  const std::string bytes_;
  std::vector<uint64_t> bad_;
  int error_ = 0;
  mutable int fails_in_ = 0;
};

// `*device`, if given, stays valid as long as the result.
std::unique_ptr<SegmentFile> Open(const SegmentBytes& segment, BadSectorsFile** device = nullptr) {
  auto file = std::make_unique<BadSectorsFile>(segment.bytes());
  if (device != nullptr) *device = file.get();
  return std::make_unique<SegmentFile>(std::move(file), kUuid, kId, segment.bytes().size());
}

struct Walk {
  std::vector<std::string> keys;
  std::vector<std::pair<uint64_t, uint64_t>> damages;
  std::vector<std::string> causes;
  bool last_followed = false;
  absl::Status status;
};

Walk WalkAll(SegmentFile* file, uint64_t end) {
  Walk walk;
  walk.status = file->ForEachRecord(
      kSegmentHeaderBytes, end,
      [&](const FoundRecord& record) {
        walk.keys.emplace_back(record.key);
        return absl::OkStatus();
      },
      [&](const FoundDamage& damage) {
        walk.damages.emplace_back(damage.offset, damage.length);
        walk.causes.emplace_back(damage.cause);
        walk.last_followed = damage.followed;
        return absl::OkStatus();
      });
  return walk;
}

// Ten records of a kilobyte, k0 to k9.
SegmentBytes TenRecords() {
  SegmentBytes segment(kUuid, kId);
  for (uint64_t i = 0; i < 10; ++i) {
    segment.AddPut(i + 1, "k" + std::to_string(i), std::string(1000, static_cast<char>('a' + i)));
  }
  return segment;
}

TEST(SegmentFile, AnUnreadableSectorIsDamageOfTheRecordsInIt) {
  SegmentBytes segment = TenRecords();
  const uint64_t end = segment.bytes().size();
  for (uint64_t sector = 0; sector < end; sector += kSector) {
    BadSectorsFile* device;
    const auto file = Open(segment, &device);
    device->FailSector(sector);
    const Walk walk = WalkAll(file.get(), end);
    ASSERT_TRUE(walk.status.ok()) << walk.status;
    std::vector<std::string> readable;
    for (size_t i = 0; i < 10; ++i) {
      const uint64_t next = i == 9 ? end : segment.offset(i + 1);
      if (next <= sector || segment.offset(i) >= sector + kSector) {
        readable.push_back("k" + std::to_string(i));
      }
    }
    EXPECT_EQ(walk.keys, readable) << sector;
    ASSERT_EQ(walk.damages.size(), readable.size() == 10 ? 0u : 1u) << sector;
    if (!walk.damages.empty()) {
      EXPECT_NE(walk.causes[0].find("cannot be read"), std::string::npos) << walk.causes[0];
    }
  }
}

TEST(SegmentFile, AnUnreadableSectorOfZerosIsNoRecordEither) {
  // Zeros stand in for what cannot be read, and here they are what stood there.
  SegmentBytes segment(kUuid, kId);
  segment.AddPut(1, "zeros", std::string(4000, '\0'));
  segment.AddPut(2, "after", "value");
  BadSectorsFile* device;
  const auto file = Open(segment, &device);
  device->FailSector(2048);
  const Walk walk = WalkAll(file.get(), segment.bytes().size());
  EXPECT_EQ(walk.keys, std::vector<std::string>{"after"});
  std::string record;
  RecordHeader header;
  const auto sound =
      file->ReadRecord(segment.offset(0), segment.offset(1) - segment.offset(0), &record, &header);
  ASSERT_TRUE(sound.ok());
  EXPECT_FALSE(*sound);
}

TEST(SegmentFile, BehindTheEndOfTheFileNothingIsRead) {
  SegmentBytes segment(kUuid, kId);
  segment.AddPut(1, "k", std::string(500, 'v'));
  ASSERT_NE(segment.bytes().size() % kSector, 0u);
  BadSectorsFile* device;
  const auto file = Open(segment, &device);
  const uint64_t last = segment.bytes().size() / kSector * kSector;
  device->FailSector(last);
  std::string buffer(4096, 'x');
  for (int again = 0; again < 2; ++again) {
    const absl::StatusOr<size_t> got = file->bytes()->ReadUpTo(last, buffer.data(), buffer.size());
    ASSERT_TRUE(got.ok()) << got.status();
    EXPECT_EQ(*got, segment.bytes().size() - last);
    EXPECT_FALSE(file->bytes()->IsUnreadable(segment.bytes().size(), UINT64_MAX));
  }
}

TEST(SegmentFile, ALargeAreaCostsWhatLiesInIt) {
  SegmentBytes segment(kUuid, kId);
  segment.AddPut(1, "lost", std::string(size_t{2} << 20, 'v'));
  std::vector<std::string> sound;
  uint64_t number = 2;
  for (; number < 40; ++number) {
    sound.push_back(absl::StrCat("key ", number));
    segment.AddPut(number, sound.back(), std::string(2000, 'v'));
  }
  segment.AddPut(number, "too", std::string(2000, 'v')).AddPut(number + 1, "last", "v");
  sound.push_back("last");
  BadSectorsFile* device;
  const auto file = Open(segment, &device);
  // All of the first record's value but what it ends with.
  for (uint64_t at = 0; at < uint64_t{2} << 20; at += kSector) {
    device->FailSector(kSegmentHeaderBytes + at);
  }
  device->FailSector(segment.offset(39) + kSector);
  const Walk walk = WalkAll(file.get(), segment.bytes().size());
  EXPECT_TRUE(walk.status.ok());
  // At the end of so large an area a bit more is given up than lies in it.
  ASSERT_GE(walk.keys.size(), sound.size() - 20);
  EXPECT_TRUE(std::equal(walk.keys.rbegin(), walk.keys.rend(), sound.rbegin()));
}

TEST(SegmentFile, ADeviceThatHasFailedIsNotAskedSectorBySector) {
  SegmentBytes segment(kUuid, kId);
  segment.AddPut(1, "k", std::string(size_t{8} << 20, 'v'));
  BadSectorsFile* device;
  const auto file = Open(segment, &device);
  device->FailWith(EIO);
  const Walk walk = WalkAll(file.get(), segment.bytes().size());
  EXPECT_TRUE(walk.status.ok());
  EXPECT_TRUE(walk.keys.empty());
  EXPECT_LT(device->reads, segment.bytes().size() / kSector / 2);
}

TEST(SegmentFile, AnErrorThatPassesIsNoDamage) {
  SegmentBytes segment = TenRecords();
  for (const int failing : {1, 2}) {
    BadSectorsFile* device;
    const auto file = Open(segment, &device);
    device->FailOnce(failing);
    SegmentHeader header;
    EXPECT_EQ(*file->ReadHeader(&header), HeaderState::kValid);
    EXPECT_EQ(WalkAll(file.get(), segment.bytes().size()).keys.size(), 10u);
  }
}

TEST(SegmentFile, WantOfMemoryIsAnErrorAndNoDamage) {
  SegmentBytes segment = TenRecords();
  segment.Seal();
  BadSectorsFile* device;
  const auto file = Open(segment, &device);
  device->FailWith(ENOMEM);
  EXPECT_TRUE(absl::IsResourceExhausted(WalkAll(file.get(), 5000).status));
  SegmentHeader header;
  EXPECT_TRUE(absl::IsResourceExhausted(file->ReadHeader(&header).status()));
  EXPECT_TRUE(absl::IsResourceExhausted(file->ReadTrailer().status()));
  EXPECT_TRUE(absl::IsResourceExhausted(file->ReadTraces(kSegmentHeaderBytes).status()));
}

TEST(SegmentFile, OnlyAFileOfZerosIsUnborn) {
  SegmentHeader header;
  SegmentBytes segment(kUuid, kId);
  segment.bytes().assign(100'000, '\0');
  EXPECT_EQ(*Open(segment)->ReadHeader(&header), HeaderState::kUnborn);
  segment.bytes().assign(50, '\0');
  EXPECT_EQ(*Open(segment)->ReadHeader(&header), HeaderState::kUnborn);
  segment.bytes().clear();
  EXPECT_EQ(*Open(segment)->ReadHeader(&header), HeaderState::kUnborn);
  // One byte far behind a first page of zeros was written by someone.
  segment.bytes().assign(3'000'000, '\0');
  segment.bytes()[2'999'999] = 1;
  EXPECT_EQ(*Open(segment)->ReadHeader(&header), HeaderState::kInvalid);
  // What cannot be read may be anything.
  segment.bytes().assign(100'000, '\0');
  BadSectorsFile* device;
  const auto file = Open(segment, &device);
  device->FailSector(70'000);
  EXPECT_EQ(*file->ReadHeader(&header), HeaderState::kInvalid);
}

TEST(SegmentFile, AKeyTableThatCannotBeReadIsNotWhole) {
  SegmentBytes segment = TenRecords();
  const uint64_t table = segment.bytes().size();
  segment.Seal();
  {
    const auto file = Open(segment);
    const auto trailer = file->ReadTrailer();
    ASSERT_TRUE(trailer.ok() && trailer->has_value());
    std::string bytes;
    EXPECT_TRUE(*file->ReadKeyTable(**trailer, &bytes));
  }
  // A sector of its own for the table: else the trailer goes with it.
  BadSectorsFile* device;
  const auto file = Open(segment, &device);
  const auto trailer = file->ReadTrailer();
  ASSERT_TRUE(trailer->has_value());
  device->FailSector(table);
  std::string bytes;
  const auto whole = file->ReadKeyTable(**trailer, &bytes);
  ASSERT_TRUE(whole.ok()) << whole.status();
  EXPECT_FALSE(*whole);
}

TEST(SegmentFile, MarksAreFoundAtAnyMultipleOfEightAndAcrossWindows) {
  constexpr uint64_t kWindow = uint64_t{1} << 20;
  for (const uint64_t at : {uint64_t{128}, kWindow - 16, kWindow, 2 * kWindow + 104}) {
    SegmentBytes segment(kUuid, kId);
    // Damage in between, so that nothing but the search finds it.
    segment.bytes().resize(at, '\xff');
    segment.Add(RecordKind::kSyncMark, 4711, "", "");
    segment.bytes().resize(3 * kWindow, '\0');
    const auto traces = Open(segment)->ReadTraces(kSegmentHeaderBytes);
    ASSERT_TRUE(traces.ok());
    EXPECT_EQ(traces->durable_sequence, 4711u) << at;
    // The last byte of a mark is zero.
    EXPECT_EQ(traces->bytes, at + kRecordHeaderBytes - 1 - kSegmentHeaderBytes) << at;
  }
}

TEST(SegmentFile, ReadPrefixStopsAtTheFirstDamage) {
  SegmentBytes segment = TenRecords();
  segment.bytes()[segment.offset(4) + 30] ^= 1;
  std::vector<std::string> keys;
  const auto stopped =
      Open(segment)->ReadPrefix(kSegmentHeaderBytes, segment.bytes().size(),
                                [&](const FoundRecord& record) { keys.emplace_back(record.key); });
  ASSERT_TRUE(stopped.ok());
  EXPECT_EQ(*stopped, segment.offset(4));
  EXPECT_EQ(keys.size(), 4u);
  const Walk walk = WalkAll(Open(segment).get(), segment.bytes().size());
  EXPECT_EQ(walk.keys.size(), 9u);
  EXPECT_EQ(walk.damages, (std::vector<std::pair<uint64_t, uint64_t>>{
                              {segment.offset(4), segment.offset(5) - segment.offset(4)}}));
  EXPECT_TRUE(walk.last_followed);
}

TEST(SegmentFile, AKindThatMustBeUnderstoodIsRefused) {
  SegmentBytes segment(kUuid, kId);
  segment.AddPut(1, "k", "v");
  segment.Add(static_cast<RecordKind>(11), 2, "k", "v");
  segment.Seal();
  const auto file = Open(segment);
  EXPECT_TRUE(absl::IsFailedPrecondition(WalkAll(file.get(), 1000).status));
  EXPECT_TRUE(absl::IsFailedPrecondition(
      file->ReadPrefix(kSegmentHeaderBytes, 1000, [](const FoundRecord&) {}).status()));
  std::string table;
  EXPECT_TRUE(
      absl::IsFailedPrecondition(file->ReadKeyTable(**file->ReadTrailer(), &table).status()));
  std::string record;
  RecordHeader header;
  EXPECT_TRUE(absl::IsFailedPrecondition(
      file->ReadRecord(segment.offset(1), RecordBytes(1, 1), &record, &header).status()));
}

TEST(SegmentFile, BytesThatTheFileDoesNotHaveAreNoRecord) {
  SegmentBytes segment(kUuid, kId);
  segment.AddPut(1, "zeros", std::string(1000, '\0'));
  const uint64_t end = segment.bytes().size();
  segment.bytes().resize(end - 100);
  const Walk walk = WalkAll(Open(segment).get(), end);
  EXPECT_TRUE(walk.status.ok());
  EXPECT_TRUE(walk.keys.empty());
}

}  // namespace
}  // namespace rumcask
