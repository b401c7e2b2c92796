#include "tests/workloads/writer_operations.h"

#include "absl/strings/str_format.h"

#include "tests/workloads/mix.h"

namespace rumcask {
namespace {

constexpr uint64_t kSyncEvery = 512;

// Of churn: how many of a writer's keys there are, how many of these change all the time, and how
// often any of them does.
constexpr uint64_t kChurnKeys = 60;
constexpr uint64_t kOftenChanged = 8;
constexpr uint64_t kSeldomEvery = 6;

size_t ValueBytes(uint64_t bits) {
  // Some that reach over many pages, some that are empty.
  if (bits % 128 == 0) return Mix(bits) % 100'000;
  return bits / 128 % 200;
}

}  // namespace

std::string WriterKey(int writer, uint64_t i) { return absl::StrFormat("w%d-%03d", writer, i); }

WriterOperation OperationOf(int writer, uint64_t n) {
  const uint64_t seed = Mix(static_cast<uint64_t>(writer) << 56 | n);
  const uint64_t count = seed % 5 == 0 ? 2 + seed / 5 % 6 : 1;
  WriterOperation operation;
  operation.sync = n % kSyncEvery == 0;
  for (uint64_t i = 0; i < count; ++i) {
    const uint64_t bits = Mix(seed + i);
    std::string key = WriterKey(writer, bits % kKeysPerWriter);
    if (bits / kKeysPerWriter % 4 == 0) {
      operation.changes.emplace_back(std::move(key), std::nullopt);
    } else {
      operation.changes.emplace_back(std::move(key), Letters(bits, ValueBytes(Mix(bits))));
    }
  }
  return operation;
}

WriterOperation ChurnOf(int writer, uint64_t n) {
  const uint64_t seed = Mix(~(static_cast<uint64_t>(writer) << 56 | n));
  const uint64_t count = seed % 8 == 0 ? 2 + seed / 8 % 4 : 1;
  WriterOperation operation;
  operation.sync = n % kSyncEvery == 0;
  for (uint64_t i = 0; i < count; ++i) {
    const uint64_t bits = Mix(seed + i);
    const uint64_t what = Mix(bits);
    const uint64_t keys = bits % kSeldomEvery == 0 ? kChurnKeys : kOftenChanged;
    std::string key = WriterKey(writer, bits / kSeldomEvery % keys);
    if (what % 4 == 0) {
      operation.changes.emplace_back(std::move(key), std::nullopt);
    } else {
      const uint64_t bytes = what % 128 == 1 ? what / 128 % 6000 : what / 128 % 300;
      operation.changes.emplace_back(std::move(key), Letters(bits, bytes));
    }
  }
  return operation;
}

}  // namespace rumcask
