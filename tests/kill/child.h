// A program that is started to be killed.

#ifndef RUMCASK_TESTS_KILL_CHILD_H_
#define RUMCASK_TESTS_KILL_CHILD_H_

#include <sys/types.h>

#include <string>
#include <vector>

namespace rumcask {

class Child {
 public:
  // Starts `arguments[0]`. Its standard input is empty, its standard output and error go to the
  // file `log`, and `descriptors[i]` becomes its 3 + i. Ends the test program if that fails.
  Child(const std::vector<std::string>& arguments, const std::string& log,
        const std::vector<int>& descriptors = {});
  // Kills it if it still runs.
  ~Child();
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;

  // SIGKILL; nothing if it has ended.
  void Kill();
  // Waits until it has ended, and with it every lock it held, and returns what waitpid says.
  int Wait();
  // Whether it has ended by now, without waiting.
  bool Ended();

 private:
  pid_t pid_ = -1;
  bool ended_ = false;
  int status_ = 0;
};

}  // namespace rumcask

#endif  // RUMCASK_TESTS_KILL_CHILD_H_
