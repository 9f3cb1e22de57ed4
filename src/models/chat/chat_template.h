// A model's chat template: messages in, marked text out. The template is untrusted code in the
// Jinja language; our interpreter has no input, no output and limits on everything.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "models/chat/message.h"
#include "models/tokenizer/tokenizer.h"

namespace strata::models {

// What a template may use. A step is one node evaluated, one item walked, or the part of a text
// that takes as long: a kilobyte copied, 64 bytes walked or searched, 8 changed one by one. A
// template of today takes some thousands.
struct TemplateLimits {
  size_t max_source_bytes = 1u << 20;
  size_t max_steps = 5'000'000;
  size_t max_depth = 200;                // nesting of the source, of calls, of lists and dicts
  size_t max_output_bytes = 64u << 20;   // of the result and of every single string
  size_t max_memory_bytes = 256u << 20;  // all that is alive at one time
  size_t max_range_items = 100'000;      // as the sandbox of the reference
};

class ChatTemplate {
 public:
  // Parses. Error{invalid_argument} with line and column, also where a limit is met. bos and eos
  // are the texts that the template's bos_token and eos_token stand for.
  static std::shared_ptr<const ChatTemplate> parse(std::string_view source, std::string bos,
                                                   std::string eos,
                                                   const TemplateLimits& limits = {});
  virtual ~ChatTemplate() = default;

  // Renders; everything that came from the conversation is marked untrusted in the result.
  // Error{invalid_argument} where the template raises (raise_exception), goes wrong or meets a
  // limit: the same messages would meet it again, so that "later" is no advice.
  virtual MarkedText render(const Conversation& conversation) const = 0;
  virtual const std::string& source() const = 0;
};

}  // namespace strata::models
