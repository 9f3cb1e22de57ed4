// <tool_call>NAME<arg_key>KEY</arg_key><arg_value>VALUE</arg_value></tool_call>
#include "core/registry.h"
#include "models/chat/output/marked_calls.h"

namespace strata::models {
namespace {

const Registered<OutputFormat> arg_key{std::make_unique<MarkedFormat>(MarkedCalls{
    .name = "arg_key",
    .marks = {{"<arg_key>"}},
    .fit = 30,
    .calls = {"<tool_call>~{name}~{params}~</tool_call>"},
    .params = {"<arg_key>{key}</arg_key>~<arg_value>{value}</arg_value>"},
})};

}  // namespace
}  // namespace strata::models
