// <|tool_call|>[{"name": …, "arguments": {…}}], with or without an end.
#include "core/registry.h"
#include "models/chat/output/marked_calls.h"

namespace strata::models {
namespace {

const Registered<OutputFormat> tool_call_token{std::make_unique<MarkedFormat>(MarkedCalls{
    .name = "tool_call-token",
    .marks = {{"<|tool_call|>"}},
    .fit = 40,
    .sections = {{"<|tool_call|>", "<|/tool_call|>"}, {"<|tool_call|>", ""}},
    .calls = {"{calls}"},
})};

}  // namespace
}  // namespace strata::models
