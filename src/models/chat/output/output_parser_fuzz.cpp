// Any text as an answer in each format: however it is cut the same comes out, arguments are JSON,
// and no byte of the content is made up.
#include <cstdint>
#include <cstdlib>

#include "core/json.h"
#include "core/registry.h"
#include "models/chat/output/testing/read_output.h"

namespace strata::models {
namespace {

void require(bool condition) {
  if (!condition) std::abort();
}

const ToolSet& tools() {
  static const ToolSet set(parse_json(R"([{"function": {"name": "f", "parameters": {"properties": {
      "s": {"type": "string"}, "n": {"type": "integer"}, "o": {"type": "object"}}}}}])")
                               .as_array(),
                           {});
  return set;
}

void check(const OutputOptions& options, std::string_view text, size_t cut) {
  const auto whole = testing::read_output(options, text);
  require(whole.content == whole.from_ranges);
  for (const ToolCall& call : whole.calls) {
    require(!call.id.empty());
    require(parse_json(call.arguments, {.max_depth = 256}).is_object());
  }
  require(whole.reasoning.size() + whole.content.size() <= text.size());
  require(testing::read_output(options, text, {cut}) == whole);
  OutputOptions pieces = options;
  pieces.fragments = true;
  require(testing::read_output(pieces, text, {cut}) == testing::read_output(pieces, text));
}

}  // namespace
}  // namespace strata::models

// The first byte says where the answer begins, the second where the text is cut; it is read in
// every format.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace strata::models;
  if (size < 2) return 0;
  const std::string_view text(reinterpret_cast<const char*>(data) + 2, size - 2);
  constexpr ThinkState kStates[] = {ThinkState::may_begin, ThinkState::open, ThinkState::closed};
  for (const auto& format : strata::Registry<OutputFormat>::all()) {
    check({.format = format.get(),
           .think = {"<think>", "</think>"},
           .state = kStates[data[0] % 3],
           .tools = tools()},
          text, data[1] % (text.size() + 1));
  }
  return 0;
}
