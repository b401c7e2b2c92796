#include "core/format/format.h"

#include <string>
#include <utility>
#include <vector>

#include "gtest/gtest.h"

#include "core/format/key_table.h"
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

TEST(KeyTableTest, RoundTrips) {
  KeyTableBuilder builder;
  uint64_t offset = kSegmentHeaderBytes;
  std::vector<std::pair<RecordHeader, std::string>> records;
  for (int i = 0; i < 200; ++i) {
    RecordHeader header;
    const std::string key(static_cast<size_t>(i % 90 + 1), 'k');
    const bool mark = i % 5 == 4;
    header.kind = mark ? RecordKind::kSyncMark : RecordKind::kPut;
    header.key_bytes = mark ? 0 : static_cast<uint16_t>(key.size());
    header.value_bytes = mark ? 0 : static_cast<uint32_t>(i * 1000);
    header.sequence = mark ? static_cast<uint64_t>(i) : (uint64_t{1} << 40) + 3 * i;
    header.part = static_cast<BatchPart>(i % 4);
    records.push_back({header, mark ? "" : key});
    builder.Add(header, records.back().second);
    offset += header.record_bytes();
  }
  const std::string footer = builder.Finish(offset, 42);
  EXPECT_EQ(builder.table_bytes(), 0u);
  // Taking the table in pieces gives the same bytes.
  std::string pieces;
  for (size_t i = 0; i < records.size(); ++i) {
    if (i % 60 == 50) pieces += builder.TakePiece(42);
    builder.Add(records[i].first, records[i].second);
  }
  pieces += builder.Finish(offset, 42);
  EXPECT_EQ(pieces, footer);
  Trailer trailer;
  ASSERT_TRUE(DecodeTrailer(footer.data() + footer.size() - kTrailerBytes, 42,
                            offset + footer.size(), &trailer));
  EXPECT_EQ(trailer.records, 200u);
  EXPECT_EQ(trailer.puts, 160u);
  EXPECT_FALSE(DecodeTrailer(footer.data() + footer.size() - kTrailerBytes, 43,
                             offset + footer.size(), &trailer));
  EXPECT_FALSE(DecodeTrailer(footer.data() + footer.size() - kTrailerBytes, 42,
                             offset + footer.size() + 8, &trailer));
  ASSERT_TRUE(DecodeTrailer(footer.data() + footer.size() - kTrailerBytes, 42,
                            offset + footer.size(), &trailer));
  KeyTableReader reader(std::string_view(footer).substr(0, trailer.table_bytes), trailer);
  uint64_t at = kSegmentHeaderBytes;
  for (const auto& [header, key] : records) {
    ASSERT_TRUE(reader.Next());
    EXPECT_EQ(reader.header().sequence, header.sequence);
    EXPECT_EQ(reader.header().kind, header.kind);
    EXPECT_EQ(reader.header().part, header.part);
    EXPECT_EQ(reader.header().value_bytes, header.value_bytes);
    EXPECT_EQ(reader.key(), key);
    EXPECT_EQ(reader.offset(), at);
    at += header.record_bytes();
  }
  EXPECT_FALSE(reader.Next());
  EXPECT_TRUE(reader.ok());
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
    EXPECT_EQ(DecodeTrailer(bytes, 7, trailer.table_offset + table_bytes + kTrailerBytes, &decoded),
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

TEST(Manifest, EachCopyServesWhateverBecomesOfTheOther) {
  Manifest manifest;
  manifest.uuid = {9, 9};
  manifest.keystore = "hash";
  // The ranges cannot be joined, so that a copy takes several blocks.
  for (uint64_t id = 1; id < 4000; id += 2) manifest.Append(id, Stream::kUser, true, 0);
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
