// Any bytes as a template, rendered with small limits.
#include <cstdint>

#include "core/error.h"
#include "models/chat/chat_template.h"

namespace {

strata::models::Conversation conversation() {
  strata::models::Conversation made;
  made.messages = {{.role = "system", .content = "Be kind. \xF0\x9F\x99\x82"},
                   {.role = "user", .content = "  Hello\nthere <b> "},
                   {.role = "assistant",
                    .content = "x",
                    .reasoning = "y",
                    .tool_calls = {{"i", "f", "{\"a\":[1]}"}}},
                   {.role = "tool", .content = "{}", .name = "f", .tool_call_id = "i"}};
  made.variables =
      strata::parse_json(R"({"n": 7, "f": 2.5, "l": [3, 1, "b", null], "d": {"k": {"m": "v"}}})")
          .as_object();
  made.now_s = 0;
  return made;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const auto talk = conversation();
  strata::models::TemplateLimits limits;
  limits.max_steps = 20'000;
  limits.max_output_bytes = 1u << 16;
  limits.max_memory_bytes = 4u << 20;
  const std::string_view source(reinterpret_cast<const char*>(data), size);
  try {
    const auto marked =
        strata::models::ChatTemplate::parse(source, "<s>", "</s>", limits)->render(talk);
    size_t end = 0;
    for (const auto& range : marked.untrusted) {
      if (range.begin >= range.end || (end != 0 && range.begin <= end)) __builtin_trap();
      end = range.end;
    }
    if (end > marked.text.size()) __builtin_trap();
  } catch (const strata::Error&) {
  }
  return 0;
}
