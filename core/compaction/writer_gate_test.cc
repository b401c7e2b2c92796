#include "core/compaction/writer_gate.h"

#include <atomic>
#include <chrono>
#include <memory>
#include <thread>

#include "gtest/gtest.h"

namespace rumcask {
namespace {

class WriterGateTest : public testing::Test {
 protected:
  WriterGateTest() {
    table_.Add(std::make_shared<Segment>(1, 0, Stream::kUser, /*seed=*/0));
    gate_.Watch([this] {
      ++wakes_;
      return wake_status_;
    });
  }
  // Replaces a record of so many bytes.
  void Overwrite(uint64_t bytes) {
    const Location location = Location::Make(0, kSegmentHeaderBytes, bytes);
    space_.Credit(location, bytes);
    space_.Debit(location);
  }
  void SetRoom(double bytes, double wake_below = 0) {
    Room room;
    room.bytes = bytes;
    room.wake_below = wake_below;
    room.born = space_.born();
    room.died = space_.died();
    room.amplification = 1.5;
    room.file_bytes_per_record_byte = 1;
    gate_.SetRoom(room);
  }
  bool Passes() {
    passed_ = false;
    std::thread writer([this] {
      EXPECT_TRUE(gate_.Pass().ok());
      passed_ = true;
    });
    // Long enough for one that need not wait.
    for (int i = 0; i < 50 && !passed_; ++i) {
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    const bool passed = passed_;
    if (!passed) gate_.Open();
    writer.join();
    return passed;
  }

  SegmentTable table_;
  Space space_{&table_};
  WriterGate gate_{&space_};
  int wakes_ = 0;
  absl::Status wake_status_;
  std::atomic<bool> passed_{false};
};

TEST_F(WriterGateTest, TheFirstWriterWakesAndPasses) {
  EXPECT_TRUE(gate_.Pass().ok());
  EXPECT_TRUE(gate_.Pass().ok());
  EXPECT_EQ(wakes_, 1);
}

TEST_F(WriterGateTest, AWakeThatFailsIsTheWritersError) {
  wake_status_ = absl::ResourceExhaustedError("no threads");
  EXPECT_EQ(gate_.Pass(), wake_status_);
  wake_status_ = absl::OkStatus();
  EXPECT_TRUE(gate_.Pass().ok());
  EXPECT_EQ(wakes_, 2);
}

TEST_F(WriterGateTest, WhoCompactsCanBeWokenAtAnyTime) {
  SetRoom(1000);
  EXPECT_TRUE(gate_.Wake());
  EXPECT_EQ(wakes_, 1);
  wake_status_ = absl::ResourceExhaustedError("no thread");
  EXPECT_FALSE(gate_.Wake());
  gate_.Close();
  EXPECT_FALSE(gate_.Wake());
  EXPECT_EQ(wakes_, 2);
  WriterGate unwatched(&space_);
  EXPECT_FALSE(unwatched.Wake());
}

TEST_F(WriterGateTest, WhatIsOverwrittenTakesItsSize) {
  SetRoom(1000);
  for (int i = 0; i < 9; ++i) {
    EXPECT_TRUE(gate_.Pass().ok());
    Overwrite(104);
  }
  EXPECT_EQ(wakes_, 0);
  EXPECT_TRUE(gate_.Pass().ok());
  Overwrite(104);
  EXPECT_FALSE(Passes());
  EXPECT_EQ(wakes_, 1);
  EXPECT_EQ(gate_.waits(), 1u);
}

TEST_F(WriterGateTest, NewRecordsMakeRoomAndDeletesTakeMore) {
  SetRoom(100);
  const Location location = Location::Make(0, kSegmentHeaderBytes, 1000);
  space_.Credit(location, 1000);
  // 100 + 0.5 * 1000 - 1 * 104.
  Overwrite(104);
  EXPECT_TRUE(Passes());
  // The tombstone's bytes, and 1.5 times what it deletes.
  space_.CreditTombstone(location, 32);
  space_.Debit(location);
  EXPECT_FALSE(Passes());
}

TEST_F(WriterGateTest, ItWakesOnceWhenRoomIsScarce) {
  SetRoom(1000, /*wake_below=*/500);
  Overwrite(400);
  EXPECT_TRUE(gate_.Pass().ok());
  EXPECT_EQ(wakes_, 0);
  Overwrite(200);
  EXPECT_TRUE(gate_.Pass().ok());
  Overwrite(200);
  EXPECT_TRUE(gate_.Pass().ok());
  EXPECT_EQ(wakes_, 1);
}

TEST_F(WriterGateTest, AJobGivesRoomBackAsItGoes) {
  SetRoom(-100);
  EXPECT_FALSE(Passes());
  SetRoom(-100);
  gate_.SetProgress(/*gain=*/1000, /*share=*/0.05);
  EXPECT_FALSE(Passes());
  SetRoom(-100);
  gate_.SetProgress(/*gain=*/1000, /*share=*/0.2);
  EXPECT_TRUE(Passes());
  Overwrite(104);
  EXPECT_FALSE(Passes());
  SetRoom(-100);
  gate_.SetProgress(/*gain=*/1000, /*share=*/0.9);
  // What a job that failed has promised is gone, and what one that succeeded has gained stays.
  gate_.EndJob(0);
  EXPECT_FALSE(Passes());
  SetRoom(-100);
  gate_.EndJob(1000);
  EXPECT_TRUE(Passes());
}

TEST_F(WriterGateTest, AWaitingWriterSeesTheRoomThatIsMade) {
  SetRoom(-1);
  std::thread writer([this] { EXPECT_TRUE(gate_.Pass().ok()); });
  while (gate_.waits() == 0) std::this_thread::yield();
  gate_.SetProgress(10, 1);
  writer.join();
}

TEST_F(WriterGateTest, RefusedOpenedAndClosed) {
  gate_.Refuse(absl::ResourceExhaustedError("pinned"));
  EXPECT_TRUE(absl::IsResourceExhausted(gate_.Pass()));
  SetRoom(1000);
  EXPECT_TRUE(gate_.Pass().ok());
  SetRoom(-1000);
  gate_.Open();
  EXPECT_TRUE(Passes());
  EXPECT_EQ(wakes_, 0);
  gate_.Rearm();
  EXPECT_TRUE(Passes());
  EXPECT_EQ(wakes_, 1);
  SetRoom(-1000);
  gate_.Close();
  EXPECT_TRUE(Passes());
  gate_.Refuse(absl::InternalError("late"));
  EXPECT_TRUE(Passes());
}

}  // namespace
}  // namespace rumcask
