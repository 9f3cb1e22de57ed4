// A message of its own role: function call<|role_sep|>{"name": …, "arguments": {…}}
#include "core/registry.h"
#include "models/chat/output/marked_calls.h"

namespace strata::models {
namespace {

const Registered<OutputFormat> function_call_role{std::make_unique<MarkedFormat>(MarkedCalls{
    .name = "function_call-role",
    .marks = {{"function call", "role_sep"}},
    .fit = 30,
    .sections = {{"<|message_sep|>\n\nfunction call<|role_sep|>\n", ""}},
    .calls = {"{call}"},
})};

}  // namespace
}  // namespace strata::models
