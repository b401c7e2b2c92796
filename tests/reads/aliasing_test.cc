// Arguments that are views of what an out-parameter holds, or of what an iterator shows.

#include <algorithm>
#include <memory>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

#include "absl/status/status.h"
#include "gtest/gtest.h"

#include "core/snapshot.h"
#include "core/stats.h"
#include "tests/reads/read_fixture.h"

namespace rumcask {
namespace {

class AliasingTest : public testing::TestWithParam<std::tuple<std::string, ReadMode>>,
                     protected ReadFixture {
 protected:
  AliasingTest() : ReadFixture(std::get<0>(GetParam())) {
    options_.read_mode = std::get<1>(GetParam());
    options_.segment_bytes = 64 << 10;
    Open();
  }

  void Put(std::string_view key, std::string_view value) { ASSERT_TRUE(db_->Put(key, value).ok()); }
  ReadOptions At(const std::shared_ptr<const Snapshot>& snapshot) {
    ReadOptions options;
    options.snapshot = snapshot.get();
    return options;
  }

  // A chain of values that are keys, of every size: stored within a string, on the heap, and
  // pinned.
  std::vector<std::string> Chain(int length) {
    std::vector<std::string> chain;
    for (int i = 0; i < length; ++i) {
      const size_t size = std::vector<size_t>{3, 40, 400}[static_cast<size_t>(i) % 3];
      chain.push_back(std::to_string(100 + i) + std::string(size, static_cast<char>('a' + i % 26)));
    }
    for (int i = 0; i + 1 < length; ++i) {
      Put(chain[static_cast<size_t>(i)], chain[static_cast<size_t>(i) + 1]);
    }
    return chain;
  }
};

std::vector<std::string_view> Views(const std::vector<std::string>& strings) {
  return {strings.begin(), strings.end()};
}

TEST_P(AliasingTest, APinnedValueIsTheNextKey) {
  const std::vector<std::string> chain = Chain(20);
  const std::shared_ptr<const Snapshot> snapshot = *db_->TakeSnapshot();
  for (const ReadOptions& options : {ReadOptions(), At(snapshot)}) {
    PinnedValue value;
    ASSERT_TRUE(db_->Get(chain[0], &value, options).ok());
    for (size_t i = 2; i < chain.size(); ++i) {
      const absl::Status status = db_->Get(value.value(), &value, options);
      ASSERT_TRUE(status.ok()) << status << " at " << i;
      ASSERT_EQ(value.value(), chain[i]);
    }
    // The last value is not a key, so nothing is found and the value becomes empty.
    EXPECT_TRUE(absl::IsNotFound(db_->Get(value.value(), &value, options)));
    EXPECT_EQ(value.value(), "");
    EXPECT_EQ(value.version(), 0u);
    EXPECT_FALSE(value.pinned());
  }
  EXPECT_EQ(db_->GetStats().pins, 0u);
}

TEST_P(AliasingTest, AStringIsTheNextKey) {
  const std::vector<std::string> chain = Chain(20);
  std::string value;
  ASSERT_TRUE(db_->Get(chain[0], &value).ok());
  for (size_t i = 2; i < chain.size(); ++i) {
    ASSERT_TRUE(db_->Get(value, &value).ok()) << i;
    ASSERT_EQ(value, chain[i]);
  }
}

// There are more keys than are read at once, so that values are replaced while keys are still
// needed.
TEST_P(AliasingTest, ValuesOfAMultiGetAreItsNextKeys) {
  constexpr size_t kKeys = 100;
  const std::vector<std::string> chain = Chain(kKeys + 2);
  const std::vector<std::string> first(chain.begin(), chain.begin() + kKeys);
  const auto check = [](const std::vector<std::string>& values,
                        const std::vector<absl::Status>& statuses,
                        const std::vector<std::string>& expected) {
    ASSERT_EQ(values.size(), expected.size());
    ASSERT_EQ(statuses.size(), expected.size());
    for (size_t i = 0; i < expected.size(); ++i) {
      ASSERT_TRUE(statuses[i].ok()) << statuses[i] << " at " << i;
      ASSERT_EQ(values[i], expected[i]) << i;
    }
  };
  std::vector<std::string> values;
  std::vector<absl::Status> statuses;
  const auto read_first = [&] {
    db_->MultiGet(Views(first), &values, &statuses);
    check(values, statuses, {chain.begin() + 1, chain.begin() + 1 + kKeys});
  };
  const std::vector<std::string> second(chain.begin() + 2, chain.begin() + 2 + kKeys);

  read_first();
  db_->MultiGet(Views(values), &values, &statuses);
  check(values, statuses, second);

  read_first();
  std::vector<std::string_view> keys = Views(values);
  std::reverse(keys.begin(), keys.end());
  db_->MultiGet(keys, &values, &statuses);
  check(values, statuses, {second.rbegin(), second.rend()});

  // There are fewer keys than values before; the values that are removed are keys.
  read_first();
  keys = Views(values);
  keys.erase(keys.begin(), keys.end() - 10);
  db_->MultiGet(keys, &values, &statuses);
  check(values, statuses, {second.end() - 10, second.end()});

  // There are more keys than values before, so the vector is moved.
  read_first();
  keys = Views(values);
  for (int i = 0; i < 3; ++i) keys.insert(keys.end(), keys.begin(), keys.begin() + kKeys);
  db_->MultiGet(keys, &values, &statuses);
  std::vector<std::string> expected;
  for (int i = 0; i < 4; ++i) expected.insert(expected.end(), second.begin(), second.end());
  check(values, statuses, expected);
}

TEST_P(AliasingTest, AMessageOfAMultiGetIsAKey) {
  std::vector<std::string> values;
  std::vector<absl::Status> statuses;
  db_->MultiGet({"", "none"}, &values, &statuses);
  ASSERT_TRUE(absl::IsInvalidArgument(statuses[0])) << statuses[0];
  const std::string message(statuses[0].message());
  Put(message, "of the message");
  const std::string_view key(statuses[0].message().data(), statuses[0].message().size());
  db_->MultiGet({key}, &values, &statuses);
  ASSERT_TRUE(statuses[0].ok()) << statuses[0];
  EXPECT_EQ(values[0], "of the message");
}

TEST_P(AliasingTest, AnIteratorsKeyAndValueAreArguments) {
  const std::vector<std::string> chain = Chain(60);
  std::unique_ptr<Iterator> it = *db_->NewIterator();
  for (int i = 0; it->Valid(); it->Next(), ++i) {
    const std::string key(it->key());
    const std::string value(it->value());
    ASSERT_TRUE(db_->Put("put" + std::to_string(i), it->value()).ok());
    ASSERT_EQ(*db_->Get("put" + std::to_string(i)), value);
    // A record with the same bytes at another offset.
    WriteResult result;
    ASSERT_TRUE(db_->CompareAndPut(it->key(), it->value(), it->version(), {}, &result).ok());
    ASSERT_TRUE(db_->Put(it->key(), it->value()).ok());
    ASSERT_EQ(*db_->Get(key), value);
    ASSERT_EQ(it->key(), key);
    ASSERT_EQ(it->value(), value);
    WriteBatch batch;
    batch.Delete(it->key());
    batch.Put(it->key(), it->value());
    ASSERT_TRUE(db_->Write(batch).ok());
    ASSERT_EQ(*db_->Get(key), value);
  }
  ASSERT_TRUE(it->status().ok()) << it->status();
  if (!options_.keystore->traits.ordered) return;
  it = *db_->NewIterator();
  for (size_t i = 0; i + 2 < chain.size(); ++i) {
    ASSERT_TRUE(it->Valid());
    ASSERT_EQ(it->key(), chain[i]);
    it->Seek(it->key());
    ASSERT_TRUE(it->Valid());
    ASSERT_EQ(it->key(), chain[i]);
    it->Seek(it->value());
  }
}

TEST_P(AliasingTest, APinnedValueIsWritten) {
  for (const size_t size : {10, 5000}) {
    const std::string bytes(size, 'p');
    Put("from", bytes);
    PinnedValue value;
    ASSERT_TRUE(db_->Get("from", &value).ok());
    ASSERT_TRUE(db_->Put("to", value.value()).ok());
    ASSERT_TRUE(db_->CompareAndPut("from", value.value(), value.version()).ok());
    EXPECT_EQ(*db_->Get("to"), bytes);
    EXPECT_EQ(*db_->Get("from"), bytes);
  }
}

std::string NameOf(const testing::TestParamInfo<AliasingTest::ParamType>& tested) {
  return std::get<0>(tested.param) +
         (std::get<1>(tested.param) == ReadMode::kMapped ? "Mapped" : "Pread");
}

INSTANTIATE_TEST_SUITE_P(All, AliasingTest,
                         testing::Combine(testing::ValuesIn(KeystoreNames()),
                                          testing::Values(ReadMode::kMapped, ReadMode::kPread)),
                         NameOf);

}  // namespace
}  // namespace rumcask
