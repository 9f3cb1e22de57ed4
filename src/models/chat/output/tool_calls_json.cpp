// <tool_calls>[{"name": …, "arguments": {…}}]</tool_calls>, or the objects one by one.
#include "core/registry.h"
#include "models/chat/output/marked_calls.h"

namespace strata::models {
namespace {

const Registered<OutputFormat> tool_calls_json{std::make_unique<MarkedFormat>(MarkedCalls{
    .name = "tool_calls-json",
    .marks = {{"<tool_calls>"}},
    .fit = 12,
    .sections = {{"<tool_calls>", "</tool_calls>"}},
    .calls = {"{calls}"},
    .separators = {","},
})};

}  // namespace
}  // namespace strata::models
