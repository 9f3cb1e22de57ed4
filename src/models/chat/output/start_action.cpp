// <|START_ACTION|>[{"tool_call_id": …, "tool_name": …, "parameters": {…}}]<|END_ACTION|>
#include "core/registry.h"
#include "models/chat/output/marked_calls.h"

namespace strata::models {
namespace {

const Registered<OutputFormat> start_action{std::make_unique<MarkedFormat>(MarkedCalls{
    .name = "start_action",
    .marks = {{"<|START_ACTION|>"}},
    .fit = 40,
    .sections = {{"<|START_ACTION|>", "<|END_ACTION|>"}},
    .calls = {"{calls}"},
    .keys = {.name = "tool_name", .arguments = "parameters", .id = "tool_call_id"},
})};

}  // namespace
}  // namespace strata::models
