// Compares FORMAT.md with the code: databases of many shapes, made by the database, must read the
// same with reader.py, which was written from that page alone.

#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <functional>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "gtest/gtest.h"

#include "core/check/repair.h"
#include "core/db.h"
#include "core/format/format.h"
#include "core/segment/segment_file.h"
#include "core/testing/map_keystore.h"
#include "tests/format/run_reader.h"

namespace rumcask {
namespace {

namespace fs = std::filesystem;

using Content = std::map<std::string, std::string>;

class FormatReaderTest : public testing::Test {
 protected:
  FormatReaderTest() : root_(testing::TempDir() + "/format." + std::to_string(::getpid())) {
    fs::remove_all(root_);
    fs::create_directories(root_);
    path_ = root_ + "/db";
    options_.keystore = TestKeystore();
    options_.create_if_missing = true;
    options_.segment_bytes = 4096;
    options_.background_threads = 0;
  }
  ~FormatReaderTest() override { fs::remove_all(root_); }

  void SetUp() override {
    if (!ReaderAvailable()) {
      GTEST_SKIP() << "NOT TESTED: /usr/bin/python3 has no xxhash; install python3-xxhash";
    }
  }

  std::unique_ptr<DB> Open() {
    auto db = DB::Open(path_, options_);
    EXPECT_TRUE(db.ok()) << db.status();
    return db.ok() ? *std::move(db) : nullptr;
  }

  // Opens, writes and closes.
  void Session(const std::function<void(DB*)>& write) {
    std::unique_ptr<DB> db = Open();
    ASSERT_NE(db, nullptr);
    write(db.get());
    ASSERT_TRUE(db->Close().ok());
  }

  // The same in a process that ends without closing.
  void KilledSession(const std::function<void(DB*)>& write) {
    const pid_t child = ::fork();
    if (child == 0) {
      std::unique_ptr<DB> db = Open();
      if (db != nullptr) write(db.get());
      ::_exit(db == nullptr ? 1 : 0);
    }
    int status = 0;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    ASSERT_EQ(status, 0);
  }

  std::string FileOf(uint64_t id) const { return path_ + "/" + SegmentName(id); }

  // Ids of the segment files, ascending.
  std::vector<uint64_t> Segments() const {
    std::vector<uint64_t> ids;
    for (const auto& entry : fs::directory_iterator(path_)) {
      const auto id = ParseSegmentName(entry.path().filename().string());
      if (id.has_value()) ids.push_back(*id);
    }
    std::sort(ids.begin(), ids.end());
    return ids;
  }

  // The offsets of a segment's records, and the offset at which they end.
  std::vector<uint64_t> Records(uint64_t id) const {
    auto directory = PosixFileSystem()->OpenDirectory(path_);
    auto uuid = SegmentFile::ReadUuid(directory->get(), id);
    auto file = SegmentFile::Open(directory->get(), **uuid, id);
    std::vector<uint64_t> offsets;
    const auto end =
        (*file)->ReadPrefix(kSegmentHeaderBytes, (*file)->size(),
                            [&](const FoundRecord& record) { offsets.push_back(record.offset); });
    EXPECT_TRUE(end.ok()) << end.status();
    offsets.push_back(*end);
    return offsets;
  }

  void FlipByte(uint64_t id, uint64_t offset) {
    std::fstream file(FileOf(id), std::ios::in | std::ios::out | std::ios::binary);
    file.seekg(static_cast<std::streamoff>(offset));
    const int byte = file.get();
    file.seekp(static_cast<std::streamoff>(offset));
    file.put(static_cast<char>(byte ^ 1));
  }

  static Content ContentOf(DB* db) {
    Content content;
    auto it = db->NewIterator();
    EXPECT_TRUE(it.ok()) << it.status();
    for (; (*it)->Valid(); (*it)->Next()) content[std::string((*it)->key())] = (*it)->value();
    EXPECT_TRUE((*it)->status().ok()) << (*it)->status();
    return content;
  }

  // Expects that the reader and the database find the same. Opening changes nothing, so both see
  // the same state.
  Content ExpectSame() {
    const ReaderResult read = RunReader(path_);
    EXPECT_EQ(read.exit_code, 0) << read.messages;
    // Opened read-only, because closing after an unclean end would change the files being compared.
    auto db = DB::OpenReadOnly(path_, options_);
    EXPECT_TRUE(db.ok()) << db.status();
    if (!db.ok()) return {};
    Content content = ContentOf(db->get());
    EXPECT_TRUE(content == read.content) << content.size() << " keys, the reader finds "
                                         << read.content.size() << "; " << read.messages;
    return content;
  }

  std::string root_, path_;
  Options options_;
};

void Put(DB* db, const std::string& key, const std::string& value, bool sync = false) {
  WriteOptions options;
  options.sync = sync;
  const absl::Status status = db->Put(key, value, options);
  ASSERT_TRUE(status.ok()) << status;
}

void Delete(DB* db, const std::string& key) { ASSERT_TRUE(db->Delete(key).ok()); }

// Writes enough for several segments: overwrites, deletes, batches, synced writes.
void WriteMuch(DB* db, int rounds = 200) {
  for (int i = 0; i < rounds; ++i) {
    Put(db, "key" + std::to_string(i % 50), std::string(static_cast<size_t>(i % 97), 'v'),
        i % 20 == 0);
    if (i % 7 == 0) Delete(db, "key" + std::to_string(i % 13));
    if (i % 10 == 0) {
      WriteBatch batch;
      for (int part = 0; part < 4; ++part)
        batch.Put("batch" + std::to_string(part), "of " + std::to_string(i));
      batch.Delete("key" + std::to_string(i % 11));
      ASSERT_TRUE(db->Write(batch).ok());
    }
  }
}

TEST_F(FormatReaderTest, Empty) {
  Session([](DB*) {});
  EXPECT_EQ(ExpectSame().size(), 0u);
}

TEST_F(FormatReaderTest, OneRecord) {
  Session([](DB* db) { Put(db, "key", "value"); });
  EXPECT_EQ(ExpectSame(), (Content{{"key", "value"}}));
}

TEST_F(FormatReaderTest, OverwritesAndDeletes) {
  Session([](DB* db) {
    for (const char* value : {"one", "two", "three"}) Put(db, "key", value);
    Put(db, "gone", "soon");
    Delete(db, "gone");
    Put(db, "back", "1");
    Delete(db, "back");
    Put(db, "back", "2");
  });
  EXPECT_EQ(ExpectSame(), (Content{{"key", "three"}, {"back", "2"}}));
}

TEST_F(FormatReaderTest, Batches) {
  Session([](DB* db) {
    Put(db, "a", "0");
    WriteBatch batch;
    batch.Put("a", "1");
    batch.Put("b", "1");
    batch.Delete("a");
    ASSERT_TRUE(db->Write(batch).ok());
    batch.Clear();
    batch.Put("c", "alone");
    ASSERT_TRUE(db->Write(batch).ok());
  });
  EXPECT_EQ(ExpectSame(), (Content{{"b", "1"}, {"c", "alone"}}));
}

TEST_F(FormatReaderTest, SeveralSegmentsCleanlyClosedAgainAndAgain) {
  for (int round = 0; round < 4; ++round) {
    Session([](DB* db) { WriteMuch(db); });
    EXPECT_GT(ExpectSame().size(), 40u);
  }
  EXPECT_GT(Segments().size(), 10u);
}

TEST_F(FormatReaderTest, KilledAgainAndAgain) {
  for (AppendMode mode : {AppendMode::kMapped, AppendMode::kWrite, AppendMode::kMapped}) {
    options_.append_mode = mode;
    KilledSession([](DB* db) { WriteMuch(db); });
    EXPECT_GT(ExpectSame().size(), 40u);
    KilledSession([](DB*) {});
    KilledSession([](DB* db) { Put(db, "one", "more"); });
    ExpectSame();
  }
}

TEST_F(FormatReaderTest, KilledWithSegmentsPrepared) {
  options_.background_threads = 1;
  for (int round = 0; round < 10; ++round) {
    KilledSession([round](DB* db) { WriteMuch(db, 20 * round); });
    ExpectSame();
  }
}

TEST_F(FormatReaderTest, KilledAfterACleanOpening) {
  Session([](DB* db) { WriteMuch(db); });
  KilledSession([](DB* db) { Put(db, "key1", "after the clean close"); });
  EXPECT_EQ(ExpectSame()["key1"], "after the clean close");
}

TEST_F(FormatReaderTest, TornBatch) {
  KilledSession([](DB* db) {
    WriteMuch(db);
    Put(db, "before", "stays");
    WriteBatch batch;
    for (int i = 0; i < 5; ++i) batch.Put("torn" + std::to_string(i), std::string(100, 't'));
    ASSERT_TRUE(db->Write(batch).ok());
  });
  ASSERT_EQ(ExpectSame().count("torn0"), 1u);
  const uint64_t last = Segments().back();
  const std::vector<uint64_t> records = Records(last);
  ASSERT_GT(records.size(), 6u);
  // Cuts within, between and before the parts.
  for (const uint64_t size : {records[records.size() - 1] - 1, records[records.size() - 2],
                              records[records.size() - 3] + 60, records[records.size() - 6]}) {
    fs::resize_file(FileOf(last), size);
    const Content content = ExpectSame();
    EXPECT_EQ(content.count("before"), 1u);
    EXPECT_EQ(content.count("torn0"), 0u);
  }
  // The cut is recorded, and writing continues after it.
  Session([](DB* db) { Put(db, "next", "value"); });
  EXPECT_EQ(ExpectSame().count("torn0"), 0u);
}

TEST_F(FormatReaderTest, WhatFollowsAGapIsNotRead) {
  options_.append_mode = AppendMode::kWrite;
  KilledSession([](DB* db) {
    for (int i = 0; i < 20; ++i) Put(db, "key" + std::to_string(i), std::string(100, 'v'));
  });
  const std::vector<uint64_t> records = Records(1);
  ASSERT_EQ(records.size(), 21u);
  FlipByte(1, records[10] + 50);
  EXPECT_EQ(ExpectSame().size(), 10u);
}

TEST_F(FormatReaderTest, SyncMarksTellAGapFromDamage) {
  KilledSession([](DB* db) {
    for (int i = 0; i < 20; ++i) Put(db, "key" + std::to_string(i), "value", /*sync=*/i == 15);
  });
  const std::vector<uint64_t> records = Records(1);
  ASSERT_EQ(records.size(), 22u);
  FlipByte(1, records[5] + 30);
  EXPECT_TRUE(absl::IsDataLoss(DB::Open(path_, options_).status()));
  const ReaderResult read = RunReader(path_);
  EXPECT_EQ(read.exit_code, 3);
  EXPECT_NE(read.messages.find("promised"), std::string::npos) << read.messages;
}

TEST_F(FormatReaderTest, ValuesAndKeysOfAllSizesAndBytes) {
  std::string all_bytes;
  for (int i = 0; i < 256; ++i) all_bytes.push_back(static_cast<char>(i));
  const auto write = [&all_bytes](DB* db) {
    Put(db, all_bytes, all_bytes + all_bytes);
    Put(db, std::string(1, '\0'), "");
    Put(db, std::string(65535, 'k'), "long key");
    Put(db, "large", std::string((size_t{1} << 20) + 12345, 'L'));
    Put(db, "\xff\xfe", std::string(4096, '\xff'));
    for (size_t size = 1; size < 300; ++size) {
      Put(db, std::string(size, 'k'), std::string(size * 7 % 256, 'v'));
    }
  };
  Session(write);
  EXPECT_EQ(ExpectSame().size(), 304u);
  KilledSession(write);
  EXPECT_EQ(ExpectSame().size(), 304u);
}

TEST_F(FormatReaderTest, ADamagedRecordCostsItsKey) {
  Session([](DB* db) { WriteMuch(db); });
  const Content before = ExpectSame();
  const std::vector<uint64_t> ids = Segments();
  ASSERT_GT(ids.size(), 2u);
  const uint64_t id = ids[ids.size() - 2];  // sealed, and has newest records
  const std::vector<uint64_t> records = Records(id);
  int damaged = 0;
  for (size_t i = 0; i + 1 < records.size(); ++i) {
    FlipByte(id, records[i] + 24);
    const ReaderResult read = RunReader(path_);
    std::unique_ptr<DB> db = Open();
    ASSERT_NE(db, nullptr);
    size_t lost = 0;
    for (const auto& [key, value] : before) {
      auto got = db->Get(key);
      const auto at = read.content.find(key);
      EXPECT_EQ(got.ok(), at != read.content.end()) << key;
      if (got.ok()) {
        EXPECT_EQ(*got, value);
        EXPECT_EQ(at->second, value);
      } else {
        ++lost;
      }
    }
    EXPECT_LE(lost, 1u);
    EXPECT_EQ(read.exit_code, lost == 0 ? 0 : 3);
    damaged += static_cast<int>(lost);
    FlipByte(id, records[i] + 24);
  }
  EXPECT_GT(damaged, 0);
}

TEST_F(FormatReaderTest, ADamagedFooterCostsNothing) {
  Session([](DB* db) { WriteMuch(db); });
  ASSERT_GT(Segments().size(), 3u);
  for (uint64_t id = 1; id <= 3; ++id) {
    const uint64_t size = fs::file_size(FileOf(id));
    FlipByte(id, size - 50);
    ExpectSame();
    FlipByte(id, Records(id).back() + 5);
    ExpectSame();
  }
}

TEST_F(FormatReaderTest, Repaired) {
  KilledSession([](DB* db) { WriteMuch(db); });
  Session([](DB* db) { Put(db, "last", "value"); });
  ExpectSame();
  // A record that is the newest of its key.
  Session([](DB* db) {
    Put(db, "victim", "old");
    Put(db, "victim", "new");
    for (int i = 0; i < 100; ++i) Put(db, "filler", std::string(100, 'f'));
  });
  const Content before = ExpectSame();
  bool found = false;
  for (uint64_t id : Segments()) {
    std::ifstream file(FileOf(id), std::ios::binary);
    const std::string bytes{std::istreambuf_iterator<char>(file), {}};
    const size_t at = bytes.find("victimnew");
    if (at == std::string::npos) continue;
    FlipByte(id, at + 7);
    found = true;
  }
  ASSERT_TRUE(found);
  const auto report = Repair(path_, root_ + "/repaired");
  ASSERT_TRUE(report.ok()) << report.status();
  EXPECT_EQ(report->values_lost, 1u);
  path_ = root_ + "/repaired";
  // The lost value is an error for the reader as it is for the database.
  const ReaderResult read = RunReader(path_);
  EXPECT_EQ(read.exit_code, 3);
  Content rest = before;
  rest.erase("victim");
  EXPECT_EQ(read.content, rest);
  EXPECT_TRUE(absl::IsDataLoss(Open()->Get("victim").status()));
  Session([](DB* db) { Put(db, "victim", "anew"); });
  rest["victim"] = "anew";
  EXPECT_EQ(ExpectSame(), rest);
}

// Random histories with random ends. Both readers must agree on the content and on what is damage.
TEST_F(FormatReaderTest, RandomHistories) {
  std::mt19937_64 random(20220623);
  int damaged = 0;
  for (int history = 0; history < 40; ++history) {
    fs::remove_all(path_);
    for (int session = 0; session < 3; ++session) {
      options_.append_mode = random() % 2 == 0 ? AppendMode::kMapped : AppendMode::kWrite;
      options_.background_threads = static_cast<int>(random() % 2);
      const uint64_t seed = random();
      const auto write = [seed](DB* db) {
        std::mt19937_64 draw(seed);
        for (uint64_t i = draw() % 150; i > 0; --i) {
          const std::string key = "k" + std::to_string(draw() % 30);
          const uint64_t what = draw() % 10;
          if (what == 0) {
            Delete(db, key);
          } else if (what == 1) {
            WriteBatch batch;
            for (uint64_t n = 2 + draw() % 4; n > 0; --n) batch.Put(key + std::to_string(n), key);
            ASSERT_TRUE(db->Write(batch).ok());
          } else {
            Put(db, key, std::string(draw() % 200, 'v'), draw() % 25 == 0);
          }
        }
      };
      if (random() % 2 == 0) {
        Session(write);
        ExpectSame();
        continue;
      }
      KilledSession(write);
      ExpectSame();
      const std::vector<uint64_t> ids = Segments();
      if (ids.empty() || random() % 2 == 0) continue;
      // Cuts a file at a random place, so that something promised may be missing.
      const uint64_t id = ids[ids.size() - 1 - random() % std::min<size_t>(ids.size(), 2)];
      fs::resize_file(FileOf(id), random() % (fs::file_size(FileOf(id)) + 1));
      const absl::Status status = DB::Open(path_, options_).status();
      if (status.ok()) {
        ExpectSame();
        continue;
      }
      EXPECT_TRUE(absl::IsDataLoss(status)) << status;
      EXPECT_EQ(RunReader(path_).exit_code, 3) << status;
      ++damaged;
      break;
    }
  }
  std::printf("%d of 40 histories ended in damage\n", damaged);
}

}  // namespace
}  // namespace rumcask
