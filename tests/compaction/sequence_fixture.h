// One crash or one interleaving at an exact step of a compaction, on keystores in memory and on an
// index that a crash leaves in any state.
//
// tests/README.md describes the sequences by number.

#ifndef RUMCASK_TESTS_COMPACTION_SEQUENCE_FIXTURE_H_
#define RUMCASK_TESTS_COMPACTION_SEQUENCE_FIXTURE_H_

#include <algorithm>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <ostream>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/damage.h"
#include "tests/compaction/compaction_fixture.h"
#include "tests/workloads/keystores.h"

namespace rumcask {

using Content = std::map<std::string, std::string>;

// The keystore of a test. Of an index on disk, whether it tells what a change replaces.
struct SequenceKeystore {
  std::string name;
  std::optional<KeystoreFactory> in_memory;
  bool reports_replaced = false;

  friend void PrintTo(const SequenceKeystore& keystore, std::ostream* out) {
    *out << keystore.name;
  }
};

// What a crash leaves, and the database that is opened from it.
struct Revived {
  std::unique_ptr<CrashFileSystem> files;
  std::shared_ptr<AdversarialDisk> index;
  std::unique_ptr<DB> db;
};

// A moment at which a crash may come.
struct CrashPoint {
  CrashImage files;
  std::shared_ptr<AdversarialDisk> index;
  std::string where;
};

class SequenceTest : public CompactorTest, public testing::WithParamInterface<SequenceKeystore> {
 protected:
  SequenceTest() { UseKeystore(index_); }
  ~SequenceTest() override { disk_.SetObserver(nullptr); }

  static bool on_disk() { return !GetParam().in_memory.has_value(); }

  KeystoreFactory KeystoreOn(const std::shared_ptr<AdversarialDisk>& index) const {
    KeystoreFactory keystore = on_disk()
                                   ? index->Keystore("adversarial", GetParam().reports_replaced)
                                   : *GetParam().in_memory;
    if (buffer_bytes_ != 0) keystore.buffer_bytes = buffer_bytes_;
    return keystore;
  }
  void UseKeystore(const std::shared_ptr<AdversarialDisk>& index) {
    options_.keystore = KeystoreOn(index);
  }
  // Of an index on disk.
  void SetBufferBytes(uint64_t bytes) {
    buffer_bytes_ = bytes;
    UseKeystore(index_);
  }

  // Another database, which is empty.
  void BeginAnew() {
    db_.reset();
    path_ = absl::StrCat(kPath, ++databases_);
    index_ = AdversarialDisk::Make();
    UseKeystore(index_);
    Open();
  }
  // Of the file in the database's directory.
  std::string PathOf(const std::string& name) const { return absl::StrCat(path_, "/", name); }

  void PutSynced(const std::string& key, const std::string& value) {
    const absl::Status status = db_->Put(key, value, {/*sync=*/true});
    ASSERT_TRUE(status.ok()) << status;
  }
  void Delete(const std::string& key) {
    const absl::Status status = db_->Delete(key);
    ASSERT_TRUE(status.ok()) << status;
  }
  // So that half of what is written is dead, durable, and known to the index to be dead.
  Content PutTenTwice() {
    PutTen("old");
    PutTen("new");
    EXPECT_TRUE(db_->Sync().ok());
    EXPECT_TRUE(DbTestPeer::CompactorOf(db_.get())->BringIndexUpToDate().ok());
    return ContentOf(db_.get());
  }
  // Writes until the segment that is active now is sealed.
  void Roll(const std::string& key = "roll") {
    const uint64_t id = db_->GetStats().segments.back().id;
    while (db_->GetStats().segments.back().id == id) Put(key, Value("roll", 0));
    ASSERT_TRUE(db_->Sync().ok());
  }
  std::set<uint64_t> SegmentIds() {
    std::set<uint64_t> ids;
    for (const SegmentStats& segment : db_->GetStats().segments) ids.insert(segment.id);
    return ids;
  }
  // Of segments, whether they belong to the database or not.
  std::set<uint64_t> FileIds() const {
    std::set<uint64_t> ids;
    for (const auto& [name, bytes] : disk_.Contents(path_)) {
      if (const auto id = ParseSegmentName(name); id.has_value()) ids.insert(*id);
    }
    return ids;
  }
  // The id of the segment that holds the key's newest record, going by its bytes.
  uint64_t SegmentWith(const std::string& bytes) {
    uint64_t found = 0;
    for (const uint64_t id : SegmentIds()) {
      if (absl::StrContains(disk_.Contents(path_)[SegmentName(id)], bytes)) found = id;
    }
    return found;
  }

  // Calls `act` once, before the first such step from now on.
  void AtStep(std::string step, std::function<void()> act) {
    DbTestPeer::CompactorOf(db_.get())->SetStepHook(
        [step = std::move(step), act = std::move(act), done = false](std::string_view now) mutable {
          if (now == step && !std::exchange(done, true)) act();
        });
  }
  // At every step.
  void AtEachStep(std::function<void(const std::string& step)> act) {
    DbTestPeer::CompactorOf(db_.get())->SetStepHook(
        [act = std::move(act)](std::string_view now) { act(std::string(now)); });
  }

  CrashPoint Crash(const KeepPolicy& policy, IndexFate fate = IndexFate::kLatest,
                   const std::string& where = "") {
    // The index first, so that it is not newer than the log.
    std::shared_ptr<AdversarialDisk> index = index_->Cut(fate, 1);
    return {disk_.Cut(policy), std::move(index),
            absl::StrCat(where, " ", policy.ToString(), " index ", IndexFateName(fate))};
  }
  // What kills and power cuts may leave now.
  std::vector<CrashPoint> Crashes(const std::string& where) {
    std::vector<CrashPoint> crashes;
    for (const KeepPolicy& policy :
         {KeepPolicy::KeepEverything(), KeepPolicy::DropUnsynced(),
          KeepPolicy::NewDataOldDirectory(), KeepPolicy::Random(disk_.operation_count())}) {
      for (const IndexFate fate : {IndexFate::kLatest, IndexFate::kFlushed}) {
        crashes.push_back(Crash(policy, fate, where));
        if (!on_disk()) break;
      }
    }
    return crashes;
  }
  // The same for each operation on files while `act` runs, and for its end.
  std::vector<CrashPoint> CrashesDuring(const std::function<void()>& act) {
    std::vector<CrashPoint> crashes;
    const auto take = [&](const std::string& where) {
      for (CrashPoint& crash : Crashes(where)) crashes.push_back(std::move(crash));
    };
    disk_.SetObserver(
        [&](uint64_t operation, const char* what, const std::string& name, bool after) {
          if (after) take(absl::StrCat("after operation ", operation, ", ", what, " of ", name));
        });
    act();
    disk_.SetObserver(nullptr);
    take("at the end");
    return crashes;
  }

  void OpenRevived(Revived* revived) const {
    revived->db.reset();
    Options options = options_;
    options.file_system = revived->files.get();
    options.keystore = KeystoreOn(revived->index);
    auto db = DB::Open(path_, options);
    ASSERT_TRUE(db.ok()) << db.status();
    revived->db = *std::move(db);
  }
  Revived Revive(const CrashPoint& crash) const {
    Revived revived{std::make_unique<CrashFileSystem>(crash.files), crash.index, nullptr};
    OpenRevived(&revived);
    return revived;
  }

  static Content ContentOf(DB* db) {
    Content content;
    auto it = db->NewIterator();
    EXPECT_TRUE(it.ok()) << it.status();
    if (!it.ok()) return content;
    for (; (*it)->Valid(); (*it)->Next()) {
      EXPECT_TRUE(content.emplace((*it)->key(), (*it)->value()).second) << (*it)->key();
    }
    EXPECT_TRUE((*it)->status().ok()) << (*it)->status();
    return content;
  }
  // Whether the database holds exactly that, counts it, and is sound.
  static void ExpectContent(DB* db, const Content& content) {
    EXPECT_EQ(ContentOf(db), content);
    uint64_t live = 0;
    for (const auto& [key, value] : content) {
      std::string found;
      const absl::Status status = db->Get(key, &found);
      EXPECT_TRUE(status.ok()) << key << ": " << status;
      EXPECT_EQ(found, value) << key;
      live += RecordBytes(key.size(), value.size());
    }
    if (!on_disk()) {
      EXPECT_EQ(db->GetStats().live_bytes, live);
    }
    const auto report = db->Verify();
    ASSERT_TRUE(report.ok()) << report.status();
    EXPECT_TRUE(report->clean()) << DamageStatus(report->damages[0]);
  }
  // Opens what the crash left, expects the content, goes on, compacts, and opens again.
  void ExpectSurvives(const CrashPoint& crash, Content content) const {
    SCOPED_TRACE(crash.where);
    Revived revived = Revive(crash);
    if (revived.db == nullptr) return;
    ExpectContent(revived.db.get(), content);
    ASSERT_TRUE(revived.db->Put("after", "the crash").ok());
    content["after"] = "the crash";
    for (int round = 0; round < 2; ++round) {
      const absl::Status closed = revived.db->Close();
      ASSERT_TRUE(closed.ok()) << closed;
      OpenRevived(&revived);
      if (revived.db == nullptr) return;
      ExpectContent(revived.db.get(), content);
      const absl::Status compacted = revived.db->CompactAll();
      ASSERT_TRUE(compacted.ok()) << compacted;
      ExpectContent(revived.db.get(), content);
    }
  }

  uint64_t buffer_bytes_ = 0;
  int databases_ = 0;
};

// A blind index does not tell what a change replaces.
inline std::vector<SequenceKeystore> SequenceIndexes() {
  return {{"looking", std::nullopt, /*reports_replaced=*/true},
          {"blind", std::nullopt, /*reports_replaced=*/false}};
}
inline std::vector<SequenceKeystore> SequenceKeystores() {
  std::vector<SequenceKeystore> keystores = SequenceIndexes();
  for (const KeystoreFactory& keystore : KeystoresInMemory()) {
    keystores.push_back({std::string(keystore.traits.name), keystore});
  }
  return keystores;
}
inline std::string SequenceName(const testing::TestParamInfo<SequenceKeystore>& info) {
  return info.param.name;
}

}  // namespace rumcask

#endif  // RUMCASK_TESTS_COMPACTION_SEQUENCE_FIXTURE_H_
