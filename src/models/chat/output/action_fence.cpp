// Action: and a fenced list of {"tool_name": …, "parameters": {…}}.
#include "core/registry.h"
#include "models/chat/output/marked_calls.h"

namespace strata::models {
namespace {

const Registered<OutputFormat> action_fence{std::make_unique<MarkedFormat>(MarkedCalls{
    .name = "action-fence",
    .marks = {{"Action:", "directly-answer"}, {"Action:", "directly_answer"}},
    .fit = 20,
    .sections = {{"Action:\n```json", "```"}},
    .calls = {"{calls}"},
    .keys = {.name = "tool_name", .arguments = "parameters"},
    .no_calls = {"directly-answer", "directly_answer"},
})};

}  // namespace
}  // namespace strata::models
