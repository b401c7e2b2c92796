// The database printed in FORMAT.md. The Python reader must find in those bytes what the page says,
// the database must open them, and today's encoders must produce the same bytes.

#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "gtest/gtest.h"

#include "core/check/verify.h"
#include "core/db.h"
#include "core/format/manifest.h"
#include "core/testing/map_keystore.h"
#include "tests/format/run_reader.h"

namespace rumcask {
namespace {

namespace fs = std::filesystem;

// Reads files by name from blocks of the form
//
//     NAME, SIZE bytes
//     OFFSET  hex bytes  the same as text
//
// with rows of zeros left out.
std::map<std::string, std::string> ReadFiles(const std::string& page) {
  std::ifstream lines(page);
  std::map<std::string, std::string> files;
  std::string* file = nullptr;
  for (std::string line; std::getline(lines, line);) {
    if (line.rfind("    ", 0) != 0) continue;
    line.erase(0, 4);
    const size_t comma = line.find(", ");
    if (comma != std::string::npos && line.find(" bytes") != std::string::npos) {
      file = &files[line.substr(0, comma)];
      file->assign(std::stoul(line.substr(comma + 2)), '\0');
    } else if (file != nullptr && line.size() > 10) {
      size_t at = std::stoul(line.substr(0, 8), nullptr, 16);
      const std::string hex = line.substr(10, line.find("  ", 10) - 10);
      for (size_t i = 0; i + 1 < hex.size(); i += 3) {
        file->at(at++) = static_cast<char>(std::stoul(hex.substr(i, 2), nullptr, 16));
      }
    }
  }
  return files;
}

std::map<std::string, std::string> ReadExample() { return ReadFiles("core/FORMAT.md"); }

std::string HexDump(const std::string& name, const std::string& bytes) {
  std::string text = "    " + name + ", " + std::to_string(bytes.size()) + " bytes\n";
  for (size_t at = 0; at < bytes.size(); at += 16) {
    const std::string row = bytes.substr(at, 16);
    if (row.find_first_not_of('\0') == std::string::npos) continue;
    char part[24];
    std::snprintf(part, sizeof(part), "    %08zx ", at);
    text += part;
    for (const char c : row) {
      std::snprintf(part, sizeof(part), " %02x", static_cast<unsigned char>(c));
      text += part;
    }
    text += "  ";
    for (const char c : row) text += c >= ' ' && c <= '~' ? c : '.';
    text += "\n";
  }
  return text;
}

// A segment in which the uuid, and everything computed from it, is replaced by zeros.
std::string WithoutUuid(std::string bytes) {
  const auto clear = [&bytes](size_t at, size_t size) { bytes.replace(at, size, size, '\0'); };
  clear(16, 16);
  clear(64, 8);
  clear(120, 8);
  const bool sealed = bytes.compare(bytes.size() - kTrailerBytes, 8, "rumcaskT") == 0;
  const std::vector<size_t> records = sealed ? std::vector<size_t>{0x80, 0xa8, 0xc8, 0xf0, 0x108}
                                             : std::vector<size_t>{0x80, 0xea8, 0xec0};
  for (const size_t at : records) clear(at, 8);
  if (sealed) {
    for (const size_t field : {24, 72, 96, 120}) clear(bytes.size() - kTrailerBytes + field, 8);
  }
  return bytes;
}

class ExampleTest : public testing::Test {
 protected:
  ExampleTest() : root_(testing::TempDir() + "/example." + std::to_string(::getpid())) {
    fs::remove_all(root_);
    fs::create_directories(root_);
    path_ = root_ + "/db";
    options_.keystore = TestKeystore();
    options_.segment_bytes = 4096;
    options_.background_threads = 0;
  }
  ~ExampleTest() override { fs::remove_all(root_); }

  void WriteFiles(const std::map<std::string, std::string>& files) {
    ASSERT_EQ(::mkdir(path_.c_str(), 0700), 0);
    for (const auto& [name, bytes] : files) {
      std::ofstream(path_ + "/" + name, std::ios::binary) << bytes;
    }
  }

  // Does what the page says was done.
  void Make() {
    options_.create_if_missing = true;
    auto db = DB::Open(path_, options_);
    ASSERT_TRUE(db.ok()) << db.status();
    ASSERT_TRUE((*db)->Put("city", "Havana").ok());
    WriteBatch batch;
    batch.Put("drink", "rum");
    batch.Put("city", "Santiago");
    ASSERT_TRUE((*db)->Write(batch, {/*sync=*/true}).ok());
    ASSERT_TRUE((*db)->Delete("drink").ok());
    ASSERT_TRUE((*db)->Put("fill", std::string(3592, '\0')).ok());
    ASSERT_TRUE((*db)->Put("drink", "tea").ok());
    ASSERT_TRUE((*db)->Close().ok());
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

TEST_F(ExampleTest, TheDatabaseReadsIt) {
  WriteFiles(ReadExample());
  auto db = DB::Open(path_, options_);
  ASSERT_TRUE(db.ok()) << db.status();
  EXPECT_EQ(*(*db)->Get("city"), "Santiago");
  EXPECT_EQ(*(*db)->Get("drink"), "tea");
  EXPECT_EQ((*db)->KeyCount(), 3u);
  const auto report = (*db)->Verify();
  ASSERT_TRUE(report.ok());
  EXPECT_TRUE(report->damages.empty());
}

TEST_F(ExampleTest, TheReaderReadsIt) {
  if (!ReaderAvailable()) GTEST_SKIP() << "NOT TESTED: /usr/bin/python3 has no xxhash";
  WriteFiles(ReadExample());
  const ReaderResult read = RunReader(path_);
  EXPECT_EQ(read.exit_code, 0) << read.messages;
  EXPECT_EQ(read.content,
            (std::map<std::string, std::string>{
                {"city", "Santiago"}, {"drink", "tea"}, {"fill", std::string(3592, '\0')}}));
}

// A release opens what the one before wrote, goes on in it and leaves it for its own kind to read.
TEST_F(ExampleTest, ADatabaseOfTheFirstReleasesIsGoneOnWith) {
  WriteFiles(ReadFiles("tests/format/early_database.txt"));
  const auto check = [](DB* db) {
    EXPECT_EQ(*db->Get("city"), "Santiago");
    EXPECT_EQ(*db->Get("drink"), "tea");
    EXPECT_EQ(*db->Get("fill"), std::string(3752, '\0'));
    const auto report = db->Verify();
    ASSERT_TRUE(report.ok());
    EXPECT_TRUE(report->damages.empty());
  };
  for (int round = 0; round < 3; ++round) {
    auto db = DB::Open(path_, options_);
    ASSERT_TRUE(db.ok()) << db.status();
    check(db->get());
    EXPECT_EQ((*db)->KeyCount(), 3u + static_cast<unsigned>(round));
    ASSERT_TRUE((*db)->Put("round " + std::to_string(round), std::string(3000, 'x')).ok());
    check(db->get());
    ASSERT_TRUE((*db)->Close().ok());
  }
  // What is new is written as this release writes it; what was sealed stays.
  const std::map<std::string, std::string> files = Files();
  EXPECT_EQ(files.at("MANIFEST").substr(0, 8), "rumcaskL");
  const std::string first = files.at("0000000000000001.seg");
  const std::string second = files.at("0000000000000002.seg");
  EXPECT_EQ(first, ReadFiles("tests/format/early_database.txt").at("0000000000000001.seg"));
  EXPECT_EQ(second.substr(second.size() - kTrailerBytes, 8), "rumcaskT");
}

// Only uuid and incarnation, and what is computed from them, differ from run to run.
TEST_F(ExampleTest, TodaysCodeWritesTheSame) {
  const std::map<std::string, std::string> example = ReadExample();
  Make();
  std::map<std::string, std::string> made = Files();
  std::string now;
  for (const auto& [name, bytes] : made) now += HexDump(name, bytes);
  ASSERT_EQ(example.size(), made.size()) << now;
  for (const auto& [name, bytes] : made) {
    ASSERT_EQ(example.count(name), 1u) << name << "\n" << now;
    EXPECT_EQ(example.at(name).size(), bytes.size()) << name << "\n" << now;
  }
  absl::StatusOr<DecodedManifest> shown = DecodeManifest(example.at("MANIFEST"), "MANIFEST");
  absl::StatusOr<DecodedManifest> fresh = DecodeManifest(made.at("MANIFEST"), "MANIFEST");
  ASSERT_TRUE(shown.ok()) << shown.status() << "\n" << now;
  ASSERT_TRUE(fresh.ok());
  for (const char* name : {"0000000000000001.seg", "0000000000000002.seg"}) {
    EXPECT_EQ(WithoutUuid(made.at(name)), WithoutUuid(example.at(name))) << name << "\n" << now;
  }
  fresh->manifest.uuid = shown->manifest.uuid;
  fresh->manifest.incarnation = shown->manifest.incarnation;
  EXPECT_EQ(EncodeManifest(fresh->manifest), example.at("MANIFEST")) << now;
}

}  // namespace
}  // namespace rumcask
