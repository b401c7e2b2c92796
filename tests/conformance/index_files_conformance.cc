// Read-only openings, and files that are not as the index left them.

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <functional>
#include <map>
#include <random>
#include <sstream>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"

#include "tests/conformance/disk_index_conformance.h"
#include "tests/conformance/tested_index.h"

namespace rumcask {
namespace {

namespace fs = std::filesystem;

std::string ReadFile(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream bytes;
  bytes << file.rdbuf();
  return bytes.str();
}

void WriteFile(const fs::path& path, const std::string& bytes) {
  std::ofstream(path, std::ios::binary | std::ios::trunc) << bytes;
}

// All files with their contents and modification times.
std::map<std::string, std::string> Photograph(const std::string& directory) {
  std::map<std::string, std::string> files;
  for (const auto& entry : fs::recursive_directory_iterator(directory)) {
    files[entry.path()] =
        absl::StrCat(entry.last_write_time().time_since_epoch().count(), " ",
                     entry.is_regular_file() ? ReadFile(entry.path()) : "no file");
  }
  return files;
}

// Makes an index of some files and closes it.
BytesMap MakeIndex(const KeystoreFactory& factory, const std::string& path) {
  TestedIndex tested(factory, path);
  for (int batch = 0; batch < 4; ++batch) {
    BytesMap changes;
    for (int i = batch; i < 1000; i += 1 + batch) {
      changes[absl::StrCat("key", i)] = absl::StrCat("value ", i, " of batch ", batch);
    }
    EXPECT_EQ(tested.Apply(changes, {{"note", absl::StrCat(batch)}}), "");
    EXPECT_EQ(tested.FlushAndReopen(), "");
  }
  return tested.entries();
}

std::string RandomBytes(size_t size) {
  std::mt19937_64 random(6);
  std::string bytes(size, '\0');
  for (char& c : bytes) c = static_cast<char>(random());
  return bytes;
}

struct Damage {
  const char* name;
  // Makes the damage; false if it would change nothing.
  std::function<bool(const fs::path&)> make;
};

const std::vector<Damage>& Damages() {
  const auto cut = [](const std::function<size_t(size_t)>& to) {
    return [to](const fs::path& path) {
      const size_t size = fs::file_size(path);
      if (to(size) >= size) return false;
      fs::resize_file(path, to(size));
      return true;
    };
  };
  const auto replace = [](const std::function<std::string(size_t)>& by) {
    return [by](const fs::path& path) {
      WriteFile(path, by(fs::file_size(path)));
      return true;
    };
  };
  static const auto* const damages = new std::vector<Damage>{
      {"missing", [](const fs::path& path) { return fs::remove(path); }},
      {"empty", cut([](size_t) { return 0; })},
      {"cut by a byte", cut([](size_t size) { return size - std::min<size_t>(size, 1); })},
      {"cut by a page", cut([](size_t size) { return size - std::min<size_t>(size, 4096); })},
      {"half", cut([](size_t size) { return size / 2; })},
      {"a page", cut([](size_t) { return 4096; })},
      {"100 bytes", cut([](size_t) { return 100; })},
      {"zeros", replace([](size_t size) { return std::string(size, '\0'); })},
      {"noise", replace([](size_t size) { return RandomBytes(size); })},
      {"a little noise", replace([](size_t) { return RandomBytes(50); })},
      {"text", replace([](size_t) { return std::string("To whom it may concern\n"); })},
      {"a directory",
       [](const fs::path& path) { return fs::remove(path) && fs::create_directory(path); }},
  };
  return *damages;
}

void RemoveAndMake(const KeystoreFactory& factory, const std::string& path, BytesMap* entries) {
  fs::remove_all(path);
  fs::create_directories(path);
  *entries = MakeIndex(factory, path);
}

TEST_P(DiskIndexConformance, ReadOnlyReadsAllAndChangesNothing) {
  const BytesMap entries = MakeIndex(factory(), path());
  const auto before = Photograph(path());
  {
    // Read-only openings do not exclude each other.
    const auto index = OpenIndex(factory(), path(), /*read_only=*/true);
    ASSERT_TRUE(index.ok()) << index.status();
    const auto second = OpenIndex(factory(), path(), /*read_only=*/true);
    ASSERT_TRUE(second.ok()) << second.status();
    for (const auto* opened : {&index, &second}) {
      IndexContents contents;
      ASSERT_TRUE(ReadAll(***opened, {"note"}, &contents).ok());
      EXPECT_EQ(contents.entries, entries);
      EXPECT_EQ(contents.notes, (BytesMap{{"note", "3"}}));
      std::string note;
      EXPECT_TRUE((**opened)->GetNote("note", /*durable=*/true, &note).ok());
      EXPECT_EQ(note, "3");
      if ((**opened)->counts_exactly()) {
        EXPECT_EQ((**opened)->KeyCount(), entries.size());
      }
      EXPECT_GT((**opened)->FileBytes(), 0);
    }
    EXPECT_EQ(Photograph(path()), before);
  }
  EXPECT_EQ(Photograph(path()), before);
}

TEST_P(DiskIndexConformance, ReadOnlyMakesNoIndex) {
  const auto index = OpenIndex(factory(), path(), /*read_only=*/true);
  EXPECT_TRUE(absl::IsNotFound(index.status())) << index.status();
  EXPECT_TRUE(fs::is_empty(path()));
}

// Damages each file in each way. Then either the opening or a read must report it, or everything
// must be as before, or nothing must be there at all.
TEST_P(DiskIndexConformance, DamagedFilesAreReportedOrDoNoHarm) {
  BytesMap entries;
  RemoveAndMake(factory(), path(), &entries);
  const std::string original = absl::StrCat(path(), ".original");
  fs::remove_all(original);
  fs::rename(path(), original);
  std::vector<fs::path> names;
  for (const auto& entry : fs::directory_iterator(original)) {
    names.push_back(entry.path().filename());
  }
  ASSERT_GE(names.size(), 1);
  int reported = 0;
  for (const fs::path& name : names) {
    for (const Damage& damage : Damages()) {
      for (const bool read_only : {false, true}) {
        SCOPED_TRACE(
            absl::StrCat(name.string(), " ", damage.name, read_only ? ", opened to read" : ""));
        fs::remove_all(path());
        fs::copy(original, path());
        if (!damage.make(fs::path(path()) / name)) continue;
        const auto index = OpenIndex(factory(), path(), read_only);
        if (!index.ok()) {
          EXPECT_TRUE(absl::IsDataLoss(index.status()) ||
                      absl::IsFailedPrecondition(index.status()) ||
                      (read_only && absl::IsNotFound(index.status())))
              << index.status();
          ++reported;
          continue;
        }
        IndexContents contents;
        const absl::Status read = ReadAll(**index, {"note"}, &contents);
        if (!read.ok()) {
          EXPECT_TRUE(absl::IsDataLoss(read)) << read;
          ++reported;
        } else if (!contents.notes.empty()) {
          EXPECT_EQ(contents.notes, (BytesMap{{"note", "3"}}));
          EXPECT_EQ(contents.entries, entries);
        } else {
          EXPECT_EQ(contents.entries.size(), 0);
        }
      }
    }
  }
  EXPECT_GT(reported, 10);
  fs::remove_all(original);
}

TEST_P(DiskIndexConformance, ADirectoryIsUsedAgainAfterItsFilesWereRemoved) {
  BytesMap entries;
  RemoveAndMake(factory(), path(), &entries);
  for (const auto& entry : fs::directory_iterator(path())) fs::remove_all(entry.path());
  TestedIndex tested(factory(), path());
  EXPECT_EQ(tested.Compare(), "");
  ASSERT_EQ(tested.Apply({{"key", "value"}}, {{"note", "1"}}), "");
  ASSERT_EQ(tested.FlushAndReopen(), "");
  EXPECT_EQ(tested.Compare(), "");
}

}  // namespace
}  // namespace rumcask
