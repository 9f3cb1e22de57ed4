// <|tool_calls_section_begin|>: envelopes of functions.NAME:NUMBER, which is the call's id.
#include "core/registry.h"
#include "models/chat/output/marked_calls.h"

namespace strata::models {
namespace {

const Registered<OutputFormat> tool_calls_section{std::make_unique<MarkedFormat>(MarkedCalls{
    .name = "tool_calls_section",
    .marks = {{"<|tool_call_begin|>"}, {"<|tool_calls_section_begin|>"}},
    .fit = 40,
    .sections = {{"<|tool_calls_section_begin|>", "<|tool_calls_section_end|>"}},
    .calls = {"<|tool_call_begin|>~{path}~<|tool_call_argument_begin|>~{json}~<|tool_call_end|>"},
})};

}  // namespace
}  // namespace strata::models
