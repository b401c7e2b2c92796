// Crashes at exact steps of a compaction.

#include "tests/compaction/sequence_fixture.h"

namespace rumcask {
namespace {

INSTANTIATE_TEST_SUITE_P(Keystores, SequenceTest, testing::ValuesIn(SequenceKeystores()),
                         SequenceName);

// All of a segment is dead, because of a write that is not durable. The power fails at any moment
// while the segment is retired. The old value was durable, so it or the newer write is found.
TEST_P(SequenceTest, A1_H1_ADeadRecordStaysUntilWhatReplacedItIsDurable) {
  const std::string old(3500, 'o');
  const std::function<absl::Status()> writes[] = {
      [this] { return db_->Put("key", "new"); },
      [this] { return db_->Delete("key"); },
      [this] {
        WriteBatch batch;
        batch.Put("key", "new");
        batch.Put("other", "new");
        return db_->Write(batch);
      },
  };
  for (const std::function<absl::Status()>& write : writes) {
    BeginAnew();
    Put("key", old);
    Roll();
    const uint64_t victim = SegmentWith(old);
    const Content before = ContentOf(db_.get());
    ASSERT_TRUE(write().ok());
    const Content after = ContentOf(db_.get());
    CompactionReport report;
    const std::vector<CrashPoint> crashes = CrashesDuring([&] { report = CompactAll(); });
    // An index that looks does not know yet that the record is dead.
    if (!GetParam().reports_replaced) {
      EXPECT_EQ(SegmentIds().count(victim), 0u);
    }
    for (const CrashPoint& crash : crashes) {
      SCOPED_TRACE(crash.where);
      const Revived revived = Revive(crash);
      ASSERT_NE(revived.db, nullptr);
      const Content found = ContentOf(revived.db.get());
      EXPECT_TRUE(found == before || found == after);
    }
  }
}

// The same of a record that is overwritten or deleted when a job has begun. At first it is not
// copied, and at later steps it is, but nothing points at the copy. Its segment goes either way.
TEST_P(SequenceTest, A1_H1_ARecordThatDiesWhenAJobHasBegunStaysUntilWhatReplacedItIsDurable) {
  for (const bool erased : {false, true}) {
    for (const char* const step : {"read", "copy", "adopt", "move", "slice", "looked"}) {
      SCOPED_TRACE(absl::StrCat(step, erased ? ", deleted" : ", overwritten"));
      BeginAnew();
      for (const char* const key : {"dead", "key", "other"}) Put(key, Value(key, 0));
      Put("dead", Value("dead", 1));
      Roll();
      ASSERT_TRUE(db_->Sync().ok());
      ASSERT_TRUE(DbTestPeer::CompactorOf(db_.get())->BringIndexUpToDate().ok());
      const Content before = ContentOf(db_.get());
      Content after;
      AtStep(step, [&] {
        // In a segment of its own, so that nothing else makes it durable. A delete that is lost
        // looks like one that is not if the old value is lost as well, so something is put with it.
        Roll();
        WriteBatch batch;
        if (erased) {
          batch.Delete("key");
        } else {
          batch.Put("key", "new");
        }
        batch.Put("other", "new");
        ASSERT_TRUE(db_->Write(batch).ok());
        after = ContentOf(db_.get());
      });
      CompactionReport report;
      const std::vector<CrashPoint> crashes = CrashesDuring([&] { report = CompactAll(); });
      EXPECT_GT(report.retired_segments, 0u);
      ASSERT_FALSE(after.empty());
      for (const CrashPoint& crash : crashes) {
        SCOPED_TRACE(crash.where);
        const Revived revived = Revive(crash);
        ASSERT_NE(revived.db, nullptr);
        const Content found = ContentOf(revived.db.get());
        EXPECT_TRUE(found == before || found == after);
      }
    }
  }
}

// The power fails while a full segment waits for its fdatasync. If it could be a victim, copies of
// its records could be durable before earlier records are.
TEST_P(SequenceTest, A2_H2_ASegmentThatIsNotDurableIsNoVictim) {
  options_.background_threads = 1;
  Open();
  std::atomic<bool> reached{false};
  std::atomic<bool> released{false};
  const auto nap = [] { std::this_thread::sleep_for(std::chrono::milliseconds(1)); };
  disk_.SetObserver([&](uint64_t, const char* what, const std::string& name, bool after) {
    if (after || std::string_view(what) != "sync" || !absl::EndsWith(name, ".seg")) return;
    if (reached.exchange(true)) return;
    while (!released) nap();
  });
  // The first record is dead.
  for (const char* const key : {"twice", "first", "twice", "second", "next"}) {
    Put(key, Value(key, 0));
  }
  while (!reached) nap();
  std::vector<CrashPoint> crashes;
  const auto take = [&] {
    for (CrashPoint& crash : Crashes("while the seal stalls")) crashes.push_back(std::move(crash));
  };
  AtStep("fence", [&] {
    take();
    released = true;
  });
  const CompactionReport report = CompactAll();
  EXPECT_EQ(report.copied_records, 0u);
  EXPECT_EQ(report.retired_segments, 0u);
  take();
  released = true;
  for (const CrashPoint& crash : crashes) {
    SCOPED_TRACE(crash.where);
    const Revived revived = Revive(crash);
    ASSERT_NE(revived.db, nullptr);
    const Content found = ContentOf(revived.db.get());
    // The writes in their order, and no hole.
    EXPECT_EQ(found.count("first") + found.count("second") + found.count("next"),
              found.count("next") != 0     ? 3u
              : found.count("second") != 0 ? 2u
                                           : found.count("first"));
    EXPECT_LE(found.count("first"), found.count("twice"));
  }
  ASSERT_TRUE(db_->Sync().ok());
  ASSERT_TRUE(DbTestPeer::CompactorOf(db_.get())->BringIndexUpToDate().ok());
  EXPECT_EQ(CompactAll().retired_segments, 1u);
}

// Crashes when the copies are written and no MANIFEST lists them yet, and the user's segments have
// gone on above them.
class UnadoptedTest : public SequenceTest {
 protected:
  // Calls `take` at that moment with the ids of the files that are not listed.
  void Run(const std::function<void(const std::set<uint64_t>& survivors)>& take) {
    Open();
    PutTen("old");
    PutTen("new");
    ASSERT_TRUE(db_->Sync().ok());
    ASSERT_TRUE(DbTestPeer::CompactorOf(db_.get())->BringIndexUpToDate().ok());
    bool taken = false;
    AtStep("adopt", [&] {
      std::set<uint64_t> survivors = FileIds();
      for (const uint64_t id : SegmentIds()) survivors.erase(id);
      ASSERT_FALSE(survivors.empty());
      for (int i = 0; i < 5; ++i) PutSynced(absl::StrCat("later", i), Value("later", i));
      ASSERT_GT(*SegmentIds().rbegin(), *survivors.rbegin());
      content_ = ContentOf(db_.get());
      take(survivors);
      taken = true;
    });
    EXPECT_GT(CompactAll().copied_records, 0u);
    ASSERT_TRUE(taken);
    EXPECT_EQ(ContentOf(db_.get()), content_);
  }
  Content content_;
};
INSTANTIATE_TEST_SUITE_P(Keystores, UnadoptedTest, testing::ValuesIn(SequenceKeystores()),
                         SequenceName);

TEST_P(UnadoptedTest, A3_CopiesThatAreNotListedDoNotEndTheLog) {
  Run([this](const std::set<uint64_t>& /*survivors*/) {
    for (const CrashPoint& crash : Crashes("before adopting")) ExpectSurvives(crash, content_);
  });
}

// A power cut may keep the file's bytes and lose its header, or keep only the name.
TEST_P(UnadoptedTest, A4_CopiesWithoutAHeaderDoNotEndTheLog) {
  Run([this](const std::set<uint64_t>& survivors) {
    const auto damaged = [&](const std::string& how, auto damage) {
      CrashPoint crash = Crash(KeepPolicy::KeepEverything(), IndexFate::kLatest, how);
      CrashFileSystem files(crash.files);
      for (const uint64_t id : survivors) {
        damage(&files, PathOf(SegmentName(id)));
      }
      crash.files = files.Cut(KeepPolicy::KeepEverything());
      ExpectSurvives(crash, content_);
    };
    damaged("without header", [](CrashFileSystem* files, const std::string& path) {
      files->Overwrite(path, 0, std::string(512, '\0'));
    });
    damaged("rotten header",
            [](CrashFileSystem* files, const std::string& path) { files->FlipBit(path, 20, 3); });
    damaged("half", [](CrashFileSystem* files, const std::string& path) {
      files->TruncateFile(path, 1000);
    });
    damaged("only zeros", [](CrashFileSystem* files, const std::string& path) {
      files->WriteFile(path, std::string(3000, '\0'));
    });
    damaged("only a name",
            [](CrashFileSystem* files, const std::string& path) { files->TruncateFile(path, 0); });
  });
}

// Originals and copies have the same numbers. After a crash each counts once, whichever the index
// leads to, and is overwritten once.
TEST_P(SequenceTest, A5_H22_OriginalsBesideTheirCopiesCountOnce) {
  Open();
  const Content content = PutTenTwice();
  std::vector<CrashPoint> crashes;
  AtStep("move", [&] { crashes = Crashes("before moving"); });
  EXPECT_GT(CompactAll().copied_records, 0u);
  ASSERT_FALSE(crashes.empty());
  for (const CrashPoint& crash : crashes) {
    SCOPED_TRACE(crash.where);
    ExpectSurvives(crash, content);
    Revived revived = Revive(crash);
    ASSERT_NE(revived.db, nullptr);
    Content changed = content;
    for (int i = 0; i < 10; i += 2) {
      const std::string key = absl::StrCat("key", i);
      changed[key] = "overwritten";
      ASSERT_TRUE(revived.db->Put(key, changed[key], {/*sync=*/true}).ok());
    }
    ASSERT_TRUE(revived.db->Delete("key1", {/*sync=*/true}).ok());
    changed.erase("key1");
    ExpectContent(revived.db.get(), changed);
    ExpectSurvives({revived.files->Cut(KeepPolicy::DropUnsynced()),
                    revived.index->Cut(IndexFate::kFlushed, 1), "and again"},
                   changed);
  }
}

// A record dies while its copy is made: the copy loses, its original goes, and the tombstone's
// segment is a victim of the next job. What holds the key then is a survivor, and one that stays,
// as somebody pins another record of it.
TEST_P(SequenceTest, A24_H16_ATombstoneStaysForTheCopyOfWhatItDeleted) {
  options_.read_mode = ReadMode::kMapped;
  Open();
  for (const char* const key : {"dead", "deleted", "pinned"}) Put(key, Value("first", 0));
  Put("dead", Value("second", 0));
  Roll();
  ASSERT_TRUE(DbTestPeer::CompactorOf(db_.get())->BringIndexUpToDate().ok());
  AtStep("slice", [this] { Delete("deleted"); });
  EXPECT_GT(CompactAll().copied_records, 0u);
  PinnedValue pinned;
  ASSERT_TRUE(db_->Get("pinned", &pinned).ok());
  ASSERT_TRUE(pinned.pinned());
  for (int round = 0; round < 3; ++round) {
    Put("dead", Value("third", round));
    Roll();
    ASSERT_TRUE(DbTestPeer::CompactorOf(db_.get())->BringIndexUpToDate().ok());
    const Content content = ContentOf(db_.get());
    ASSERT_EQ(content.count("deleted"), 0u);
    EXPECT_EQ(CompactAll().waiting_segments, 1u);
    for (const IndexFate fate : {IndexFate::kLatest, IndexFate::kEmpty}) {
      ExpectSurvives(Crash(KeepPolicy::KeepEverything(), fate, absl::StrCat("round ", round)),
                     content);
    }
  }
}

// The put that supersedes a tombstone is not durable when the tombstone is dropped. A power cut
// must not lose both and bring back what the tombstone had deleted.
TEST_P(SequenceTest, A26_H16_ASupersededTombstoneStaysUntilThePutIsDurable) {
  options_.read_mode = ReadMode::kMapped;
  Open();
  const std::string first = Value("first", 0);
  Put("key", first);
  Put("pinned", Value("pinned", 0));
  Roll();
  // What the tombstone deletes stays.
  PinnedValue pinned;
  ASSERT_TRUE(db_->Get("pinned", &pinned).ok());
  ASSERT_TRUE(pinned.pinned());
  Delete("key");
  Put("dead", Value("dead", 0));
  Put("dead", Value("dead", 1));
  Roll();
  ASSERT_TRUE(DbTestPeer::CompactorOf(db_.get())->BringIndexUpToDate().ok());
  ASSERT_TRUE(db_->Sync().ok());
  Put("key", "again");
  CompactionReport report;
  const std::vector<CrashPoint> crashes = CrashesDuring([&] { report = CompactAll(); });
  EXPECT_GT(report.retired_segments, 0u);
  for (const CrashPoint& crash : crashes) {
    SCOPED_TRACE(crash.where);
    const Revived revived = Revive(crash);
    ASSERT_NE(revived.db, nullptr);
    const Content found = ContentOf(revived.db.get());
    const auto at = found.find("key");
    EXPECT_TRUE(at == found.end() || at->second == "again") << at->second.substr(0, 10);
  }
}

// Nothing is left of what was deleted, so no tombstone is needed, whatever the index is built from.
TEST_P(SequenceTest, A27_WithoutTombstonesNothingComesBack) {
  Open();
  // An older segment that stays, and has none of the keys.
  for (int i = 0; i < 4; ++i) Put(absl::StrCat("other", i), Value("other", i));
  PutTen("old");
  PutTen("new");
  for (int i = 0; i < 10; ++i) Delete(absl::StrCat("key", i));
  Roll();
  const Content content = ContentOf(db_.get());
  for (int i = 0; i < 3; ++i) {
    ASSERT_TRUE(DbTestPeer::CompactorOf(db_.get())->BringIndexUpToDate().ok());
    CompactAll();
  }
  for (const auto& [name, bytes] : disk_.Contents(path_)) {
    if (ParseSegmentName(name).has_value()) {
      EXPECT_FALSE(absl::StrContains(bytes, "key3")) << name;
    }
  }
  for (const IndexFate fate : {IndexFate::kLatest, IndexFate::kEmpty, IndexFate::kOlder}) {
    ExpectSurvives(Crash(KeepPolicy::KeepEverything(), fate, "all deleted"), content);
  }
}

// A power cut undoes the removal of the victims. They are dead, as MANIFEST does not list them.
TEST_P(SequenceTest, A31_H14_AVictimThatComesBackIsDead) {
  Open();
  PutTen("old");
  for (int i = 0; i < 10; i += 3) Delete(absl::StrCat("key", i));
  PutTen("new");
  Delete("key5");
  ASSERT_TRUE(db_->Sync().ok());
  ASSERT_TRUE(DbTestPeer::CompactorOf(db_.get())->BringIndexUpToDate().ok());
  const std::map<std::string, std::string> before = disk_.Contents(path_);
  EXPECT_GT(CompactAll().retired_segments, 3u);
  const Content content = ContentOf(db_.get());
  for (const IndexFate fate : {IndexFate::kLatest, IndexFate::kEmpty, IndexFate::kOlder}) {
    CrashPoint crash = Crash(KeepPolicy::DropUnsynced(), fate);
    CrashFileSystem files(crash.files);
    std::vector<std::string> back;
    for (const auto& [name, bytes] : before) {
      const auto id = ParseSegmentName(name);
      if (!id.has_value() || SegmentIds().count(*id) > 0) continue;
      back.push_back(name);
      files.WriteFile(PathOf(name), bytes);
    }
    ASSERT_GT(back.size(), 3u);
    crash.files = files.Cut(KeepPolicy::KeepEverything());
    ExpectSurvives(crash, content);
    Revived revived = Revive(crash);
    ASSERT_NE(revived.db, nullptr);
    ASSERT_TRUE(revived.db->Put("first", "write").ok());
    const auto left = revived.files->Contents(path_);
    for (const std::string& name : back) EXPECT_EQ(left.count(name), 0u) << name;
  }
}

// A close at any step of a compaction ends it. What was done holds, and no file is left that does
// not belong.
TEST_P(SequenceTest, A34_ACloseEndsACompaction) {
  std::vector<std::string> steps = {"end",  "choose",  "read",   "copy", "adopt",
                                    "move", "slice",   "looked", "held", "fence",
                                    "wait", "readers", "retire"};
  for (const std::string& step : steps) {
    SCOPED_TRACE(step);
    BeginAnew();
    PutTen("old");
    PutTen("new");
    ASSERT_TRUE(DbTestPeer::CompactorOf(db_.get())->BringIndexUpToDate().ok());
    const Content content = ContentOf(db_.get());
    std::thread closer;
    AtStep(step, [&] {
      closer = std::thread([this] { EXPECT_TRUE(db_->Close().ok()); });
      std::string value;
      while (!absl::IsFailedPrecondition(db_->Get("key0", &value))) std::this_thread::yield();
    });
    const absl::Status status = db_->CompactAll();
    EXPECT_TRUE(status.ok() || absl::IsFailedPrecondition(status)) << status;
    ASSERT_TRUE(closer.joinable());
    closer.join();
    Open();
    EXPECT_TRUE(db_->GetStats().recovery.was_clean);
    EXPECT_EQ(FileIds(), SegmentIds());
    ExpectContent(db_.get(), content);
    CompactAll();
    ExpectContent(db_.get(), content);
  }
}

// Who only reads what a crash has left ignores the copies that are not listed, and removes nothing.
TEST_P(SequenceTest, A39_ReadingOnlyChangesNothingAfterACrash) {
  Open();
  PutTen("old");
  PutTen("new");
  // An index that is not there yet could not be read.
  ASSERT_TRUE(db_->Close().ok());
  Open();
  const Content content = ContentOf(db_.get());
  std::vector<CrashPoint> crashes;
  AtEachStep([&](const std::string& step) {
    crashes.push_back(Crash(KeepPolicy::KeepEverything(), IndexFate::kFlushed, "at " + step));
    crashes.push_back(Crash(KeepPolicy::DropUnsynced(), IndexFate::kLatest, "at " + step));
  });
  EXPECT_GT(CompactAll().retired_segments, 0u);
  ASSERT_GE(crashes.size(), 18u);
  for (const CrashPoint& crash : crashes) {
    SCOPED_TRACE(crash.where);
    CrashFileSystem files(crash.files);
    const auto before = files.Contents(path_);
    Options options = options_;
    options.file_system = &files;
    options.keystore = KeystoreOn(crash.index);
    auto db = DB::OpenReadOnly(path_, options);
    ASSERT_TRUE(db.ok()) << db.status();
    EXPECT_EQ((*db)->GetStats().index_rebuilt, "");
    ExpectContent(db->get(), content);
    db->reset();
    EXPECT_EQ(files.Contents(path_), before);
  }
}

// Survivors are victims, too, and what is copied again and again keeps its number: of puts, and of
// tombstones, which must not get above a put that comes while they are copied.
TEST_P(SequenceTest, A43_CopiesOfCopiesKeepTheirNumbers) {
  options_.read_mode = ReadMode::kMapped;
  Open();
  Put("deleted", Value("old", 0));
  Put("pinned", Value("pinned", 0));
  Roll();
  // So that the tombstone has to stay.
  PinnedValue pinned;
  ASSERT_TRUE(db_->Get("pinned", &pinned).ok());
  ASSERT_TRUE(pinned.pinned());
  Delete("deleted");
  PutTen("value");
  std::map<std::string, uint64_t> versions;
  for (const auto& [key, value] : ContentOf(db_.get())) {
    std::string found;
    ASSERT_TRUE(db_->Get(key, &found, {}, &versions[key]).ok());
  }
  for (int round = 0; round < 4; ++round) {
    SCOPED_TRACE(round);
    Put("dead", Value("dead", round));
    Put("dead", Value("dead", round + 1));
    Roll("dead");
    ASSERT_TRUE(DbTestPeer::CompactorOf(db_.get())->BringIndexUpToDate().ok());
    if (round == 3) AtStep("copy", [this] { Put("deleted", "is back"); });
    // Once more of what was copied is dead, so that it is copied again.
    Put(absl::StrCat("key", round), "overwritten");
    versions.erase(absl::StrCat("key", round));
    EXPECT_GT(CompactAll().copied_records, 0u);
    const Content content = ContentOf(db_.get());
    EXPECT_EQ(content.count("deleted"), round == 3 ? 1u : 0u);
    for (const IndexFate fate : {IndexFate::kLatest, IndexFate::kEmpty}) {
      const CrashPoint crash = Crash(KeepPolicy::KeepEverything(), fate);
      const Revived revived = Revive(crash);
      ASSERT_NE(revived.db, nullptr);
      ExpectContent(revived.db.get(), content);
      for (const auto& [key, version] : versions) {
        std::string found;
        uint64_t now = 0;
        ASSERT_TRUE(revived.db->Get(key, &found, {}, &now).ok());
        EXPECT_EQ(now, version) << key;
      }
    }
  }
}

}  // namespace
}  // namespace rumcask
