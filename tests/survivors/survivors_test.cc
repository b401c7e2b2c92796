// Databases with survivors, in any layout, hold what their history says: on every keystore, when
// they are opened, gone on with, reindexed, replayed, verified and repaired.
//
// In the normal form some thousand random layouts. In full, a hundred thousand:
//
//   bazel test //tests/survivors:survivors_test --test_env=RUMCASK_FULL=1 --test_timeout=86400
//
// RUMCASK_LAYOUTS=n is another number, for sanitizers. A failure names its seed; to see it again,
// and nothing else, set RUMCASK_LAYOUT_SEED to it.

#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"

#include "core/check/repair.h"
#include "core/check/verify.h"
#include "core/damage.h"
#include "core/db.h"
#include "core/format/manifest.h"
#include "core/plugin/disk_index.h"
#include "core/stats.h"
#include "keystores/by_name.h"
#include "tests/crash_kit/adversarial_index.h"
#include "tests/crash_kit/crash_file_system.h"
#include "tests/survivors/layout.h"
#include "tests/workloads/keystores.h"

namespace rumcask {
namespace {

constexpr char kPath[] = "/crash/db";
constexpr char kRepaired[] = "/crash/repaired";

uint64_t Setting(const char* name, uint64_t otherwise) {
  const char* const value = std::getenv(name);
  return value == nullptr ? otherwise : std::strtoull(value, nullptr, 10);
}

// How many layouts, for a keystore that takes `cost` times as long as the cheapest.
uint64_t Layouts(uint64_t cost) {
  const uint64_t normal = Setting("RUMCASK_FULL", 0) != 0 ? 100000 : 2000;
  return std::max<uint64_t>(1, Setting("RUMCASK_LAYOUTS", normal) / cost);
}

// The log is on a disk of the tests, the index on a real one, anew for each use.
KeystoreFactory InTempDirectory(KeystoreFactory keystore) {
  if (!keystore.traits.persistent) return keystore;
  const std::string path = testing::TempDir() + "/survivors." + std::to_string(::getpid()) + "/" +
                           std::string(keystore.traits.name);
  std::filesystem::remove_all(path);
  std::filesystem::create_directories(path);
  keystore.open_index = [path, open = keystore.open_index](DiskIndexConfig config) {
    config.path = path;
    return open(config);
  };
  keystore.remove_index = [path, remove = keystore.remove_index](const std::string&) {
    return remove(path);
  };
  return keystore;
}

class Checker {
 public:
  explicit Checker(KeystoreFactory keystore) {
    // So small that building an index takes several buffers.
    keystore.buffer_bytes = 2000;
    options_.keystore = std::move(keystore);
    options_.segment_bytes = kMinSegmentBytes;
    options_.background_threads = 0;
    options_.file_system = &disk_;
  }

  void Write(const Layout& layout) {
    (void)disk_.CreateDirectory(kPath);
    for (const auto& [name, bytes] : disk_.Contents(kPath)) {
      if (ParseSegmentName(name).has_value()) disk_.RemoveFile(absl::StrCat(kPath, "/", name));
    }
    for (const auto& [name, bytes] : layout.files) {
      disk_.WriteFile(absl::StrCat(kPath, "/", name), bytes);
    }
  }

  std::unique_ptr<DB> Open(const char* path = kPath, bool reindex = false) {
    Options options = options_;
    options.reindex = reindex;
    auto db = DB::Open(path, options);
    EXPECT_TRUE(db.ok()) << db.status();
    return db.ok() ? *std::move(db) : nullptr;
  }

  // Whether the database holds exactly that, by every way to ask.
  void Expect(DB* db, const Content& content) {
    if (db == nullptr) return;
    ExpectContent(db, content);
    const auto report = db->Verify();
    ASSERT_TRUE(report.ok()) << report.status();
    EXPECT_TRUE(report->clean()) << DamageStatus(report->damages[0]);
    EXPECT_EQ(report->keys, content.size());
  }

  void ExpectContent(DB* db, const Content& content) {
    if (db == nullptr) return;
    Content found;
    auto it = db->NewIterator();
    ASSERT_TRUE(it.ok()) << it.status();
    for (; (*it)->Valid(); (*it)->Next()) {
      EXPECT_TRUE(found.emplace((*it)->key(), (*it)->value()).second) << (*it)->key();
    }
    EXPECT_TRUE((*it)->status().ok()) << (*it)->status();
    EXPECT_EQ(found, content);
    uint64_t live = 0;
    for (int i = 0; i < 8; ++i) {
      const std::string key = absl::StrCat("key", i);
      std::string value;
      const absl::Status status = db->Get(key, &value);
      const auto at = content.find(key);
      if (at == content.end()) {
        EXPECT_TRUE(absl::IsNotFound(status)) << key << status;
      } else {
        EXPECT_TRUE(status.ok()) << key << status;
        EXPECT_EQ(value, at->second);
      }
    }
    for (const auto& [key, value] : content) live += RecordBytes(key.size(), value.size());
    const Stats stats = db->GetStats();
    // An index on disk learns later what was replaced.
    const bool exact = !options_.keystore->traits.persistent;
    if (exact) {
      EXPECT_EQ(stats.live_bytes, live);
    }
  }

  // Writes a little, closes, and expects it to be there at the next opening.
  void GoOn(std::unique_ptr<DB> db, Content content, const char* path = kPath) {
    for (int round = 0; round < 2; ++round) {
      if (db == nullptr) return;
      for (int i = round; i < 4; i += 2) {
        const std::string key = absl::StrCat("key", i), value = absl::StrCat("round ", round);
        ASSERT_TRUE(db->Put(key, value).ok());
        content[key] = value;
      }
      ASSERT_TRUE(db->Delete("key1").ok());
      content.erase("key1");
      Expect(db.get(), content);
      const absl::Status closed = db->Close();
      ASSERT_TRUE(closed.ok()) << closed;
      db = Open(path);
      Expect(db.get(), content);
    }
  }

  void CheckFiles(const Content& content) {
    const auto report = VerifyFiles(kPath, &disk_);
    ASSERT_TRUE(report.ok()) << report.status();
    EXPECT_TRUE(report->clean()) << DamageStatus(report->damages[0]);
    EXPECT_EQ(report->keys, content.size());
  }

  // Read-only, as it is and as it was repaired.
  void CheckReaders(const Layout& layout) {
    const Content& content = layout.content;
    if (!options_.keystore->traits.persistent) {
      auto db = DB::OpenReadOnly(kPath, options_);
      ASSERT_TRUE(db.ok()) << db.status();
      Expect(db->get(), content);
    }
    const auto report = Repair(kPath, kRepaired, &disk_);
    ASSERT_TRUE(report.ok()) << report.status();
    EXPECT_EQ(report->values_lost + report->segments_missing + report->versions_missing, 0u);
    // A repair cannot tell remains without a header from a part of the log that was lost.
    if (!layout.has_headless) {
      EXPECT_TRUE(report->complete()) << DamageStatus(report->damages.at(0));
    }
    GoOn(Open(kRepaired, /*reindex=*/options_.keystore->traits.persistent), content, kRepaired);
  }

  // Another keystore from the next opening on.
  void Use(KeystoreFactory keystore) { options_.keystore = std::move(keystore); }
  CrashFileSystem& disk() { return disk_; }
  const Options& options() const { return options_; }

 private:
  CrashFileSystem disk_;
  Options options_;
};

struct Subject {
  std::string name;
  uint64_t cost;
  std::function<KeystoreFactory()> make;
};

class SurvivorsTest : public testing::TestWithParam<Subject> {
 protected:
  template <typename Check>
  void ForEachLayout(Check check) {
    const uint64_t only = Setting("RUMCASK_LAYOUT_SEED", UINT64_MAX);
    int retired = 0, survivors = 0, remains = 0;
    for (uint64_t seed = 0; seed < Layouts(GetParam().cost) && !HasFailure(); ++seed) {
      if (only != UINT64_MAX && seed != only) continue;
      SCOPED_TRACE(absl::StrCat("seed ", seed));
      std::mt19937_64 random(seed);
      const History history = MakeHistory(&random);
      check(history, &random, [&](const Layout& layout) {
        retired += layout.retired;
        survivors += layout.survivors;
        remains += layout.remains;
      });
    }
    std::printf("%d segments gone, %d survivors, %d remains\n", retired, survivors, remains);
  }
};

// From the log alone, then gone on with.
TEST_P(SurvivorsTest, EveryLayoutIsTheHistory) {
  ForEachLayout([](const History& history, std::mt19937_64* random, auto count) {
    const Layout layout = MakeLayout(history, history.segments.size(), /*retires=*/true, random);
    count(layout);
    Checker checker(GetParam().make());
    checker.Write(layout);
    checker.CheckFiles(layout.content);
    std::unique_ptr<DB> db = checker.Open(kPath, checker.options().keystore->traits.persistent);
    checker.Expect(db.get(), layout.content);
    checker.GoOn(std::move(db), layout.content);
  });
}

TEST_P(SurvivorsTest, H25_EveryLayoutCanBeReadAndRepaired) {
  ForEachLayout([](const History& history, std::mt19937_64* random, auto count) {
    const Layout layout = MakeLayout(history, history.segments.size(), /*retires=*/true, random);
    count(layout);
    Checker checker(GetParam().make());
    checker.Write(layout);
    checker.CheckReaders(layout);
  });
}

// Of a survivor, the footer only saves time: MANIFEST tells where its records end.
TEST_P(SurvivorsTest, H12_DamagedFootersCostNothing) {
  ForEachLayout([](const History& history, std::mt19937_64* random, auto count) {
    Layout layout = MakeLayout(history, history.segments.size(), /*retires=*/true, random);
    count(layout);
    for (const ManifestRange& range : layout.manifest.live) {
      if (range.stream != Stream::kSurvivor || (*random)() % 2 == 0) continue;
      std::string& bytes = layout.files.at(SegmentName(range.first_id));
      const uint64_t footer = bytes.size() - range.required_end;
      char& byte = bytes[range.required_end + (*random)() % footer];
      byte = static_cast<char>(byte ^ (1 << (*random)() % 8));
    }
    Checker checker(GetParam().make());
    checker.Write(layout);
    std::unique_ptr<DB> db = checker.Open(kPath, checker.options().keystore->traits.persistent);
    checker.ExpectContent(db.get(), layout.content);
  });
}

// An index that was made before records were copied lacks only what the user wrote since: survivors
// whose victims were not retired have nothing for it.
using StoredSurvivorsTest = SurvivorsTest;
TEST_P(StoredSurvivorsTest, A10_AnIndexFromBeforeTheCopyIsBroughtUpToDate) {
  ForEachLayout([](const History& history, std::mt19937_64* random, auto count) {
    const size_t before = 1 + (*random)() % (history.segments.size() - 1);
    Checker checker(GetParam().make());
    checker.Write(MakeLayout(history, before, /*retires=*/false, random));
    std::unique_ptr<DB> db = checker.Open(kPath, /*reindex=*/true);
    ASSERT_NE(db, nullptr);
    ASSERT_TRUE(db->Close().ok());
    db.reset();
    auto manifest = DecodeManifest(checker.disk().Contents(kPath).at("MANIFEST"), "MANIFEST");
    ASSERT_TRUE(manifest.ok());
    Layout after = MakeLayout(history, history.segments.size(), /*retires=*/false, random);
    count(after);
    after.manifest.incarnation = manifest->manifest.incarnation;
    after.manifest.keystore = manifest->manifest.keystore;
    after.manifest.keystore_persistent = true;
    after.files["MANIFEST"] = EncodeManifest(after.manifest);
    checker.Write(after);
    db = checker.Open();
    ASSERT_NE(db, nullptr);
    EXPECT_EQ(db->GetStats().index_rebuilt, "");
    checker.Expect(db.get(), after.content);
    checker.GoOn(std::move(db), after.content);
  });
}

// To another keystore and back: each index is built from the user's segments and the survivors.
TEST_P(StoredSurvivorsTest, A12_EveryLayoutCanBeReindexed) {
  ForEachLayout([](const History& history, std::mt19937_64* random, auto count) {
    const Layout layout = MakeLayout(history, history.segments.size(), /*retires=*/true, random);
    count(layout);
    Checker checker(GetParam().make());
    checker.Write(layout);
    checker.Expect(checker.Open(kPath, /*reindex=*/true).get(), layout.content);
    checker.Use(*KeystoreByName("hash"));
    checker.Expect(checker.Open(kPath, /*reindex=*/true).get(), layout.content);
  });
}

// Building an index takes several buffers. If the process or the power ends in the middle, the next
// opening goes on from the position of those that are durable, or begins anew.
class UnfinishedIndexTest : public testing::TestWithParam<bool> {};

TEST_P(UnfinishedIndexTest, A11_IsFinishedByTheNextOpening) {
  for (uint64_t seed = 0; seed < Layouts(8) && !HasFailure(); ++seed) {
    SCOPED_TRACE(absl::StrCat("seed ", seed));
    std::mt19937_64 random(seed);
    const History history = MakeHistory(&random);
    Layout layout = MakeLayout(history, history.segments.size(), /*retires=*/true, &random);
    // As if an index had been lost: the database is this keystore's already.
    layout.manifest.keystore = "disk";
    layout.manifest.keystore_persistent = true;
    layout.files["MANIFEST"] = EncodeManifest(layout.manifest);
    std::vector<std::shared_ptr<AdversarialDisk>> left;
    {
      const std::shared_ptr<AdversarialDisk> index = AdversarialDisk::Make();
      index->SetObserver([&](const char* what) {
        if (what != std::string("apply") && what != std::string("flush")) return;
        for (const IndexFate fate : kAllowedFates) left.push_back(index->Cut(fate, random()));
      });
      Checker checker(index->Keystore("disk", GetParam()));
      checker.Write(layout);
      checker.Expect(checker.Open().get(), layout.content);
      index->SetObserver(nullptr);
    }
    for (const std::shared_ptr<AdversarialDisk>& index : left) {
      Checker checker(index->Keystore("disk", GetParam()));
      checker.Write(layout);
      std::unique_ptr<DB> db = checker.Open();
      checker.Expect(db.get(), layout.content);
      checker.GoOn(std::move(db), layout.content);
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Disks, UnfinishedIndexTest, testing::Bool());

KeystoreFactory Fake(bool reports_replaced) {
  return AdversarialDisk::Make()->Keystore("disk", reports_replaced);
}
std::string NameOf(const testing::TestParamInfo<Subject>& info) { return info.param.name; }

// What a layout takes on it, as a multiple of the fastest.
uint64_t CostOf(const std::string& name, bool persistent) {
  const std::map<std::string, uint64_t> costs = {
      {"btree", 1}, {"hash", 4}, {"lmdb", 50}, {"rocksdb", 100}};
  const auto found = costs.find(name);
  return found != costs.end() ? found->second : persistent ? 100 : 8;
}

std::vector<Subject> Subjects(const std::vector<KeystoreFactory>& keystores) {
  std::vector<Subject> subjects;
  for (const KeystoreFactory& keystore : keystores) {
    const std::string name(keystore.traits.name);
    subjects.push_back({name, CostOf(name, keystore.traits.persistent),
                        [keystore] { return InTempDirectory(keystore); }});
  }
  return subjects;
}
std::vector<Subject> OnDisk() {
  std::vector<Subject> subjects = Subjects(KeystoresOnDisk());
  subjects.push_back({"DiskThatReports", 1, [] { return Fake(true); }});
  subjects.push_back({"DiskThatDoesNot", 1, [] { return Fake(false); }});
  return subjects;
}

INSTANTIATE_TEST_SUITE_P(InMemory, SurvivorsTest, testing::ValuesIn(Subjects(KeystoresInMemory())),
                         NameOf);
INSTANTIATE_TEST_SUITE_P(OnDisk, SurvivorsTest, testing::ValuesIn(OnDisk()), NameOf);
INSTANTIATE_TEST_SUITE_P(OnDisk, StoredSurvivorsTest, testing::ValuesIn(OnDisk()), NameOf);

}  // namespace
}  // namespace rumcask
