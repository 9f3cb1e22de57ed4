#include "app/cli/pipe.h"

#include <array>
#include <cerrno>

#include <unistd.h>

#include "core/error.h"

namespace strata::app {
namespace {

constexpr size_t kMaxPipedBytes = 16u << 20;

}  // namespace

std::string read_pipe() {
  std::string text;
  std::array<char, 65536> bytes{};
  while (true) {
    const ssize_t n = read(STDIN_FILENO, bytes.data(), bytes.size());
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return text;
    text.append(bytes.data(), static_cast<size_t>(n));
    if (text.size() > kMaxPipedBytes) {
      throw Error(Code::invalid_argument,
                  fmt::format("standard input is over the limit of {} bytes", kMaxPipedBytes));
    }
  }
}

}  // namespace strata::app
