// [TOOL_CALLS] with a list of calls, or before each name with [ARGS] behind it; ids of nine
// characters.
#include "core/registry.h"
#include "models/chat/output/marked_calls.h"

namespace strata::models {
namespace {

const Registered<OutputFormat> bracket_tool_calls{std::make_unique<MarkedFormat>(MarkedCalls{
    .name = "bracket-tool_calls",
    .marks = {{"[TOOL_CALLS]"}},
    .fit = 40,
    .calls = {"[TOOL_CALLS]{name}[CALL_ID]{id}[ARGS]~{json}", "[TOOL_CALLS]{name}[ARGS]~{json}",
              "[TOOL_CALLS]~{calls}"},
})};

}  // namespace
}  // namespace strata::models
