#include "tools/cli/rejects.h"

#include <unistd.h>

#include <fstream>
#include <iterator>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "gtest/gtest.h"

namespace rumcask::cli {
namespace {

class RejectsTest : public testing::Test {
 protected:
  ~RejectsTest() override { ::unlink(path_.c_str()); }

  std::string Content() const {
    std::ifstream file(path_, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  }

  const std::string path_ = testing::TempDir() + "/rejects";
};

TEST_F(RejectsTest, TheHeaderComesFirstAndOnce) {
  Rejects rejects(path_);
  EXPECT_TRUE(rejects.Add("name;town", "a").ok());
  EXPECT_TRUE(rejects.Add("name;town", "b").ok());
  EXPECT_TRUE(rejects.Close().ok());
  EXPECT_EQ(Content(), "name;town\na\nb\n");
}

TEST_F(RejectsTest, WithoutRejectsThereIsNoFile) {
  Rejects rejects(path_);
  EXPECT_TRUE(rejects.Close().ok());
  EXPECT_NE(::access(path_.c_str(), F_OK), 0);
  Rejects nowhere(std::nullopt);
  EXPECT_TRUE(nowhere.Add("", "a").ok());
  EXPECT_TRUE(nowhere.Close().ok());
}

// A pipe takes what is written, and refuses to be synced.
TEST_F(RejectsTest, WhatDoesNotReachTheDiskIsAnError) {
  Rejects rejects(path_);
  const int next = ::dup(STDIN_FILENO);
  ::close(next);
  EXPECT_TRUE(rejects.Add("", "a").ok());
  int pipe[2];
  ASSERT_EQ(::pipe(pipe), 0);
  ASSERT_EQ(::dup2(pipe[1], next), next) << "the file's descriptor was the first one free";
  EXPECT_TRUE(rejects.Flush().ok());
  EXPECT_EQ(rejects.Close().message(), "cannot write " + path_ + ": Invalid argument");
  for (const int end : pipe) ::close(end);
}

}  // namespace
}  // namespace rumcask::cli
