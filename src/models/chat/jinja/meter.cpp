#include "models/chat/jinja/meter.h"

#include "core/error.h"

namespace strata::models::jinja {
namespace {

// A template can put texts of megabytes into a message; nobody reads more than this.
constexpr size_t kMaxMessageBytes = 4096;

}  // namespace

std::string located(Position at, const std::string& message) {
  return fmt::format("chat template, line {}, column {}: {}", at.line, at.column,
                     shortened(message, kMaxMessageBytes));
}

std::string shortened(std::string_view text, size_t most) {
  if (text.size() <= most) return std::string(text);
  size_t end = most;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0) == 0x80) --end;
  return fmt::format("{}… ({} bytes)", text.substr(0, end), text.size());
}

void Meter::fail(const std::string& message) const {
  throw Error(Code::invalid_argument, located(position_, message));
}

void Meter::exhausted(const std::string& message) const {
  throw Error(Code::invalid_argument, located(position_, message),
              "shorten the messages, or take a template that makes less of them");
}

void Meter::too_many_steps() const {
  exhausted(fmt::format("more than {} steps, which is the limit", limits_.max_steps));
}

void Meter::too_much_memory() const {
  exhausted(
      fmt::format("more than {} bytes of memory, which is the limit", limits_.max_memory_bytes));
}

void Meter::text_too_long(size_t bytes) const {
  exhausted(fmt::format("a text of {} bytes, the limit is {}", bytes, limits_.max_output_bytes));
}

}  // namespace strata::models::jinja
