// Ctrl-C in a command that has to come to an orderly end.

#ifndef RUMCASK_TOOLS_CLI_INTERRUPT_H_
#define RUMCASK_TOOLS_CLI_INTERRUPT_H_

#include <signal.h>

namespace rumcask::cli {

// While one lives, the first SIGINT only sets a flag, and interrupts a read that waits; the second
// ends the process at once. One at a time.
class Interrupt {
 public:
  Interrupt();
  ~Interrupt();
  Interrupt(const Interrupt&) = delete;
  Interrupt& operator=(const Interrupt&) = delete;

  // In between SIGINT does what it did before: for what can take long and needs no orderly end. One
  // that came before stays Raised.
  void Pause();
  void Resume();

  // Whether one has come to the one that lives.
  static bool Raised();

 private:
  struct sigaction before_ = {};
};

}  // namespace rumcask::cli

#endif  // RUMCASK_TOOLS_CLI_INTERRUPT_H_
