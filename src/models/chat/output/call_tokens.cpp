// <|tool_call:begin|>ID<|tool_call:name|>NAME<|tool_call:args|>{…}<|tool_call:end|>
#include "core/registry.h"
#include "models/chat/output/marked_calls.h"

namespace strata::models {
namespace {

const Registered<OutputFormat> call_tokens{std::make_unique<MarkedFormat>(MarkedCalls{
    .name = "call_tokens",
    .marks = {{"<|tool_call:begin|>"}},
    .fit = 40,
    .sections = {{"<|tool_calls|>", "<|calls|>"}},
    .calls = {"<|tool_call:begin|>~{id}~<|tool_call:name|>~{name}~<|tool_call:args|>~{json}~<|tool_"
              "call:end|>"},
})};

}  // namespace
}  // namespace strata::models
