#include "tools/cli/interrupt.h"

#include <signal.h>

namespace rumcask::cli {
namespace {

volatile sig_atomic_t raised = 0;

}  // namespace

Interrupt::Interrupt() {
  raised = 0;
  ::sigaction(SIGINT, nullptr, &before_);
  Resume();
}

Interrupt::~Interrupt() {
  Pause();
  raised = 0;
}

void Interrupt::Pause() { ::sigaction(SIGINT, &before_, nullptr); }

void Interrupt::Resume() {
  struct sigaction action = {};
  action.sa_handler = [](int) { raised = 1; };
  // Without SA_RESTART a waiting read returns. SA_RESETHAND: the next signal is not caught.
  action.sa_flags = static_cast<int>(SA_RESETHAND);
  // A command that was started with SIGINT ignored, as by nohup or in the background, goes on
  // ignoring it.
  if (before_.sa_handler != SIG_IGN) ::sigaction(SIGINT, &action, nullptr);
}

bool Interrupt::Raised() { return raised != 0; }

}  // namespace rumcask::cli
