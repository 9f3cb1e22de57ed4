// [TOOL_CALLS][{"name": …, "arguments": {…}, "id": …}], ids of nine characters.
#include "core/registry.h"
#include "models/chat/output/marked_calls.h"

namespace strata::models {
namespace {

const Registered<OutputFormat> bracket_tool_calls{std::make_unique<MarkedFormat>(MarkedCalls{
    .name = "bracket-tool_calls",
    .marks = {{"[TOOL_CALLS]"}},
    .fit = 40,
    .sections = {{"[TOOL_CALLS]", ""}},
    .calls = {"{calls}"},
})};

}  // namespace
}  // namespace strata::models
