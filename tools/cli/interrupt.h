// Handles Ctrl-C in a command that must end in an orderly way.

#ifndef RUMCASK_TOOLS_CLI_INTERRUPT_H_
#define RUMCASK_TOOLS_CLI_INTERRUPT_H_

#include <signal.h>

namespace rumcask::cli {

// While an object exists, the first SIGINT only sets a flag and interrupts a read that waits; the
// second ends the process at once. Only one object may exist at a time.
class Interrupt {
 public:
  Interrupt();
  ~Interrupt();
  Interrupt(const Interrupt&) = delete;
  Interrupt& operator=(const Interrupt&) = delete;

  // From now on SIGINT has its former effect again, for work that can take long and needs no
  // orderly end. A SIGINT that came before stays Raised.
  void Pause();
  void Resume();

  // Whether a SIGINT has come while the current object existed.
  static bool Raised();

 private:
  struct sigaction before_ = {};
};

}  // namespace rumcask::cli

#endif  // RUMCASK_TOOLS_CLI_INTERRUPT_H_
