#include "tools/bench/child_process.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"

namespace rumcask::bench {
namespace {

bool WriteAll(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t written = ::write(fd, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return false;
    bytes.remove_prefix(static_cast<size_t>(written));
  }
  return true;
}

// Until the end of the file, or until `stop` is true.
std::string ReadAll(int fd, const std::function<bool()>& stop) {
  constexpr int kMilliseconds = 200;
  std::string bytes;
  std::array<char, 65536> buffer;
  while (true) {
    struct pollfd wanted = {fd, POLLIN, 0};
    if (stop != nullptr && stop()) return bytes;
    if (stop != nullptr && ::poll(&wanted, 1, kMilliseconds) <= 0) continue;
    const ssize_t count = ::read(fd, buffer.data(), buffer.size());
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) return bytes;
    bytes.append(buffer.data(), static_cast<size_t>(count));
  }
}

struct Pipe {
  int read = -1;
  int write = -1;
};

absl::StatusOr<Pipe> MakePipe() {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) == 0) return Pipe{ends[0], ends[1]};
  return absl::InternalError(absl::StrCat("pipe: ", std::strerror(errno)));
}

void Close(const Pipe& pipe) {
  ::close(pipe.read);
  ::close(pipe.write);
}

int AwaitEnd(pid_t child) {
  int state = 0;
  while (::waitpid(child, &state, 0) < 0 && errno == EINTR) {
  }
  return state;
}

// The whole life of the child.
[[noreturn]] void Live(pid_t parent, int go, int result, const std::function<std::string()>& work) {
  // If the benchmark is interrupted, the child must end, too.
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::getppid() != parent) ::_exit(1);
  char byte;
  ssize_t count;
  while ((count = ::read(go, &byte, 1)) < 0 && errno == EINTR) {
  }
  if (count != 1) ::_exit(1);
  const bool written = WriteAll(result, work());
  std::fflush(nullptr);
  ::_exit(written ? 0 : 1);
}

}  // namespace

absl::StatusOr<std::unique_ptr<WaitingChild>> WaitingChild::Make(
    const std::function<std::string()>& work) {
  const absl::StatusOr<Pipe> go = MakePipe();
  if (!go.ok()) return go.status();
  const absl::StatusOr<Pipe> result = MakePipe();
  if (!result.ok()) {
    Close(*go);
    return result.status();
  }
  // Otherwise buffered output would be printed twice.
  std::fflush(nullptr);
  const pid_t parent = ::getpid();
  const pid_t child = ::fork();
  if (child < 0) {
    const int error = errno;
    Close(*go);
    Close(*result);
    return absl::InternalError(absl::StrCat("fork: ", std::strerror(error)));
  }
  if (child == 0) {
    ::close(go->write);
    ::close(result->read);
    Live(parent, go->read, result->write, work);
  }
  ::close(go->read);
  ::close(result->write);
  return std::unique_ptr<WaitingChild>(new WaitingChild(child, go->write, result->read));
}

WaitingChild::~WaitingChild() {
  if (pid_ != 0) {
    // Closing the pipe may not end it, because a child that was made later has that end of the
    // pipe, too.
    ::kill(pid_, SIGKILL);
    AwaitEnd(pid_);
  }
  ::close(go_);
  ::close(result_);
}

absl::StatusOr<std::string> WaitingChild::Run(const std::function<bool()>& stop) {
  if (pid_ == 0) return absl::FailedPreconditionError("it has worked already");
  // If the child is gone, reading the result will report it.
  (void)WriteAll(go_, "!");
  std::string result = ReadAll(result_, stop);
  const bool stopped = stop != nullptr && stop();
  if (stopped) ::kill(pid_, SIGKILL);
  const int state = AwaitEnd(pid_);
  pid_ = 0;
  if (stopped) return absl::CancelledError("stopped");
  if (WIFSIGNALED(state)) {
    return absl::InternalError(absl::StrCat("killed by signal ", WTERMSIG(state), " (",
                                            ::strsignal(WTERMSIG(state)), ")"));
  }
  if (!WIFEXITED(state) || WEXITSTATUS(state) != 0) {
    return absl::InternalError("the process of the store ended early");
  }
  return result;
}

absl::StatusOr<std::string> RunInChild(const std::function<std::string()>& work,
                                       const std::function<bool()>& stop) {
  absl::StatusOr<std::unique_ptr<WaitingChild>> child = WaitingChild::Make(work);
  if (!child.ok()) return child.status();
  return (*child)->Run(stop);
}

}  // namespace rumcask::bench
