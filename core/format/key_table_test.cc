#include "core/format/key_table.h"

#include <functional>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "gtest/gtest.h"

#include "core/format/varint.h"

namespace rumcask {
namespace {

constexpr uint64_t kSeed = 42;
using Records = std::vector<std::pair<RecordHeader, std::string>>;

RecordHeader Header(RecordKind kind, uint64_t sequence, size_t key_bytes, size_t value_bytes,
                    BatchPart part = BatchPart::kNone) {
  RecordHeader header;
  header.kind = kind;
  header.sequence = sequence;
  header.key_bytes = static_cast<uint16_t>(key_bytes);
  header.value_bytes = static_cast<uint32_t>(value_bytes);
  header.part = part;
  return header;
}

uint64_t EndOf(const Records& records) {
  uint64_t end = kSegmentHeaderBytes;
  for (const auto& record : records) end += record.first.record_bytes();
  return end;
}

std::string Build(const Records& records, std::string_view filter = {}) {
  KeyTableBuilder builder;
  for (const auto& [header, key] : records) builder.Add(header, key);
  return builder.Finish(EndOf(records), kSeed, filter);
}

Trailer TrailerOf(const std::string& footer, const Records& records) {
  Trailer trailer;
  EXPECT_TRUE(DecodeTrailer(footer, kSeed, EndOf(records) + footer.size(), &trailer));
  return trailer;
}

// Reads the table and expects these records. Returns the bytes it takes.
uint64_t Check(const Records& records) {
  const std::string footer = Build(records);
  const Trailer trailer = TrailerOf(footer, records);
  KeyTableReader reader(std::string_view(footer).substr(0, trailer.table_bytes), trailer);
  uint64_t at = kSegmentHeaderBytes;
  for (const auto& [header, key] : records) {
    EXPECT_TRUE(reader.Next());
    if (!reader.ok()) return 0;
    EXPECT_TRUE(DescribeSameRecord(reader.header(), header)) << at;
    EXPECT_EQ(reader.key(), key);
    EXPECT_EQ(reader.offset(), at);
    at += header.record_bytes();
  }
  EXPECT_FALSE(reader.Next());
  EXPECT_FALSE(reader.Next());
  EXPECT_TRUE(reader.ok());
  EXPECT_FALSE(reader.needs_newer());
  EXPECT_EQ(trailer.records, records.size());
  return trailer.table_bytes;
}

Records Puts(size_t count, const std::function<std::string(size_t)>& key, size_t value_bytes) {
  Records records;
  for (size_t i = 0; i < count; ++i) {
    const std::string k = key(i);
    records.push_back({Header(RecordKind::kPut, 7 + i, k.size(), value_bytes), k});
  }
  return records;
}

TEST(KeyTableTest, MixedRecordsRoundTrip) {
  std::mt19937_64 random(3);
  for (int round = 0; round < 200; ++round) {
    Records records;
    uint64_t sequence = random() % 1000;
    const size_t count = random() % 3000;
    for (size_t i = 0; i < count; ++i) {
      sequence += 1 + (random() % 4 == 0 ? random() % 100000 : 0);
      const std::string key(1 + random() % (round % 7 == 0 ? 2000 : 20), 'k');
      switch (random() % 12) {
        case 0:
          records.push_back({Header(RecordKind::kSyncMark, sequence / 2, 0, 0), ""});
          break;
        case 1:
          records.push_back({Header(RecordKind::kFence, sequence, 0, 0), ""});
          break;
        case 2:
          records.push_back({Header(RecordKind::kDelete, sequence, key.size(), 0), key});
          break;
        default:
          records.push_back({Header(RecordKind::kPut, sequence, key.size(), random() % 5000,
                                    static_cast<BatchPart>(random() % 4)),
                             key});
      }
    }
    Check(records);
  }
}

// DESIGN's budget for bytes on disk leaves them this, the filter aside.
TEST(KeyTableTest, KeysOfOneSizeTakeLittleMoreThanTheirInformation) {
  std::mt19937_64 random(1);
  const auto bytes = [&](size_t) {
    std::string key(16, '\0');
    for (char& byte : key) byte = static_cast<char>(random());
    return key;
  };
  const auto digits = [&](size_t) {
    std::string key(16, '\0');
    for (char& byte : key) byte = static_cast<char>('0' + random() % 10);
    return key;
  };
  EXPECT_LT(Check(Puts(50000, bytes, 100)), 50000 * 16.05);
  EXPECT_LT(Check(Puts(50000, digits, 100)), 50000 * 6.75);
}

TEST(KeyTableTest, PiecesAreTheWhole) {
  const Records records = Puts(
      5000, [](size_t i) { return std::to_string(i); }, 10);
  KeyTableBuilder builder;
  std::string pieces;
  for (size_t i = 0; i < records.size(); ++i) {
    builder.Add(records[i].first, records[i].second);
    if (i % 700 == 0) pieces += builder.TakePiece(kSeed);
  }
  pieces += builder.Finish(EndOf(records), kSeed, {});
  EXPECT_EQ(pieces, Build(records));
}

TEST(KeyTableTest, TheFilterLiesBehindIt) {
  const Records records = Puts(
      3, [](size_t i) { return std::to_string(i); }, 10);
  for (const std::string filter : {"", "1", "12345678", "123456789"}) {
    const std::string footer = Build(records, filter);
    const Trailer trailer = TrailerOf(footer, records);
    EXPECT_EQ(footer.substr(trailer.filter_offset() - trailer.table_offset, filter.size()), filter);
    EXPECT_EQ(trailer.filter_bytes, filter.size());
    EXPECT_EQ(trailer.filter_checksum, filter.empty() ? 0 : TableChecksum(filter, kSeed));
    EXPECT_EQ(trailer.file_bytes(), EndOf(records) + footer.size());
  }
}

TEST(KeyTableTest, TheTrailerCounts) {
  const Records records = {{Header(RecordKind::kSyncMark, 3, 0, 0), ""},
                           {Header(RecordKind::kPut, 9, 3, 10), "abc"},
                           {Header(RecordKind::kDelete, 12, 3, 0), "abc"},
                           {Header(RecordKind::kDelete, 13, 9, 0), "other key"},
                           {Header(RecordKind::kLost, 14, 1, 0), "x"}};
  const Trailer trailer = TrailerOf(Build(records), records);
  EXPECT_EQ(trailer.records, 5u);
  EXPECT_EQ(trailer.puts, 1u);
  EXPECT_EQ(trailer.deletes, 2u);
  EXPECT_EQ(trailer.delete_bytes, RecordBytes(3, 0) + RecordBytes(9, 0));
  EXPECT_EQ(trailer.first_sequence, 9u);
  EXPECT_EQ(trailer.last_sequence, 14u);
}

// Every cut and every change of one byte leaves the reader within bounds, and a table that is cut
// is not whole.
TEST(KeyTableTest, DamageIsSeenOrHarmless) {
  Records records = Puts(
      40, [](size_t i) { return "key" + std::to_string(i * 7); }, 10);
  records.push_back({Header(RecordKind::kSyncMark, 30, 0, 0), ""});
  records.push_back({Header(RecordKind::kPut, 90, 3, 5, BatchPart::kFirst), "abc"});
  const std::string footer = Build(records);
  const Trailer trailer = TrailerOf(footer, records);
  const std::string table = footer.substr(0, trailer.table_bytes);
  const auto read = [&](const std::string& bytes) {
    const std::vector<char> exact(bytes.begin(), bytes.end());
    KeyTableReader reader({exact.data(), exact.size()}, trailer);
    uint64_t last = 0;
    while (reader.Next()) {
      EXPECT_LE(reader.offset() + reader.header().record_bytes(), trailer.table_offset);
      EXPECT_EQ(reader.key().size(), reader.header().key_bytes);
      if (!reader.header().has_own_sequence()) continue;
      EXPECT_GT(reader.header().sequence, last);
      last = reader.header().sequence;
    }
    return reader.ok();
  };
  EXPECT_TRUE(read(table));
  for (size_t size = 0; size < table.size(); ++size) EXPECT_FALSE(read(table.substr(0, size)));
  for (size_t bit = 0; bit < table.size() * 8; ++bit) {
    std::string damaged = table;
    damaged[bit / 8] = static_cast<char>(damaged[bit / 8] ^ (1 << bit % 8));
    read(damaged);
  }
}

TEST(KeyTableTest, NumbersThatDoNotAscendAreRefused) {
  for (const uint64_t second : {uint64_t{9}, uint64_t{8}, uint64_t{0}}) {
    const Records records = {{Header(RecordKind::kPut, 9, 1, 0), "a"},
                             {Header(RecordKind::kPut, second, 1, 0), "b"}};
    const std::string footer = Build(records);
    KeyTableReader reader(footer, TrailerOf(footer, records));
    EXPECT_FALSE(reader.Next());
    EXPECT_FALSE(reader.ok());
    EXPECT_FALSE(reader.needs_newer());
  }
}

// A reader must not take what it does not know for damage, which costs no more than time.
TEST(KeyTableTest, WhatANewerVersionWroteIsToldApart) {
  const Records records = {{Header(RecordKind::kPut, 9, 1, 0), "a"}};
  const std::string footer = Build(records);
  const Trailer trailer = TrailerOf(footer, records);
  std::string table = footer.substr(0, trailer.table_bytes);
  for (const char shape : {16, 32, 64}) {
    std::string changed = table;
    changed[1] = shape;
    KeyTableReader reader(changed, trailer);
    EXPECT_FALSE(reader.Next());
    EXPECT_TRUE(reader.needs_newer());
  }
  for (const int kind : {6, 7, 31}) {
    std::string changed = table;
    changed[2] = static_cast<char>(kind);
    KeyTableReader reader(changed, trailer);
    EXPECT_FALSE(reader.Next());
    EXPECT_TRUE(reader.needs_newer());
  }
  table[2] = 40;
  KeyTableReader reader(table, trailer);
  EXPECT_TRUE(reader.Next());
  EXPECT_EQ(reader.key(), "a");
}

TEST(KeyTableTest, TablesOfTheFirstReleasesAreRead) {
  std::string table;
  Trailer trailer;
  trailer.is_early = true;
  trailer.table_offset = kSegmentHeaderBytes;
  const auto add = [&](RecordKind kind, BatchPart part, const std::string& key, uint64_t value,
                       uint64_t difference) {
    table.push_back(static_cast<char>(static_cast<int>(kind) | static_cast<int>(part) << 6));
    AppendVarint(&table, key.size());
    AppendVarint(&table, value);
    AppendVarint(&table, ZigZag(difference));
    table += key;
    ++trailer.records;
    trailer.table_offset += RecordBytes(key.size(), value);
  };
  add(RecordKind::kPut, BatchPart::kFirst, "one", 300, 5);
  add(RecordKind::kSyncMark, BatchPart::kNone, "", 0, static_cast<uint64_t>(-2));
  add(RecordKind::kDelete, BatchPart::kLast, "two", 0, 1);
  KeyTableReader reader(table, trailer);
  ASSERT_TRUE(reader.Next());
  EXPECT_EQ(reader.key(), "one");
  EXPECT_EQ(reader.header().part, BatchPart::kFirst);
  EXPECT_EQ(reader.header().value_bytes, 300u);
  EXPECT_EQ(reader.header().sequence, 5u);
  ASSERT_TRUE(reader.Next());
  EXPECT_EQ(reader.header().sequence, 3u);
  ASSERT_TRUE(reader.Next());
  EXPECT_EQ(reader.key(), "two");
  EXPECT_EQ(reader.header().sequence, 6u);
  EXPECT_EQ(reader.offset(), kSegmentHeaderBytes + RecordBytes(3, 300) + RecordBytes(0, 0));
  EXPECT_FALSE(reader.Next());
  EXPECT_TRUE(reader.ok());
  table[0] = 6;
  KeyTableReader newer(table, trailer);
  EXPECT_FALSE(newer.Next());
  EXPECT_TRUE(newer.needs_newer());
}

}  // namespace
}  // namespace rumcask
