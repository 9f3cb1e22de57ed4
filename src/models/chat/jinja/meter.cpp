#include "models/chat/jinja/meter.h"

#include "core/error.h"

namespace strata::models::jinja {

std::string located(Position at, const std::string& message) {
  return fmt::format("chat template, line {}, column {}: {}", at.line, at.column, message);
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
