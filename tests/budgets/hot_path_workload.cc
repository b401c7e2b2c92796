// The hot paths of a store, each in a function of its own, to be counted by a tool from outside:
//
//   hot_path_workload DIRECTORY
//
// A database with the hash keystore and 16-byte keys, 100-byte values. Every function does
// kOperations operations; all names begin with "budget_", which no optimization takes away. A name
// that is looked up in vain below /budget, marks the beginning and the end of each for strace.

#include <unistd.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "rumcask/db.h"
#include "rumcask/open.h"

#include "tools/bench/store/bare_table.h"

namespace {

constexpr uint64_t kOperations = 200000;
constexpr size_t kGroup = 32;
static_assert(kOperations % kGroup == 0, "whole groups");

// Made beforehand: their making is not to be counted.
using Keys = std::vector<std::string>;

Keys MakeKeys(uint64_t first) {
  Keys keys;
  keys.reserve(kOperations);
  for (uint64_t i = 0; i < kOperations; ++i) {
    // An odd factor, so that all differ; the order is that of no table.
    const uint64_t words[2] = {(first + i) * 0x9e3779b97f4a7c15, first + i};
    keys.emplace_back(reinterpret_cast<const char*>(words), sizeof(words));
  }
  return keys;
}

void Check(bool ok, const char* what) {
  if (ok) return;
  std::fprintf(stderr, "hot_path_workload: %s failed\n", what);
  std::exit(1);
}

}  // namespace

extern "C" {

// Each returns how many operations did what they should.

__attribute__((noinline)) uint64_t budget_put(rumcask::DB* db, const Keys& keys,
                                              std::string_view value) {
  uint64_t done = 0;
  for (const std::string& key : keys) done += db->Put(key, value).ok();
  return done;
}

__attribute__((noinline)) uint64_t budget_overwrite(rumcask::DB* db, const Keys& keys,
                                                    std::string_view value) {
  uint64_t done = 0;
  for (const std::string& key : keys) done += db->Put(key, value).ok();
  return done + value.empty();
}

__attribute__((noinline)) uint64_t budget_get(rumcask::DB* db, const Keys& keys,
                                              std::string* value) {
  uint64_t done = 0;
  for (const std::string& key : keys) done += db->Get(key, value).ok();
  return done;
}

__attribute__((noinline)) uint64_t budget_get_missing(rumcask::DB* db, const Keys& keys,
                                                      std::string* value) {
  uint64_t done = 0;
  for (const std::string& key : keys) done += absl::IsNotFound(db->Get(key, value));
  return done;
}

__attribute__((noinline)) uint64_t budget_multi_get(rumcask::DB* db,
                                                    const std::vector<std::string_view>& keys,
                                                    std::vector<std::string>* values,
                                                    std::vector<absl::Status>* statuses) {
  uint64_t done = 0;
  for (size_t i = 0; i < keys.size(); i += kGroup) {
    db->MultiGet({keys.data() + i, kGroup}, values, statuses);
    done += statuses->back().ok() ? kGroup : 0;
  }
  return done;
}

// What any table of digests over a log has to do: the same digests, checksums and copies.

__attribute__((noinline)) uint64_t budget_yardstick_put(rumcask::bench::BareTable* table,
                                                        const Keys& keys, std::string_view value) {
  for (const std::string& key : keys) table->Put(key, value);
  return keys.size();
}

__attribute__((noinline)) uint64_t budget_yardstick_get(const rumcask::bench::BareTable& table,
                                                        const Keys& keys, std::string* value) {
  uint64_t done = 0;
  for (const std::string& key : keys) done += table.Get(key, value);
  return done;
}

}  // extern "C"

namespace {

// Runs one of them between marks.
template <typename Run>
void Measure(const char* name, Run run) {
  const std::string mark = std::string("/budget/") + name;
  (void)!access((mark + "/begin").c_str(), F_OK);
  const uint64_t done = run();
  (void)!access((mark + "/end").c_str(), F_OK);
  Check(done == kOperations, name);
  std::printf("%s %llu\n", name, static_cast<unsigned long long>(done));
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fprintf(stderr, "usage: hot_path_workload DIRECTORY\n");
    return 2;
  }
#if defined(__OPTIMIZE__) && !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
  std::printf("build optimized\n");
#else
  std::printf("build other\n");
#endif
  std::printf("compiler %s\n", __VERSION__);
  rumcask::Options options;
  options.create_if_missing = true;
  auto opened = rumcask::Open(argv[1], options);
  Check(opened.ok(), "open");
  rumcask::DB* const db = opened->get();
  const std::string value(100, 'v');
  std::string found;
  // What happens once - files, threads, first pages - is not counted.
  Check(db->Put("first", value).ok() && db->Get("first", &found).ok(), "first put");

  const Keys keys = MakeKeys(1);
  const Keys missing = MakeKeys(1 + kOperations);
  const std::vector<std::string_view> views(keys.begin(), keys.end());
  std::vector<std::string> values;
  std::vector<absl::Status> statuses;
  db->MultiGet({views.data(), kGroup}, &values, &statuses);

  Measure("put", [&] { return budget_put(db, keys, value); });
  Measure("overwrite", [&] { return budget_overwrite(db, keys, value); });
  Measure("get", [&] { return budget_get(db, keys, &found); });
  Measure("get_missing", [&] { return budget_get_missing(db, missing, &found); });
  // The caller's vectors have their memory before: growing the heap may be a system call.
  db->MultiGet({views.data(), kGroup}, &values, &statuses);
  Measure("multi_get", [&] { return budget_multi_get(db, views, &values, &statuses); });
  Check(db->Close().ok(), "close");
  // Twice, so that the second time counts overwrites: growing is another matter.
  rumcask::bench::BareTable table(kOperations * 512);
  for (const std::string& key : keys) table.Put(key, value);
  Measure("yardstick_put", [&] { return budget_yardstick_put(&table, keys, value); });
  Measure("yardstick_get", [&] { return budget_yardstick_get(table, keys, &found); });
  return 0;
}
