// A directory for one test's databases.

#ifndef RUMCASK_TESTS_KILL_SCRATCH_DIRECTORY_H_
#define RUMCASK_TESTS_KILL_SCRATCH_DIRECTORY_H_

#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <string>

#include "gtest/gtest.h"

namespace rumcask {

class ScratchDirectory {
 public:
  ScratchDirectory() : path_(testing::TempDir() + "/kill.XXXXXX") {
    if (::mkdtemp(path_.data()) == nullptr) std::abort();
  }
  ~ScratchDirectory() { std::filesystem::remove_all(path_); }
  ScratchDirectory(const ScratchDirectory&) = delete;
  ScratchDirectory& operator=(const ScratchDirectory&) = delete;

  std::string Path(const std::string& name) const { return path_ + "/" + name; }

 private:
  std::string path_;
};

}  // namespace rumcask

#endif  // RUMCASK_TESTS_KILL_SCRATCH_DIRECTORY_H_
