// Transactions made of a snapshot and a batch that requires what was read: transfers between three
// accounts, by threads that contend for them, while compaction runs.
//
// Each committed transaction got a place among all writes: the versions of its records. If
// transactions are serializable, then running them one after the other in the order of these places
// explains what each of them read. That is checked, and so is that a transaction which began after
// another had returned comes after it.
//
// RUMCASK_TRANSACTIONS=n makes each of the four threads commit n transactions instead of 3,000
// (1,000 under sanitizers).

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <map>
#include <random>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"

#include "core/db.h"
#include "core/stats.h"
#include "keystores/by_name.h"
#include "tests/linearizability/history.h"

namespace rumcask {
namespace {

constexpr int kAccounts = 3;
constexpr int kThreads = 4;
constexpr int64_t kSum = 3000;

uint64_t Transactions() {
  const char* const wanted = std::getenv("RUMCASK_TRANSACTIONS");
  if (wanted != nullptr) return std::strtoull(wanted, nullptr, 10);
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  return 1000;
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
  return 1000;
#endif
#endif
  return 3000;
}

std::string Account(int i) { return absl::StrCat("account ", i); }

// What a transaction has read and done.
struct Transaction {
  // By account; version 0 if there was none, which counts as a balance of 0.
  uint64_t read[kAccounts] = {};
  int64_t balance[kAccounts] = {};
  // By account; nothing if it only depends on it.
  std::map<int, int64_t> written;
  bool committed = false;
  // Of the last record; of a refusal, where the first requirement that failed found its key.
  uint64_t version = 0;
  int refused_for = 0;
  // Times of the clock, before the snapshot and after the write.
  uint64_t begin = 0;
  uint64_t end = 0;
};

class TransactionsTest : public testing::TestWithParam<std::string> {
 protected:
  TransactionsTest() : path_(testing::TempDir() + "/transactions." + GetParam()) {
    std::filesystem::remove_all(path_);
    Options options;
    options.keystore = *KeystoreByName(GetParam());
    options.create_if_missing = true;
    // Records move all the time.
    options.segment_bytes = 16384;
    auto db = DB::Open(path_, options);
    EXPECT_TRUE(db.ok()) << db.status();
    db_ = *std::move(db);
  }
  ~TransactionsTest() override {
    db_.reset();
    std::filesystem::remove_all(path_);
  }

  // Reads all accounts at one moment.
  void Read(Transaction* transaction) {
    auto snapshot = db_->TakeSnapshot();
    ASSERT_TRUE(snapshot.ok()) << snapshot.status();
    ReadOptions at;
    at.snapshot = snapshot->get();
    for (int i = 0; i < kAccounts; ++i) {
      std::string value;
      const absl::Status status = db_->Get(Account(i), &value, at, &transaction->read[i]);
      if (absl::IsNotFound(status)) continue;
      ASSERT_TRUE(status.ok()) << status;
      ASSERT_TRUE(absl::SimpleAtoi(value, &transaction->balance[i])) << value;
    }
  }

  // Moves something from one account to another, if the third one, which it only reads, has at most
  // as much as both.
  void Transfer(std::minstd_rand* random, bool sync, Transaction* transaction) {
    transaction->begin = clock_.Tick();
    Read(transaction);
    const int from = static_cast<int>((*random)() % kAccounts);
    const int to = (from + 1 + static_cast<int>((*random)() % (kAccounts - 1))) % kAccounts;
    const int64_t most = transaction->balance[from];
    const int64_t amount = most == 0 ? 0 : static_cast<int64_t>((*random)() % (most + 1));
    // So that others get in between.
    if ((*random)() % 4 == 0) std::this_thread::yield();
    transaction->written[from] = transaction->balance[from] - amount;
    transaction->written[to] = transaction->balance[to] + amount;
    // An account without money is one that does not exist.
    WriteBatch batch;
    for (const auto& [account, balance] : transaction->written) {
      if (balance == 0) {
        batch.Delete(Account(account));
      } else {
        batch.Put(Account(account), absl::StrCat(balance));
      }
    }
    for (int i = 0; i < kAccounts; ++i) batch.Require(Account(i), transaction->read[i]);
    WriteOptions options;
    options.sync = sync;
    WriteResult result;
    const absl::Status status = db_->Write(batch, options, &result);
    transaction->end = clock_.Tick();
    transaction->committed = status.ok();
    transaction->version = result.version;
    if (status.ok()) return;
    ASSERT_TRUE(absl::IsAborted(status)) << status;
    const std::string message(status.message());
    ASSERT_EQ(message.rfind("requirement ", 0), 0u) << message;
    transaction->refused_for = message[12] - '1';
    // Whatever the write met had replaced what the snapshot saw.
    const uint64_t read = transaction->read[transaction->refused_for];
    ASSERT_NE(result.version, read) << message;
    ASSERT_TRUE(result.version == 0 || result.version > read) << message;
  }

  HistoryClock clock_;
  const std::string path_;
  std::unique_ptr<DB> db_;
};

INSTANTIATE_TEST_SUITE_P(Keystores, TransactionsTest, testing::ValuesIn(KeystoreNames()),
                         [](const auto& param) { return param.param; });

TEST_P(TransactionsTest, AreSerializable) {
  Transaction first;
  first.begin = clock_.Tick();
  WriteBatch batch;
  for (int i = 0; i < kAccounts; ++i) {
    first.written[i] = kSum / kAccounts;
    batch.Put(Account(i), absl::StrCat(kSum / kAccounts));
  }
  WriteResult result;
  ASSERT_TRUE(db_->Write(batch, {}, &result).ok());
  first.version = result.version;
  first.committed = true;
  first.end = clock_.Tick();

  std::vector<std::vector<Transaction>> done(kThreads);
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([this, t, mine = &done[t]] {
      std::minstd_rand random(static_cast<unsigned>(t + 1));
      for (uint64_t committed = 0; committed < Transactions();) {
        mine->emplace_back();
        Transfer(&random, /*sync=*/t == 0 && committed % 64 == 0, &mine->back());
        if (HasFatalFailure()) return;
        if (mine->back().committed) ++committed;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  ASSERT_FALSE(HasFatalFailure());

  std::vector<Transaction> all = {first};
  uint64_t refused = 0;
  for (const std::vector<Transaction>& some : done) {
    for (const Transaction& one : some) {
      if (one.committed) {
        all.push_back(one);
      } else {
        ++refused;
      }
    }
  }
  std::sort(all.begin(), all.end(),
            [](const Transaction& a, const Transaction& b) { return a.version < b.version; });
  // One after the other.
  uint64_t version[kAccounts] = {};
  int64_t balance[kAccounts] = {};
  // Of each account, which versions it had, and when the transaction ended that gave it.
  std::map<uint64_t, int> account_of;
  for (const Transaction& one : all) {
    for (int i = 0; i < kAccounts; ++i) {
      ASSERT_EQ(one.read[i], version[i]) << "read by the transaction at " << one.version;
      ASSERT_EQ(one.balance[i], balance[i]) << "read by the transaction at " << one.version;
    }
    uint64_t next = one.version - one.written.size() + 1;
    for (const auto& [account, amount] : one.written) {
      version[account] = amount == 0 ? 0 : next;
      balance[account] = amount;
      account_of[next++] = account;
    }
    ASSERT_EQ(balance[0] + balance[1] + balance[2], kSum);
  }
  // Who began after another had returned comes later: going back, nobody ends before what has been
  // seen to begin.
  uint64_t earliest_end = UINT64_MAX;
  for (auto one = all.rbegin(); one != all.rend(); ++one) {
    ASSERT_LT(one->begin, earliest_end) << "the transaction at " << one->version;
    earliest_end = std::min(earliest_end, one->end);
  }
  // A refusal names an account, and a version that it once had.
  for (const std::vector<Transaction>& some : done) {
    for (const Transaction& one : some) {
      if (one.committed || one.version == 0) continue;
      ASSERT_EQ(account_of.count(one.version), 1u) << one.version;
      EXPECT_EQ(account_of[one.version], one.refused_for);
    }
  }
  // What is left is what the last ones wrote.
  Transaction last;
  Read(&last);
  for (int i = 0; i < kAccounts; ++i) {
    EXPECT_EQ(last.read[i], version[i]);
    EXPECT_EQ(last.balance[i], balance[i]);
  }
  RecordProperty("refused", std::to_string(refused));
  EXPECT_GT(refused, 0u);
  ASSERT_TRUE(db_->CompactAll().ok());
  EXPECT_GT(db_->GetStats().compaction.retired_segments, 0u);
}

}  // namespace
}  // namespace rumcask
