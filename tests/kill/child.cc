#include "tests/kill/child.h"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace rumcask {
namespace {

constexpr int kFirstDescriptor = 3;

void Require(int error, const char* what) {
  if (error == 0) return;
  std::fprintf(stderr, "%s: %s\n", what, std::strerror(error));
  std::abort();
}

}  // namespace

Child::Child(const std::vector<std::string>& arguments, const std::string& log,
             const std::vector<int>& descriptors) {
  posix_spawn_file_actions_t actions;
  Require(::posix_spawn_file_actions_init(&actions), "posix_spawn_file_actions_init");
  Require(::posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0),
          "/dev/null");
  Require(::posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, log.c_str(),
                                             O_WRONLY | O_CREAT | O_TRUNC, 0600),
          "log");
  Require(::posix_spawn_file_actions_adddup2(&actions, STDOUT_FILENO, STDERR_FILENO), "dup2");
  // The pipes are made after the three standard descriptors, so descriptors[i] >= 3 + i. Copying in
  // ascending order therefore overwrites no descriptor before it is copied.
  for (size_t i = 0; i < descriptors.size(); ++i) {
    Require(::posix_spawn_file_actions_adddup2(&actions, descriptors[i],
                                               kFirstDescriptor + static_cast<int>(i)),
            "dup2");
  }
  std::vector<char*> argv;
  for (const std::string& argument : arguments) argv.push_back(const_cast<char*>(argument.c_str()));
  argv.push_back(nullptr);
  Require(::posix_spawn(&pid_, argv[0], &actions, nullptr, argv.data(), environ), argv[0]);
  ::posix_spawn_file_actions_destroy(&actions);
}

Child::~Child() {
  Kill();
  Wait();
}

void Child::Kill() {
  if (!ended_) ::kill(pid_, SIGKILL);
}

int Child::Wait() {
  while (!ended_) {
    if (::waitpid(pid_, &status_, 0) == pid_) ended_ = true;
  }
  return status_;
}

bool Child::Ended() {
  if (!ended_ && ::waitpid(pid_, &status_, WNOHANG) == pid_) ended_ = true;
  return ended_;
}

}  // namespace rumcask
