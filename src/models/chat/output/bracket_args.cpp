// [TOOL_CALLS]NAME[ARGS]{…}, with or without a [CALL_ID] of nine characters.
#include "core/registry.h"
#include "models/chat/output/marked_calls.h"

namespace strata::models {
namespace {

const Registered<OutputFormat> bracket_args{std::make_unique<MarkedFormat>(MarkedCalls{
    .name = "bracket-args",
    .marks = {{"[TOOL_CALLS]", "[ARGS]"}},
    .fit = 45,
    .calls = {"[TOOL_CALLS]{name}[CALL_ID]{id}[ARGS]~{json}", "[TOOL_CALLS]{name}[ARGS]~{json}",
              "[TOOL_CALLS]~{calls}"},
})};

}  // namespace
}  // namespace strata::models
