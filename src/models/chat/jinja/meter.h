// Counts what one rendering uses and stops it at the limits; knows where in the template we are, so
// that every error carries line and column.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "models/chat/chat_template.h"

namespace strata::models::jinja {

struct Position {
  uint32_t line = 1;
  uint32_t column = 1;  // in characters
};

class Meter {
 public:
  explicit Meter(const TemplateLimits& limits) : limits_(limits) {}
  Meter(const Meter&) = delete;
  Meter& operator=(const Meter&) = delete;

  const TemplateLimits& limits() const { return limits_; }
  void at(Position position) { position_ = position; }
  Position position() const { return position_; }

  void step(size_t n = 1) {
    steps_ += n;
    if (steps_ > limits_.max_steps || n > limits_.max_steps) too_many_steps();
  }
  // Work that is linear in a text or a table. Each rate is such that a step stays within some
  // tenths of a microsecond, which is what evaluating a node takes: so max_steps bounds the time
  // of a rendering, whatever the template makes of its steps.
  void step_bytes(size_t bytes) { step(bytes >> 10); }      // copied, compared or hashed
  void step_characters(size_t bytes) { step(bytes >> 6); }  // walked one by one, or searched
  void step_mapped(size_t bytes) { step(bytes >> 3); }      // each looked up, escaped or made anew
  void step_entries(size_t count) { step(count >> 4); }     // names compared one after the other

  // Memory that is alive. release() takes back what hold() took.
  void hold(size_t bytes) {
    if (bytes > limits_.max_memory_bytes || held_ + bytes > limits_.max_memory_bytes) {
      too_much_memory();
    }
    held_ += bytes;
  }
  void release(size_t bytes) noexcept { held_ -= bytes; }

  // Refuses a text longer than max_output_bytes before it is built.
  void check_text_size(size_t bytes) const {
    if (bytes > limits_.max_output_bytes) text_too_long(bytes);
  }

  // Both Error{invalid_argument}; exhausted() at a limit, with what to do about it.
  [[noreturn]] void fail(const std::string& message) const;
  [[noreturn]] void exhausted(const std::string& message) const;

 private:
  [[noreturn]] void too_many_steps() const;
  [[noreturn]] void too_much_memory() const;
  [[noreturn]] void text_too_long(size_t bytes) const;

  TemplateLimits limits_;
  Position position_;
  size_t steps_ = 0;
  size_t held_ = 0;
};

// "chat template, line 3, column 7: message"
std::string located(Position at, const std::string& message);
// At most `most` bytes of a text for a message; says how long it is when there is more.
std::string shortened(std::string_view text, size_t most);

}  // namespace strata::models::jinja
