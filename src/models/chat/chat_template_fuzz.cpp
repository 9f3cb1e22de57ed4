// Any bytes as a template and, each behind a NUL, as the messages' texts, rendered with small
// limits. What came from outside stays marked.
#include <algorithm>
#include <cstdint>
#include <cstdlib>

#include "core/error.h"
#include "models/chat/chat_template.h"

namespace strata::models {
namespace {

// Ends every message. A character of the private use area, which no function makes out of others.
constexpr std::string_view kOutside = "\xEE\x84\xA3";

void require(bool condition) {
  if (!condition) std::abort();
}

Conversation fixed_conversation() {
  Conversation made;
  made.messages = {{.role = "system", .content = "Be kind. \xF0\x9F\x99\x82"},
                   {.role = "user", .content = "  Hello\nthere <b> "},
                   {.role = "assistant",
                    .content = "x",
                    .reasoning = "y",
                    .tool_calls = {{"i", "f", "{\"a\":[1]}"}}},
                   {.role = "tool", .content = "{}", .name = "f", .tool_call_id = "i"}};
  made.variables =
      parse_json(R"({"n": 7, "f": 2.5, "l": [3, 1, "b", null], "d": {"k": {"m": "v"}}})")
          .as_object();
  made.now_s = 0;
  return made;
}

// The fixed one with its texts replaced, and user messages added, from `texts`.
Conversation conversation(std::string_view texts) {
  Conversation made = fixed_conversation();
  for (size_t i = 0; !texts.empty() && i < 32; ++i) {
    const size_t end = std::min(texts.find('\0', 1), texts.size());
    if (i >= made.messages.size()) made.messages.push_back({.role = "user"});
    made.messages[i].content = texts.substr(1, end - 1);
    texts.remove_prefix(end);
  }
  for (Message& message : made.messages) message.content += kOutside;
  return made;
}

void check_marks(const MarkedText& marked, bool outside_is_known) {
  size_t end = 0;
  for (const TextRange& range : marked.untrusted) {
    require(range.begin < range.end && (end == 0 || range.begin > end));
    end = range.end;
  }
  require(end <= marked.text.size());
  if (!outside_is_known) return;
  for (size_t at = marked.text.find(kOutside); at != std::string::npos;
       at = marked.text.find(kOutside, at + 1)) {
    require(std::ranges::any_of(marked.untrusted, [&](const TextRange& range) {
      return range.begin <= at && at + kOutside.size() <= range.end;
    }));
  }
}

}  // namespace
}  // namespace strata::models

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace strata::models;
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  const std::string_view source = input.substr(0, input.find('\0'));
  TemplateLimits limits;
  limits.max_steps = 20'000;
  limits.max_output_bytes = 1u << 16;
  limits.max_memory_bytes = 4u << 20;
  try {
    const auto parsed = ChatTemplate::parse(source, "<s>", "</s>", limits);
    const auto marked = parsed->render(conversation(input.substr(source.size())));
    // A template can spell the character out, in its bytes or as an escape.
    const bool known = source.find(kOutside) == std::string_view::npos &&
                       source.find('\\') == std::string_view::npos;
    check_marks(marked, known);
  } catch (const strata::Error&) {
  }
  return 0;
}
