#include "core/format/format.h"

#include <string>
#include <vector>

#include "gtest/gtest.h"

#include "core/format/manifest.h"
#include "core/format/varint.h"

namespace rumcask {
namespace {

TEST(SegmentNameTest, OnlyWhatSegmentNameMakesParses) {
  for (uint64_t id : {uint64_t{1}, uint64_t{255}, uint64_t{1} << 40, kEndOfNumbers - 1}) {
    EXPECT_EQ(ParseSegmentName(SegmentName(id)), id);
  }
  for (const char* name : {"", ".seg", "1.seg", "0000000000000000.seg", "8000000000000000.seg",
                           "000000000000000A.seg", "0000000000000001.SEG", "0000000000000001.seg ",
                           "00000000000000001.seg", " 000000000000001.seg", "0000000000000001.tmp",
                           "+000000000000001.seg", "0x00000000000001.seg", "MANIFEST", "LOCK"}) {
    EXPECT_EQ(ParseSegmentName(name), std::nullopt) << name;
  }
}

TEST(VarintTest, RoundTrips) {
  for (int shift = 0; shift < 64; ++shift) {
    for (uint64_t value :
         {(uint64_t{1} << shift) - 1, uint64_t{1} << shift, ~uint64_t{0} >> shift}) {
      std::string bytes;
      AppendVarint(&bytes, value);
      std::string_view rest = bytes;
      uint64_t back;
      ASSERT_TRUE(ReadVarint(&rest, &back));
      EXPECT_EQ(back, value);
      EXPECT_TRUE(rest.empty());
      EXPECT_EQ(UnZigZag(ZigZag(value)), value);
      rest = std::string_view(bytes).substr(0, bytes.size() - 1);
      EXPECT_FALSE(ReadVarint(&rest, &back));
    }
  }
  std::string_view too_long = "\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02";
  uint64_t value;
  EXPECT_FALSE(ReadVarint(&too_long, &value));
}

std::string MakeRecord(uint64_t seed_at_offset, std::string_view key, std::string_view value) {
  RecordHeader header;
  header.sequence = 77;
  header.key_bytes = static_cast<uint16_t>(key.size());
  header.value_bytes = static_cast<uint32_t>(value.size());
  std::string record(header.record_bytes(), '\0');
  EncodeRecordHeader(record.data(), header, seed_at_offset, InnerChecksum(key, value));
  key.copy(record.data() + kRecordHeaderBytes, key.size());
  value.copy(record.data() + kRecordHeaderBytes + key.size(), value.size());
  return record;
}

bool Verifies(const std::string& record, uint64_t seed_at_offset) {
  RecordHeader header;
  return DecodeRecordHeader(record.data(), record.size(), &header) &&
         VerifyRecord(record.data(), header, seed_at_offset);
}

TEST(RecordTest, EveryFlippedBitOutsideThePaddingIsSeen) {
  const std::string record = MakeRecord(1234, "key", "some value");
  ASSERT_TRUE(Verifies(record, 1234));
  for (size_t bit = 0; bit < (24 + 3 + 10) * 8; ++bit) {
    std::string damaged = record;
    damaged[bit / 8] = static_cast<char>(damaged[bit / 8] ^ (1 << bit % 8));
    EXPECT_FALSE(Verifies(damaged, 1234)) << bit;
  }
}

TEST(RecordTest, DoesNotVerifyAtAnotherPlace) {
  const std::string record = MakeRecord(1234, "key", "value");
  EXPECT_FALSE(Verifies(record, 1234 + 8));
  Uuid uuid = {};
  const uint64_t seed = SegmentSeed(uuid, 1);
  EXPECT_NE(seed, SegmentSeed(uuid, 2));
  uuid[3] = 1;
  EXPECT_NE(seed, SegmentSeed(uuid, 1));
}

TEST(RecordTest, ALengthBeyondTheRestIsNoRecord) {
  const std::string record = MakeRecord(0, "key", "value");
  RecordHeader header;
  EXPECT_FALSE(DecodeRecordHeader(record.data(), record.size() - 8, &header));
  const std::string zeros(64, '\0');
  EXPECT_FALSE(DecodeRecordHeader(zeros.data(), zeros.size(), &header));
}

// What verifies and is beyond what this version writes is of a newer one; it is a record.
TEST(RecordTest, WhatANewerVersionWroteIsARecord) {
  const auto record = [](const RecordHeader& header) {
    std::string bytes(header.record_bytes(), '\0');
    EncodeRecordHeader(bytes.data(), header, 5, InnerChecksum("k", ""));
    bytes[kRecordHeaderBytes] = 'k';
    return bytes;
  };
  RecordHeader header;
  header.sequence = 9;
  header.key_bytes = 1;
  const auto check = [&](bool of_this_version) {
    const std::string bytes = record(header);
    RecordHeader back;
    ASSERT_TRUE(DecodeRecordHeader(bytes.data(), bytes.size(), &back));
    EXPECT_TRUE(VerifyRecord(bytes.data(), back, 5));
    EXPECT_TRUE(DescribeSameRecord(header, back));
    EXPECT_EQ(IsOfThisVersion(back), of_this_version);
  };
  check(true);
  for (uint8_t flag = 1; flag < 64; flag = static_cast<uint8_t>(flag * 2)) {
    header.flags = flag;
    header.part = BatchPart::kLast;
    check(false);
  }
  header.flags = 0;
  check(true);
  for (const int kind : {64, 65, 255}) {
    header.kind = static_cast<RecordKind>(kind);
    check(false);
  }
  header.kind = RecordKind::kPut;
  header.sequence = kEndOfNumbers;
  check(false);
  header.sequence = 1;
  header.value_bytes = kMaxValueBytes + kMaxValuePrefixBytes;
  EXPECT_TRUE(IsOfThisVersion(header));
  ++header.value_bytes;
  EXPECT_FALSE(IsOfThisVersion(header));
}

TEST(SegmentHeaderTest, WhatIsNotKnownNeedsANewerVersion) {
  SegmentHeader header;
  header.id = 7;
  std::string bytes(kSegmentHeaderBytes, '\0');
  SegmentHeader back;
  const auto state = [&] {
    EncodeSegmentHeader(header, bytes.data());
    return DecodeSegmentHeader(bytes, header.uuid, 7, &back);
  };
  header.features.may_ignore = 0x80000001;
  header.age = AgeClass::kOld;
  EXPECT_EQ(state(), HeaderState::kValid);
  EXPECT_EQ(back.features.may_ignore, 0x80000001);
  EXPECT_EQ(back.age, AgeClass::kOld);
  for (int bit = 0; bit < 32; ++bit) {
    header.features.must_understand = uint32_t{1} << bit;
    EXPECT_EQ(state(), HeaderState::kTooNew);
  }
  header.features.must_understand = 0;
  header.stream = static_cast<Stream>(3);
  EXPECT_EQ(state(), HeaderState::kTooNew);
}

TEST(TrailerTest, EveryFieldRoundTripsAndEveryFlippedBitIsSeen) {
  Trailer trailer;
  trailer.features.may_ignore = 4;
  trailer.table_offset = kSegmentHeaderBytes + 8000;
  trailer.table_bytes = 77;
  trailer.table_checksum = 1;
  trailer.records = 2;
  trailer.puts = 3;
  trailer.deletes = 4;
  trailer.delete_bytes = 5;
  trailer.first_sequence = 6;
  trailer.last_sequence = 7;
  trailer.last_checksum = 8;
  trailer.filter_kind = FilterKind::kFuse16;
  trailer.filter_bytes = 9;
  trailer.filter_checksum = 10;
  std::string bytes(kTrailerBytes, '\0');
  EncodeTrailer(trailer, 7, bytes.data());
  const uint64_t file_bytes = trailer.file_bytes();
  EXPECT_EQ(file_bytes, trailer.table_offset + 80 + 16 + kTrailerBytes);
  Trailer back;
  ASSERT_TRUE(DecodeTrailer(bytes, 7, file_bytes, &back));
  EXPECT_TRUE(back.features == trailer.features);
  EXPECT_EQ(back.table_bytes, 77u);
  EXPECT_EQ(back.table_checksum, 1u);
  EXPECT_EQ(back.records, 2u);
  EXPECT_EQ(back.puts, 3u);
  EXPECT_EQ(back.deletes, 4u);
  EXPECT_EQ(back.delete_bytes, 5u);
  EXPECT_EQ(back.first_sequence, 6u);
  EXPECT_EQ(back.last_sequence, 7u);
  EXPECT_EQ(back.last_checksum, 8u);
  EXPECT_EQ(back.filter_kind, FilterKind::kFuse16);
  EXPECT_EQ(back.filter_bytes, 9u);
  EXPECT_EQ(back.filter_checksum, 10u);
  EXPECT_FALSE(back.is_early);
  for (size_t bit = 0; bit < kTrailerBytes * 8; ++bit) {
    std::string damaged = bytes;
    damaged[bit / 8] = static_cast<char>(damaged[bit / 8] ^ (1 << bit % 8));
    EXPECT_FALSE(DecodeTrailer(damaged, 7, file_bytes, &back)) << bit;
  }
  EXPECT_FALSE(DecodeTrailer(bytes, 8, file_bytes, &back));
  EXPECT_FALSE(DecodeTrailer(bytes, 7, file_bytes + 8, &back));
  EXPECT_FALSE(DecodeTrailer(bytes, 7, file_bytes - 8, &back));
  EXPECT_FALSE(DecodeTrailer(bytes.substr(1), 7, file_bytes, &back));
  trailer.features.must_understand = 2;
  EncodeTrailer(trailer, 7, bytes.data());
  ASSERT_TRUE(DecodeTrailer(bytes, 7, 1000, &back));
  EXPECT_FALSE(back.is_known());
}

TEST(SegmentHeaderTest, EveryFlippedBitIsSeen) {
  SegmentHeader header;
  header.uuid[5] = 9;
  header.id = 7;
  header.base_sequence = 100;
  header.durable_sequence = 99;
  std::string bytes(kSegmentHeaderBytes, '\0');
  EncodeSegmentHeader(header, bytes.data());
  SegmentHeader back;
  ASSERT_EQ(DecodeSegmentHeader(bytes, header.uuid, 7, &back), HeaderState::kValid);
  EXPECT_EQ(back.base_sequence, 100u);
  EXPECT_EQ(back.durable_sequence, 99u);
  EXPECT_EQ(DecodeSegmentHeader(bytes, header.uuid, 8, &back), HeaderState::kInvalid);
  EXPECT_EQ(DecodeSegmentHeader(std::string(4096, '\0'), header.uuid, 7, &back),
            HeaderState::kInvalid);
  for (size_t bit = 0; bit < kSegmentHeaderBytes * 8; ++bit) {
    std::string damaged = bytes;
    damaged[bit / 8] = static_cast<char>(damaged[bit / 8] ^ (1 << bit % 8));
    EXPECT_EQ(DecodeSegmentHeader(damaged, header.uuid, 7, &back), HeaderState::kInvalid) << bit;
  }
  header.format = kFormatVersion + 1;
  EncodeSegmentHeader(header, bytes.data());
  EXPECT_EQ(DecodeSegmentHeader(bytes, header.uuid, 7, &back), HeaderState::kTooNew);
}

// A sparse file can offer room for a key table of a terabyte at no cost; memory cannot.
TEST(TrailerTest, AKeyTableIsNoLargerThanTheRecordsItDescribes) {
  Trailer trailer;
  trailer.table_offset = kSegmentHeaderBytes + 800;
  char bytes[kTrailerBytes];
  for (const uint64_t table_bytes : {uint64_t{800}, uint64_t{808}, uint64_t{1} << 40}) {
    trailer.table_bytes = table_bytes;
    EncodeTrailer(trailer, 7, bytes);
    Trailer decoded;
    EXPECT_EQ(
        DecodeTrailer({bytes, sizeof(bytes)}, 7,
                      trailer.table_offset + PaddedTo8(table_bytes) + kTrailerBytes, &decoded),
        table_bytes <= 800);
  }
}

TEST(ManifestTest, EveryFlippedBitIsSeenAndTheOtherCopyServes) {
  Manifest manifest;
  manifest.uuid[0] = 3;
  manifest.incarnation = 12345678901234567u;
  manifest.keystore = "hash";
  manifest.Append(1, Stream::kUser, true, 0);
  manifest.Append(2, Stream::kUser, true, 0);
  manifest.Append(5, Stream::kUser, false, 4096);
  manifest.Append(9, Stream::kSurvivor, true, 0);
  manifest.durable_sequence = 17;
  manifest.next_sequence = 18;
  manifest.clean = true;
  EXPECT_EQ(manifest.live.size(), 3u);
  EXPECT_EQ(manifest.Find(2)->sealed, true);
  EXPECT_EQ(manifest.Find(3), nullptr);
  EXPECT_EQ(manifest.Find(5)->required_end, 4096u);
  EXPECT_EQ(manifest.Find(10), nullptr);
  const std::string bytes = EncodeManifest(manifest);
  EXPECT_EQ(bytes.size(), 8192u);
  for (size_t bit = 0; bit < bytes.size() * 8; ++bit) {
    std::string damaged = bytes;
    damaged[bit / 8] = static_cast<char>(damaged[bit / 8] ^ (1 << bit % 8));
    auto decoded = DecodeManifest(damaged, "MANIFEST");
    ASSERT_TRUE(decoded.ok()) << bit;
    EXPECT_EQ(decoded->damaged_copies, 1) << bit;
    EXPECT_EQ(EncodeManifest(decoded->manifest), bytes);
  }
  auto decoded = DecodeManifest(bytes, "MANIFEST");
  ASSERT_TRUE(decoded.ok());
  EXPECT_EQ(decoded->damaged_copies, 0);
  EXPECT_TRUE(absl::IsDataLoss(DecodeManifest("", "MANIFEST").status()));
}

TEST(ManifestTest, WhatIsNotKnownIsKeptOrRefused) {
  Manifest manifest;
  manifest.keystore = "hash";
  manifest.features.may_ignore = 6;
  manifest.extensions = {{3, "three"}, {400, std::string(300, 'x')}};
  auto decoded = DecodeManifest(EncodeManifest(manifest), "MANIFEST");
  ASSERT_TRUE(decoded.ok()) << decoded.status();
  EXPECT_EQ(decoded->manifest.extensions.size(), 2u);
  EXPECT_EQ(EncodeManifest(decoded->manifest), EncodeManifest(manifest));
  manifest.features.must_understand = 1;
  EXPECT_TRUE(
      absl::IsFailedPrecondition(DecodeManifest(EncodeManifest(manifest), "MANIFEST").status()));
  manifest.features.must_understand = 0;
  for (const int stream : {0, 3}) {
    manifest.live.clear();
    manifest.Append(1, static_cast<Stream>(stream), true, 0);
    EXPECT_TRUE(
        absl::IsFailedPrecondition(DecodeManifest(EncodeManifest(manifest), "MANIFEST").status()));
  }
}

TEST(ManifestTest, TheEndsOfSurvivorsAreKept) {
  Manifest manifest;
  manifest.keystore = "hash";
  manifest.Append(1, Stream::kUser, true, 800);
  manifest.Append(2, Stream::kUser, true, 800);
  manifest.Append(3, Stream::kSurvivor, true, 1600);
  manifest.Append(4, Stream::kSurvivor, true, 2400);
  manifest.Append(5, Stream::kUser, true, 800);
  ASSERT_EQ(manifest.live.size(), 4u);
  auto decoded = DecodeManifest(EncodeManifest(manifest), "MANIFEST");
  ASSERT_TRUE(decoded.ok()) << decoded.status();
  EXPECT_EQ(decoded->manifest.Find(2)->required_end, 0u);
  EXPECT_EQ(decoded->manifest.Find(3)->required_end, 1600u);
  EXPECT_EQ(decoded->manifest.Find(4)->required_end, 2400u);
  EXPECT_EQ(decoded->manifest.Find(4)->stream, Stream::kSurvivor);
  EXPECT_TRUE(decoded->manifest.Find(4)->sealed);
}

// A hundred thousand segments of which no two are alike, at the end of a long life.
TEST(ManifestTest, OneOfManySegmentsIsSmall) {
  Manifest manifest;
  manifest.keystore = "hash";
  for (uint64_t i = 0; i < 100000; ++i) {
    manifest.Append((uint64_t{1} << 40) + 3 * i, i % 2 == 0 ? Stream::kUser : Stream::kSurvivor,
                    true, uint64_t{60} << 20);
  }
  EXPECT_LE(EncodeManifest(manifest).size(), 1400000u);
  EXPECT_TRUE(DecodeManifest(EncodeManifest(manifest), "MANIFEST").ok());
}

TEST(Manifest, EachCopyServesWhateverBecomesOfTheOther) {
  Manifest manifest;
  manifest.uuid = {9, 9};
  manifest.keystore = "hash";
  // The ranges cannot be joined, so that a copy takes several blocks.
  for (uint64_t id = 1; id < 16000; id += 2) manifest.Append(id, Stream::kUser, true, 0);
  const std::string bytes = EncodeManifest(manifest);
  const size_t half = bytes.size() / 2;
  ASSERT_GT(half, 8192u);
  for (size_t at = 0; at < bytes.size(); at += 512) {
    std::string damaged = bytes;
    damaged.replace(at, 512, 512, '\0');
    auto decoded = DecodeManifest(damaged, "MANIFEST");
    ASSERT_TRUE(decoded.ok()) << at << decoded.status();
    EXPECT_EQ(EncodeManifest(decoded->manifest), bytes);
  }
  for (const size_t copy : {size_t{0}, half}) {
    std::string damaged = bytes;
    damaged.replace(copy, half, half, '\xff');
    auto decoded = DecodeManifest(damaged, "MANIFEST");
    ASSERT_TRUE(decoded.ok()) << decoded.status();
    EXPECT_EQ(decoded->damaged_copies, 1);
    EXPECT_EQ(EncodeManifest(decoded->manifest), bytes);
  }
}

TEST(Manifest, BytesBehindTheCopiesMeanNothing) {
  Manifest manifest;
  manifest.keystore = "hash";
  const std::string bytes = EncodeManifest(manifest);
  for (const size_t stray : {1, 4095, 4096, 10000}) {
    for (const char filler : {'\0', 'x'}) {
      auto decoded = DecodeManifest(bytes + std::string(stray, filler), "MANIFEST");
      ASSERT_TRUE(decoded.ok()) << decoded.status();
      EXPECT_EQ(decoded->damaged_copies, 0);
      EXPECT_EQ(decoded->stray_bytes, stray);
    }
  }
  // A truncated file still has its first copy.
  auto decoded = DecodeManifest(bytes.substr(0, 4096 + 100), "MANIFEST");
  ASSERT_TRUE(decoded.ok()) << decoded.status();
  EXPECT_EQ(decoded->damaged_copies, 1);
}

}  // namespace
}  // namespace rumcask
