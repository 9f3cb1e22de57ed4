#include "app/cli/interrupt.h"

#include <atomic>
#include <cerrno>

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

namespace strata::app {
namespace {

std::atomic<int> count{0};
std::atomic<int> wake_end{-1};  // the pipe's end that the handler writes to
static_assert(std::atomic<int>::is_always_lock_free);

void on_signal(int signal) {
  const int saved = errno;
  if (count.fetch_add(1) >= 1 && signal == SIGINT) _exit(130);
  if (const int end = wake_end.load(); end >= 0) {
    [[maybe_unused]] const ssize_t n = write(end, "x", 1);
  }
  errno = saved;
}

}  // namespace

Interrupts::Interrupts() {
  if (pipe2(pipe_, O_CLOEXEC | O_NONBLOCK) == 0) wake_end = pipe_[1];
  count = 0;
  struct sigaction action{};
  action.sa_handler = on_signal;  // without SA_RESTART: a blocking read comes back
  sigaction(SIGINT, &action, &old_interrupt_);
  sigaction(SIGTERM, &action, &old_terminate_);
}

Interrupts::~Interrupts() {
  sigaction(SIGINT, &old_interrupt_, nullptr);
  sigaction(SIGTERM, &old_terminate_, nullptr);
  wake_end = -1;
  for (const int end : pipe_) {
    if (end >= 0) close(end);
  }
}

bool Interrupts::happened() const {
  return count.load() > 0;
}

void Interrupts::wait() const {
  pollfd reader{.fd = pipe_[0], .events = POLLIN, .revents = 0};
  while (!happened()) poll(&reader, 1, -1);
}

}  // namespace strata::app
