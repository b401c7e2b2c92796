#include "tests/workloads/writer_operations.h"

#include "absl/strings/str_format.h"

#include "tests/workloads/mix.h"

namespace rumcask {
namespace {

constexpr uint64_t kSyncEvery = 512;

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

}  // namespace rumcask
