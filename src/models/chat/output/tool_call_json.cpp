// <tool_call>{"name": …, "arguments": {…}}</tool_call>
#include "core/registry.h"
#include "models/chat/output/marked_calls.h"

namespace strata::models {
namespace {

const Registered<OutputFormat> tool_call_json{std::make_unique<MarkedFormat>(MarkedCalls{
    .name = "tool_call-json",
    .marks = {{"<tool_call>"}},
    .fit = 10,
    .sections = {{"<tool_call>", "</tool_call>"}},
    .calls = {"{calls}"},
})};

}  // namespace
}  // namespace strata::models
