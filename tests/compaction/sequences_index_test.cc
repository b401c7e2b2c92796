// An index on disk that lags behind a compaction, overtakes it, or fails in it.

#include "tests/compaction/sequence_fixture.h"

namespace rumcask {
namespace {

class IndexSequenceTest : public SequenceTest {
 protected:
  // Writes other keys until all earlier writes are in the index and in no buffer.
  void PushOut() {
    Put("push", "out");
    const uint64_t version = db_->GetStats().last_version;
    for (int i = 0; db_->GetStats().index_version < version; ++i) {
      ASSERT_LT(i, 10000) << "nothing reaches the index";
      Put(absl::StrCat("pushed", i % 100), "out");
    }
  }
  // Two hundred short records, every fifth of which is dead, in sealed segments, with all of it in
  // the index.
  void FillWithShort() {
    for (int i = 0; i < 200; ++i) Put(absl::StrCat("key", i), absl::StrCat("old", i));
    for (int i = 0; i < 200; i += 5) Put(absl::StrCat("key", i), absl::StrCat("new", i));
    Roll();
    ASSERT_TRUE(db_->Close().ok());
    Open();
  }
};
INSTANTIATE_TEST_SUITE_P(Indexes, IndexSequenceTest, testing::ValuesIn(SequenceIndexes()),
                         SequenceName);

// Some of the records were moved in the index, durably, when the power fails. Copies and originals
// are listed and durable, so that the index is right wherever it leads.
TEST_P(IndexSequenceTest, A6_H9_HalfOfWhatIsMovedMayBeDurable) {
  SetBufferBytes(700);
  Open();
  FillWithShort();
  const Content content = ContentOf(db_.get());
  std::vector<CrashPoint> crashes;
  int slices = 0;
  AtEachStep([&](const std::string& step) {
    slices += step == "slice";
    if (step != "slice" && step != "held" && step != "fence" && step != "wait") return;
    for (const KeepPolicy& policy : {KeepPolicy::DropUnsynced(), KeepPolicy::KeepEverything()}) {
      for (const IndexFate fate : kAllowedFates) crashes.push_back(Crash(policy, fate, step));
    }
  });
  const uint64_t applied = index_->applied();
  EXPECT_GT(CompactAll().copied_records, 64u);
  EXPECT_GT(index_->applied(), applied + 1);
  ASSERT_GE(slices, 2);
  for (const CrashPoint& crash : crashes) {
    SCOPED_TRACE(crash.where);
    const Revived revived = Revive(crash);
    ASSERT_NE(revived.db, nullptr);
    EXPECT_EQ(revived.db->GetStats().index_rebuilt, "");
    ExpectContent(revived.db.get(), content);
  }
}

// Nobody writes while a compaction runs, so that the fence is all that tells how far the index is.
// The index of afterwards is trusted, and one from before leads to segments that are gone.
TEST_P(IndexSequenceTest, A7_H8_AnIdleDatabaseIsCompacted) {
  Open();
  FillWithShort();
  const Content content = ContentOf(db_.get());
  const uint64_t last = db_->GetStats().last_version;
  const std::shared_ptr<AdversarialDisk> before = index_->Cut(IndexFate::kLatest, 1);
  EXPECT_GT(CompactAll().retired_segments, 0u);
  EXPECT_GT(db_->GetStats().last_version, last);
  for (const KeepPolicy& policy : {KeepPolicy::KeepEverything(), KeepPolicy::DropUnsynced()}) {
    for (const IndexFate fate : {IndexFate::kLatest, IndexFate::kFlushed}) {
      const CrashPoint crash = Crash(policy, fate);
      {
        const Revived revived = Revive(crash);
        ASSERT_NE(revived.db, nullptr);
        EXPECT_EQ(revived.db->GetStats().index_rebuilt, "");
      }
      ExpectSurvives(crash, content);
    }
    const CrashPoint crash = {disk_.Cut(policy), before->Cut(IndexFate::kLatest, 1), "before"};
    {
      const Revived revived = Revive(crash);
      ASSERT_NE(revived.db, nullptr);
      EXPECT_TRUE(absl::StrContains(revived.db->GetStats().index_rebuilt, "segments"))
          << revived.db->GetStats().index_rebuilt;
    }
    ExpectSurvives(crash, content);
  }
}

// A record is in a buffer that the index has not taken. Compaction looks it up, a writer puts the
// key anew, and the buffers go to the index: each of the two before or after the look. The move
// must not be decided by what was seen then.
TEST_P(IndexSequenceTest, A8_H10_AMoveIsDecidedByWhatIsThere) {
  SetBufferBytes(1500);
  for (const bool put_first : {false, true}) {
    for (const bool applied_first : {false, true}) {
      SCOPED_TRACE(absl::StrCat(put_first ? "put before" : "put after", " the look, ",
                                applied_first ? "applied before it" : "applied after it"));
      BeginAnew();
      Put("dead", Value("dead", 0));
      Put("moved", Value("moved", 0));
      Put("dead", Value("dead", 1));
      PushOut();
      index_->FailApply(absl::ResourceExhaustedError("no room"));
      Put("key", Value("old", 0));
      Put("dead", Value("dead", 2));
      Roll("dead");
      const uint64_t applied = index_->applied();
      const auto put = [this] { Put("key", Value("new", 0)); };
      const auto apply = [this] {
        index_->FailApply(absl::OkStatus());
        PushOut();
      };
      std::set<std::string> seen;
      AtEachStep([&](const std::string& step) {
        if ((step != "slice" && step != "looked") || !seen.insert(step).second) return;
        const bool first = step == "slice";
        EXPECT_TRUE(!first || index_->applied() == applied);
        if (put_first == first) put();
        if (applied_first == first) apply();
      });
      const absl::Status status = db_->CompactAll();
      ASSERT_TRUE(status.ok()) << status;
      ASSERT_EQ(seen.size(), 2u);
      DbTestPeer::CompactorOf(db_.get())->SetStepHook(nullptr);
      EXPECT_EQ(Get("key"), Value("new", 0));
      const Content content = ContentOf(db_.get());
      PushOut();
      EXPECT_EQ(Get("key"), Value("new", 0));
      EXPECT_EQ(Get("moved"), Value("moved", 0));
      ExpectSound();
      CompactAll();
      EXPECT_EQ(Get("key"), Value("new", 0));
      ASSERT_TRUE(db_->Close().ok());
      Open();
      EXPECT_EQ(Get("key"), Value("new", 0));
      EXPECT_EQ(db_->GetStats().index_rebuilt, "");
    }
  }
}

// The index takes nothing, so what was moved is in buffers only, and a crash loses it. The victims
// are there still, and the index leads to them.
TEST_P(IndexSequenceTest, A9_H9_WhatWasMovedInABufferMayBeLost) {
  Open();
  FillWithShort();
  const Content content = ContentOf(db_.get());
  AtStep("move", [this] { index_->FailApply(absl::ResourceExhaustedError("no room")); });
  CompactionReport report;
  const absl::Status status = db_->CompactAll(&report);
  EXPECT_TRUE(absl::IsResourceExhausted(status)) << status;
  EXPECT_GT(report.copied_records, 0u);
  EXPECT_GT(report.waiting_segments, 0u);
  EXPECT_EQ(report.retired_segments, 0u);
  for (const CrashPoint& crash : Crashes("while the index takes nothing")) {
    SCOPED_TRACE(crash.where);
    {
      const Revived revived = Revive(crash);
      ASSERT_NE(revived.db, nullptr);
      EXPECT_EQ(revived.db->GetStats().index_rebuilt, "");
    }
    ExpectSurvives(crash, content);
  }
  index_->FailApply(absl::OkStatus());
  EXPECT_GT(CompactAll().retired_segments, 0u);
  ExpectContent(db_.get(), content);
}

// The index fails for good in the middle of a job. The victims stay, the reason is told, nothing
// is copied in vain again, and the next opening builds another index.
TEST_P(IndexSequenceTest, A41_AnIndexThatFailsEndsTheJob) {
  for (const char* const step : {"copy", "adopt", "move", "fence"}) {
    SCOPED_TRACE(step);
    BeginAnew();
    FillWithShort();
    const Content content = ContentOf(db_.get());
    const std::set<uint64_t> segments = SegmentIds();
    AtStep(step, [this] { index_->FailApply(absl::InternalError("broken")); });
    CompactionReport report;
    EXPECT_FALSE(db_->CompactAll(&report).ok());
    EXPECT_EQ(report.retired_segments, 0u);
    EXPECT_FALSE(db_->BackgroundStatus().ok());
    for (const uint64_t id : segments) EXPECT_EQ(SegmentIds().count(id), 1u) << id;
    EXPECT_EQ(FileIds(), SegmentIds());
    const uint64_t written = db_->GetStats().compaction.written_bytes;
    EXPECT_FALSE(db_->CompactAll(&report).ok());
    EXPECT_EQ(db_->GetStats().compaction.written_bytes, written);
    EXPECT_EQ(ContentOf(db_.get()), content);
    for (const KeepPolicy& policy : {KeepPolicy::KeepEverything(), KeepPolicy::DropUnsynced()}) {
      CrashPoint crash = Crash(policy);
      ExpectSurvives(crash, content);
    }
    index_->FailApply(absl::OkStatus());
    Open();
    EXPECT_NE(db_->GetStats().index_rebuilt, "");
    EXPECT_GT(CompactAll().retired_segments, 0u);
    ExpectContent(db_.get(), content);
  }
}

}  // namespace
}  // namespace rumcask
