// What a later version may write must be refused by this one, and must never be taken for damage or
// for the end of the log: the next write would cut off what was acknowledged. What may be ignored
// must be kept.

#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <functional>
#include <map>
#include <memory>
#include <string>

#include "gtest/gtest.h"

#include "core/check/repair.h"
#include "core/check/verify.h"
#include "core/db.h"
#include "core/format/key_table.h"
#include "core/format/manifest.h"
#include "core/testing/map_keystore.h"
#include "core/testing/segment_bytes.h"
#include "tests/format/run_reader.h"

namespace rumcask {
namespace {

namespace fs = std::filesystem;

constexpr Uuid kUuid = {7, 7, 7};

// A database of a sealed segment and one that goes on, in pieces that can be changed.
struct Pieces {
  SegmentBytes sealed = SegmentBytes(kUuid, 1).AddPut(1, "a", "1").AddPut(2, "b", "2");
  SegmentBytes active = SegmentBytes(sealed, 2, /*durable_sequence=*/2).AddPut(3, "c", "3");
  Manifest manifest;
  // Replaces the bytes of MANIFEST, if it is not empty.
  std::string manifest_bytes;

  Pieces() {
    sealed.Seal();
    manifest.uuid = kUuid;
    manifest.incarnation = 5;
    manifest.keystore = "hash";
    manifest.Append(1, Stream::kUser, /*sealed=*/true, 0);
    manifest.durable_sequence = 2;
    manifest.next_sequence = 3;
  }

  void ChangeHeader(SegmentBytes* segment, uint64_t id,
                    const std::function<void(SegmentHeader*)>& change) {
    SegmentHeader header;
    ASSERT_EQ(DecodeSegmentHeader(segment->bytes(), kUuid, id, &header), HeaderState::kValid);
    change(&header);
    EncodeSegmentHeader(header, segment->bytes().data());
  }

  // Changes the key table and the trailer of the sealed segment.
  void ChangeFooter(const std::function<void(char* table, Trailer*)>& change) {
    std::string& bytes = sealed.bytes();
    const uint64_t seed = SegmentSeed(kUuid, 1);
    Trailer trailer;
    ASSERT_TRUE(DecodeTrailer(bytes, seed, bytes.size(), &trailer));
    char* const table = bytes.data() + trailer.table_offset;
    change(table, &trailer);
    trailer.table_checksum = TableChecksum({table, trailer.table_bytes}, seed);
    EncodeTrailer(trailer, seed, bytes.data() + bytes.size() - kTrailerBytes);
  }

  // Appends a record without a value behind the last one.
  void AppendRecord(const std::function<void(RecordHeader*)>& change) {
    std::string& bytes = active.bytes();
    RecordHeader header;
    header.sequence = 4;
    header.key_bytes = 1;
    change(&header);
    std::string record(header.record_bytes(), '\0');
    EncodeRecordHeader(record.data(), header, SegmentSeed(kUuid, 2) + bytes.size(),
                       InnerChecksum("d", ""));
    record[kRecordHeaderBytes] = 'd';
    bytes += record;
  }
};

struct Change {
  const char* name;
  void (*make)(Pieces* pieces);
};

std::string NameOf(const testing::TestParamInfo<Change>& info) { return info.param.name; }

class NewerTest : public testing::TestWithParam<Change> {
 protected:
  NewerTest() : root_(testing::TempDir() + "/newer." + std::to_string(::getpid())) {
    fs::remove_all(root_);
    fs::create_directories(root_ + "/db");
    path_ = root_ + "/db";
    options_.keystore = TestKeystore();
    options_.segment_bytes = 4096;
    options_.background_threads = 0;
    Pieces pieces;
    GetParam().make(&pieces);
    Write("0000000000000001.seg", pieces.sealed.bytes());
    Write("0000000000000002.seg", pieces.active.bytes());
    Write("MANIFEST",
          pieces.manifest_bytes.empty() ? EncodeManifest(pieces.manifest) : pieces.manifest_bytes);
  }
  ~NewerTest() override { fs::remove_all(root_); }

  void Write(const std::string& name, const std::string& bytes) {
    std::ofstream(path_ + "/" + name, std::ios::binary) << bytes;
  }
  std::map<std::string, std::string> Files() const {
    std::map<std::string, std::string> files;
    for (const auto& entry : fs::directory_iterator(path_)) {
      std::ifstream file(entry.path(), std::ios::binary);
      const std::string name = entry.path().filename().string();
      if (name != "LOCK") files[name] = std::string{std::istreambuf_iterator<char>(file), {}};
    }
    return files;
  }

  std::string root_, path_;
  Options options_;
};

using RefusedTest = NewerTest;

TEST_P(RefusedTest, NobodyTouchesIt) {
  const std::map<std::string, std::string> files = Files();
  const auto expect = [&](const char* who, const absl::Status& status) {
    EXPECT_TRUE(absl::IsFailedPrecondition(status)) << who << ": " << status;
    EXPECT_NE(status.message().find("newer version"), absl::string_view::npos)
        << who << ": " << status;
    EXPECT_EQ(Files(), files) << who;
  };
  expect("open", DB::Open(path_, options_).status());
  expect("open read-only", DB::OpenReadOnly(path_, options_).status());
  expect("verify", VerifyFiles(path_).status());
  expect("repair", Repair(path_, root_ + "/repaired").status());
  if (!ReaderAvailable()) GTEST_SKIP() << "NOT TESTED: /usr/bin/python3 has no xxhash";
  const ReaderResult read = RunReader(path_);
  EXPECT_EQ(read.exit_code, 3);
  EXPECT_NE(read.messages.find("needs a newer reader"), std::string::npos) << read.messages;
}

const Change kRefused[] = {
    Change{"ManifestFeature", [](Pieces* p) { p->manifest.features.must_understand = 1; }},
    Change{"ManifestStream",
           [](Pieces* p) { p->manifest.live[0].stream = static_cast<Stream>(3); }},
    Change{"HeaderFeature",
           [](Pieces* p) {
             p->ChangeHeader(&p->active, 2,
                             [](SegmentHeader* h) { h->features.must_understand = 1u << 31; });
           }},
    Change{"HeaderFormat",
           [](Pieces* p) {
             p->ChangeHeader(&p->active, 2,
                             [](SegmentHeader* h) { h->format = kFormatVersion + 1; });
           }},
    Change{"HeaderStream",
           [](Pieces* p) {
             p->ChangeHeader(&p->active, 2,
                             [](SegmentHeader* h) { h->stream = static_cast<Stream>(3); });
           }},
    Change{"TrailerFeature",
           [](Pieces* p) {
             p->ChangeFooter([](char*, Trailer* t) { t->features.must_understand = 2; });
           }},
    Change{"TableShape",
           [](Pieces* p) { p->ChangeFooter([](char* table, Trailer*) { table[1] |= 16; }); }},
    Change{"TableKind",
           [](Pieces* p) { p->ChangeFooter([](char* table, Trailer*) { table[2] = 9; }); }},
    Change{"RecordFlag",
           [](Pieces* p) { p->AppendRecord([](RecordHeader* h) { h->flags = 32; }); }},
    Change{"RecordOfAKindBelow32",
           [](Pieces* p) {
             p->AppendRecord([](RecordHeader* h) { h->kind = static_cast<RecordKind>(6); });
           }},
    Change{"RecordOfAKindAbove63",
           [](Pieces* p) {
             p->AppendRecord([](RecordHeader* h) { h->kind = static_cast<RecordKind>(64); });
           }},
    Change{"RecordNumber", [](Pieces* p) {
             p->AppendRecord([](RecordHeader* h) { h->sequence = kEndOfNumbers; });
           }}};

INSTANTIATE_TEST_SUITE_P(Newer, RefusedTest, testing::ValuesIn(kRefused), NameOf);

using IgnoredTest = NewerTest;

TEST_P(IgnoredTest, TheRestIsReadAndItIsKept) {
  const auto before = DecodeManifest(Files().at("MANIFEST"), "MANIFEST");
  ASSERT_TRUE(before.ok()) << before.status();
  auto report = VerifyFiles(path_);
  ASSERT_TRUE(report.ok()) << report.status();
  EXPECT_TRUE(report->clean()) << DamageStatus(report->damages[0]);
  if (ReaderAvailable()) {
    const ReaderResult read = RunReader(path_);
    EXPECT_EQ(read.exit_code, 0) << read.messages;
    EXPECT_EQ(read.content.size(), 3u);
  }
  for (int round = 0; round < 2; ++round) {
    auto db = DB::Open(path_, options_);
    ASSERT_TRUE(db.ok()) << db.status();
    EXPECT_EQ(*(*db)->Get("a"), "1");
    EXPECT_EQ(*(*db)->Get("c"), "3");
    ASSERT_TRUE((*db)->Put("d", "4").ok());
    ASSERT_TRUE((*db)->Close().ok());
  }
  const auto after = DecodeManifest(Files().at("MANIFEST"), "MANIFEST");
  ASSERT_TRUE(after.ok()) << after.status();
  EXPECT_TRUE(after->manifest.features == before->manifest.features);
  ASSERT_EQ(after->manifest.extensions.size(), before->manifest.extensions.size());
  for (size_t i = 0; i < after->manifest.extensions.size(); ++i) {
    EXPECT_EQ(after->manifest.extensions[i].tag, before->manifest.extensions[i].tag);
    EXPECT_EQ(after->manifest.extensions[i].bytes, before->manifest.extensions[i].bytes);
  }
}

const Change kIgnored[] = {
    Change{"ManifestFeature", [](Pieces* p) { p->manifest.features.may_ignore = 1u << 31; }},
    Change{"ManifestExtension",
           [](Pieces* p) {
             p->manifest.extensions = {{1, ""}, {70, std::string(500, 'x')}};
           }},
    Change{"HeaderFeature",
           [](Pieces* p) {
             p->ChangeHeader(&p->active, 2, [](SegmentHeader* h) { h->features.may_ignore = 3; });
           }},
    Change{
        "TrailerFeature",
        [](Pieces* p) { p->ChangeFooter([](char*, Trailer* t) { t->features.may_ignore = 3; }); }},
    Change{"Filter",
           [](Pieces* p) {
             p->ChangeFooter(
                 [](char*, Trailer* t) { t->filter_kind = static_cast<FilterKind>(9); });
           }},
    Change{"RecordOfAKindFrom32To63", [](Pieces* p) {
             p->AppendRecord([](RecordHeader* h) { h->kind = static_cast<RecordKind>(40); });
           }}};

INSTANTIATE_TEST_SUITE_P(Newer, IgnoredTest, testing::ValuesIn(kIgnored), NameOf);

}  // namespace
}  // namespace rumcask
