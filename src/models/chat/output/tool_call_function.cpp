// <tool_call><function=NAME><parameter=KEY>VALUE</parameter></function></tool_call>, values on
// lines of their own.
#include "core/registry.h"
#include "models/chat/output/marked_calls.h"

namespace strata::models {
namespace {

const Registered<OutputFormat> tool_call_function{std::make_unique<MarkedFormat>(MarkedCalls{
    .name = "tool_call-function",
    .marks = {{"<tool_call>", "<function=", "<parameter="}},
    .fit = 30,
    .sections = {{"<tool_call>", "</tool_call>"}},
    .calls = {"<function={name}>~{params}~</function>"},
    .params = {"<parameter={key}>\n{value}\n</parameter>"},
})};

}  // namespace
}  // namespace strata::models
