// Starts a program that the test kills.

#ifndef RUMCASK_TESTS_KILL_CHILD_H_
#define RUMCASK_TESTS_KILL_CHILD_H_

#include <sys/types.h>

#include <string>
#include <vector>

namespace rumcask {

class Child {
 public:
  // Starts `arguments[0]`. Its standard input is empty, its standard output and error go to the
  // file `log`, and `descriptors[i]` becomes its descriptor 3 + i. Ends the test program if that
  // fails.
  Child(const std::vector<std::string>& arguments, const std::string& log,
        const std::vector<int>& descriptors = {});
  // Kills it if it still runs.
  ~Child();
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;

  // Sends SIGKILL, unless the program has ended.
  void Kill();
  // Waits until it has ended, which releases its locks, and returns the status from waitpid.
  int Wait();
  // Whether it has ended. Does not wait.
  bool Ended();

 private:
  pid_t pid_ = -1;
  bool ended_ = false;
  int status_ = 0;
};

}  // namespace rumcask

#endif  // RUMCASK_TESTS_KILL_CHILD_H_
