// Ctrl-C and SIGTERM as a question that work can ask, instead of the end of the process.
#pragma once

#include <csignal>

namespace strata::app {

// While one lives, SIGINT and SIGTERM only set its flag; a second SIGINT ends the process.
class Interrupts {
 public:
  Interrupts();
  ~Interrupts();
  Interrupts(const Interrupts&) = delete;
  Interrupts& operator=(const Interrupts&) = delete;

  bool happened() const;
  void wait() const;  // until one has happened

 private:
  int pipe_[2] = {-1, -1};
  struct sigaction old_interrupt_{};
  struct sigaction old_terminate_{};
};

}  // namespace strata::app
