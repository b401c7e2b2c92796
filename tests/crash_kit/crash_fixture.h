// A fresh crash file system with one open directory, for the tests of this package.

#ifndef RUMCASK_TESTS_CRASH_KIT_CRASH_FIXTURE_H_
#define RUMCASK_TESTS_CRASH_KIT_CRASH_FIXTURE_H_

#include <gtest/gtest.h>

#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <utility>

#include "core/system/file_system.h"
#include "tests/crash_kit/crash_file_system.h"

namespace rumcask {

inline constexpr char kRoot[] = "/crash";

using Tree = std::map<std::string, std::string>;

class CrashFixture : public testing::Test {
 protected:
  std::unique_ptr<File> Open(const std::string& name, OpenMode mode = OpenMode::kCreateOrKeep) {
    absl::StatusOr<std::unique_ptr<File>> file = directory_->Open(name, mode);
    EXPECT_TRUE(file.ok()) << file.status();
    return file.ok() ? *std::move(file) : nullptr;
  }

  // A file whose bytes, size and name are durable.
  std::unique_ptr<File> OpenDurable(const std::string& name, std::string_view bytes) {
    std::unique_ptr<File> file = Open(name);
    EXPECT_TRUE(file->Write(0, bytes).ok());
    EXPECT_TRUE(file->Sync().ok());
    EXPECT_TRUE(directory_->Sync().ok());
    return file;
  }

  std::unique_ptr<MappedRegion> Map(File& file, size_t size, bool writable = true) {
    absl::StatusOr<std::unique_ptr<MappedRegion>> region = file.Map(size, writable);
    EXPECT_TRUE(region.ok()) << region.status();
    return region.ok() ? *std::move(region) : nullptr;
  }

  Tree After(const KeepPolicy& policy) const { return ContentsOf(fs_.Cut(policy)); }

  static Tree ContentsOf(const CrashImage& image) { return CrashFileSystem(image).Contents(kRoot); }

  // The different results of many random cuts.
  std::set<Tree> RandomOutcomes() const {
    std::set<Tree> outcomes;
    for (uint64_t seed = 0; seed < 400; ++seed) outcomes.insert(After(KeepPolicy::Random(seed)));
    return outcomes;
  }

  CrashFileSystem fs_{kRoot};
  std::unique_ptr<Directory> directory_ = *fs_.OpenDirectory(kRoot);
};

inline std::string Bytes(size_t count, char c) { return std::string(count, c); }

inline std::string ReadAll(const File& file) {
  std::string bytes(*file.Size(), '?');
  EXPECT_TRUE(file.Read(0, bytes.data(), bytes.size()).ok());
  return bytes;
}

}  // namespace rumcask

#endif  // RUMCASK_TESTS_CRASH_KIT_CRASH_FIXTURE_H_
