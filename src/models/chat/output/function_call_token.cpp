// <|function_call|>{"name": …, "arguments": {…}}
#include "core/registry.h"
#include "models/chat/output/marked_calls.h"

namespace strata::models {
namespace {

const Registered<OutputFormat> function_call_token{std::make_unique<MarkedFormat>(MarkedCalls{
    .name = "function_call-token",
    .marks = {{"<|function_call|>"}},
    .fit = 40,
    .sections = {{"<|function_call|>", ""}},
    .calls = {"{call}"},
})};

}  // namespace
}  // namespace strata::models
