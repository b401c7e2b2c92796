// Calls that must not take memory: a read into a string that is large enough, a miss, a refused
// PutIfAbsent, and the delete of a missing key, on keystores in memory.

#include <atomic>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <memory>
#include <new>
#include <string>
#include <utility>
#include <vector>

#include "absl/base/attributes.h"
#include "gtest/gtest.h"

#include "core/db.h"
#include "keystores/by_name.h"
#include "tests/workloads/keystores.h"

namespace {

std::atomic<uint64_t> allocations{0};

}  // namespace

// The whole program takes its memory here.
ABSL_ATTRIBUTE_NOINLINE void* operator new(size_t size) {
  allocations.fetch_add(1, std::memory_order_relaxed);
  void* const memory = std::malloc(size);
  if (memory == nullptr) throw std::bad_alloc();
  return memory;
}
ABSL_ATTRIBUTE_NOINLINE void operator delete(void* memory) noexcept { std::free(memory); }
ABSL_ATTRIBUTE_NOINLINE void operator delete(void* memory, size_t /*size*/) noexcept {
  std::free(memory);
}

namespace rumcask {
namespace {

class AllocationsTest : public testing::TestWithParam<std::string> {
 protected:
  AllocationsTest() : path_(testing::TempDir() + "/allocations." + GetParam()) {
    std::filesystem::remove_all(path_);
    Options options;
    options.keystore = *KeystoreByName(GetParam());
    options.create_if_missing = true;
    // Nothing else runs meanwhile.
    options.background_threads = 0;
    auto db = DB::Open(path_, options);
    EXPECT_TRUE(db.ok()) << db.status();
    db_ = *std::move(db);
    EXPECT_TRUE(db_->Put(key_, std::string(100, 'v')).ok());
  }
  ~AllocationsTest() override {
    db_.reset();
    std::filesystem::remove_all(path_);
  }

  // After what a thread sets up in its first call.
  static uint64_t CountedIn(const std::function<void()>& call) {
    call();
    const uint64_t before = allocations.load();
    for (int i = 0; i < 100; ++i) call();
    return allocations.load() - before;
  }

  const std::string path_;
  // Longer than what a string holds in itself.
  const std::string key_ = "a key that is longer than a string's own bytes";
  const std::string missing_ = "another key, and there is no such one";
  std::unique_ptr<DB> db_;
};

INSTANTIATE_TEST_SUITE_P(Keystores, AllocationsTest, testing::ValuesIn(NamesInMemory()),
                         [](const auto& param) { return param.param; });

TEST_P(AllocationsTest, Reads) {
  std::string value;
  EXPECT_EQ(CountedIn([&] { ASSERT_TRUE(db_->Get(key_, &value).ok()); }), 0u);
  EXPECT_EQ(CountedIn([&] { ASSERT_TRUE(absl::IsNotFound(db_->Get(missing_, &value))); }), 0u);
  EXPECT_EQ(CountedIn([&] { ASSERT_TRUE(*db_->Exists(key_)); }), 0u);
  EXPECT_EQ(CountedIn([&] { ASSERT_FALSE(*db_->Exists(missing_)); }), 0u);
}

TEST_P(AllocationsTest, Refusals) {
  WriteResult result;
  EXPECT_EQ(CountedIn([&] {
              const absl::Status status = db_->PutIfAbsent(key_, "other", {}, &result);
              ASSERT_TRUE(absl::IsAlreadyExists(status));
              ASSERT_TRUE(status.message().empty());
            }),
            0u);
  EXPECT_EQ(result.version, 1u);
  EXPECT_EQ(CountedIn([&] { ASSERT_TRUE(db_->Delete(missing_).ok()); }), 0u);
}

// So that the counter is known to count.
TEST_P(AllocationsTest, AMessageIsOne) {
  EXPECT_GE(CountedIn([&] { ASSERT_TRUE(absl::IsAborted(db_->CompareAndPut(key_, "v", 7))); }),
            100u);
}

}  // namespace
}  // namespace rumcask
