// Money that several threads move between accounts, so that none is made or lost.
//
//   transfer DATABASE
//
// Prints what the accounts have together.

#include <algorithm>
#include <cstdint>
#include <iostream>
#include <memory>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/numbers.h"
#include "rumcask/open.h"

namespace {

constexpr int kAccounts = 3;

std::string Account(int i) { return "account/" + std::to_string(i); }

// A balance, and the version of the record that it was read from.
struct Read {
  int64_t balance = 0;
  uint64_t version = 0;
};

absl::Status ReadAt(rumcask::DB* db, const rumcask::Snapshot& snapshot, const std::string& account,
                    Read* read) {
  rumcask::ReadOptions at;
  at.snapshot = &snapshot;
  std::string value;
  absl::Status status = db->Get(account, &value, at, &read->version);
  if (status.ok() && !absl::SimpleAtoi(value, &read->balance)) {
    return absl::DataLossError(account + " has no number: " + value);
  }
  return status;
}

// Moves `amount`, or less if there is not so much. A transaction: it reads at one moment, and is
// written only if both accounts are still as they were read then. Otherwise it is run again. A key
// that is read and not written is to be required as well, if what is written depends on it.
absl::Status Transfer(rumcask::DB* db, const std::string& from, const std::string& to,
                      int64_t amount) {
  while (true) {
    auto snapshot = db->TakeSnapshot();
    if (!snapshot.ok()) return snapshot.status();
    Read payer, payee;
    absl::Status status = ReadAt(db, **snapshot, from, &payer);
    if (status.ok()) status = ReadAt(db, **snapshot, to, &payee);
    if (!status.ok()) return status;
    const int64_t moved = std::min(amount, payer.balance);
    rumcask::WriteBatch batch;
    batch.Require(from, payer.version);
    batch.Require(to, payee.version);
    batch.Put(from, std::to_string(payer.balance - moved));
    batch.Put(to, std::to_string(payee.balance + moved));
    status = db->Write(batch);
    if (!absl::IsAborted(status)) return status;
  }
}

// Opens the accounts, unless an earlier run did: all of them or none.
absl::Status OpenAccounts(rumcask::DB* db) {
  rumcask::WriteBatch batch;
  for (int i = 0; i < kAccounts; ++i) {
    batch.Require(Account(i), 0);
    batch.Put(Account(i), "100");
  }
  absl::Status status = db->Write(batch);
  return absl::IsAborted(status) ? absl::OkStatus() : status;
}

int Fail(const absl::Status& status) {
  std::cerr << status << "\n";
  return 1;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) {
    std::cerr << "usage: transfer DATABASE\n";
    return 64;
  }
  rumcask::Options options;
  options.create_if_missing = true;
  auto opened = rumcask::Open(argv[1], options);
  if (!opened.ok()) return Fail(opened.status());
  rumcask::DB* const db = opened->get();
  absl::Status status = OpenAccounts(db);
  if (!status.ok()) return Fail(status);

  std::vector<absl::Status> results(4);
  std::vector<std::thread> threads;
  for (absl::Status& result : results) {
    threads.emplace_back([db, &result, seed = threads.size()] {
      std::minstd_rand random(static_cast<unsigned>(seed + 1));
      for (int i = 0; result.ok() && i < 500; ++i) {
        const int from = static_cast<int>(random() % kAccounts);
        const int to = (from + 1) % kAccounts;
        result = Transfer(db, Account(from), Account(to), static_cast<int64_t>(random() % 50));
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (const absl::Status& result : results) {
    if (!result.ok()) return Fail(result);
  }

  auto snapshot = db->TakeSnapshot();
  if (!snapshot.ok()) return Fail(snapshot.status());
  int64_t sum = 0;
  for (int i = 0; i < kAccounts; ++i) {
    Read read;
    status = ReadAt(db, **snapshot, Account(i), &read);
    if (!status.ok()) return Fail(status);
    sum += read.balance;
  }
  snapshot->reset();
  status = db->Close();
  if (!status.ok()) return Fail(status);
  std::cout << sum << "\n";
  return 0;
}
