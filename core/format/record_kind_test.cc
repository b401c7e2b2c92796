#include "core/format/record_kind.h"

#include <cstdint>

#include "gtest/gtest.h"

namespace rumcask {
namespace {

struct Row {
  RecordKind kind;
  bool known, own_sequence, data, tombstone, readable;
};

// FORMAT.md's table, written down a second time.
constexpr Row kRows[] = {
    {RecordKind::kPut, true, true, true, false, true},
    {RecordKind::kDelete, true, true, true, true, false},
    {RecordKind::kLost, true, true, true, false, false},
    {RecordKind::kSyncMark, true, false, false, false, false},
    {RecordKind::kFence, true, true, false, false, false},
    {RecordKind::kExtendedPut, false, true, false, false, false},
};

TEST(RecordKindTest, EachKindIsWhatTheFormatSays) {
  for (const Row& row : kRows) {
    const int kind = static_cast<int>(row.kind);
    EXPECT_EQ(IsKnownKind(row.kind), row.known) << kind;
    EXPECT_EQ(HasOwnSequence(row.kind), row.own_sequence) << kind;
    EXPECT_EQ(IsDataKind(row.kind), row.data) << kind;
    EXPECT_EQ(IsTombstoneKind(row.kind), row.tombstone) << kind;
    EXPECT_EQ(IsReadableKind(row.kind), row.readable) << kind;
    EXPECT_FALSE(IsSkippableKind(row.kind)) << kind;
  }
}

// A later version's records take numbers of their own, and say nothing that this one could use.
TEST(RecordKindTest, KindsOfLaterVersionsAreNoData) {
  for (uint8_t number = 8; number < kEndOfKinds; ++number) {
    const RecordKind kind = static_cast<RecordKind>(number);
    EXPECT_FALSE(IsKnownKind(kind)) << int{number};
    EXPECT_TRUE(HasOwnSequence(kind)) << int{number};
    EXPECT_FALSE(IsDataKind(kind) || IsTombstoneKind(kind) || IsReadableKind(kind)) << int{number};
    EXPECT_EQ(IsSkippableKind(kind), number >= kFirstSkippableKind) << int{number};
  }
}

}  // namespace
}  // namespace rumcask
