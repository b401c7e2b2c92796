// A counter that several threads, or several lives of a process, count up without losing a step.
//
//   counter DATABASE
//
// Prints what it came to. Each run adds 4,000.

#include <cstdint>
#include <iostream>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/numbers.h"
#include "rumcask/open.h"

namespace {

constexpr char kKey[] = "visits";

// CompareAndPut stores only if nobody has written the key since it was read. Who comes too late
// reads again. A step whose call returned OK survives the end of the process; with
// WriteOptions::sync it survives a power cut, too. One whose call returned an error may be found
// after the next opening, so who must know reads before trying again.
absl::Status Increment(rumcask::DB* db) {
  while (true) {
    std::string value;
    uint64_t version = 0;  // as of a missing key
    absl::Status status = db->Get(kKey, &value, {}, &version);
    if (!status.ok() && !absl::IsNotFound(status)) return status;
    uint64_t count = 0;
    if (status.ok() && !absl::SimpleAtoi(value, &count)) {
      return absl::DataLossError("the counter is no number: " + value);
    }
    status = db->CompareAndPut(kKey, std::to_string(count + 1), version);
    if (!absl::IsAborted(status)) return status;
  }
}

int Fail(const absl::Status& status) {
  std::cerr << status << "\n";
  return 1;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) {
    std::cerr << "usage: counter DATABASE\n";
    return 64;
  }
  rumcask::Options options;
  options.create_if_missing = true;
  auto opened = rumcask::Open(argv[1], options);
  if (!opened.ok()) return Fail(opened.status());
  rumcask::DB* const db = opened->get();

  constexpr int kThreads = 4;
  std::vector<absl::Status> results(kThreads);
  std::vector<std::thread> threads;
  for (absl::Status& result : results) {
    threads.emplace_back([db, &result] {
      for (int i = 0; result.ok() && i < 1000; ++i) result = Increment(db);
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (const absl::Status& result : results) {
    if (!result.ok()) return Fail(result);
  }

  std::string value;
  absl::Status status = db->Get(kKey, &value);
  if (status.ok()) status = db->Close();
  if (!status.ok()) return Fail(status);
  std::cout << value << "\n";
  return 0;
}
