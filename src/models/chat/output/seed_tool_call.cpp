// <seed:tool_call><function=NAME><parameter=KEY>VALUE</parameter></function></seed:tool_call>
#include "core/registry.h"
#include "models/chat/output/marked_calls.h"

namespace strata::models {
namespace {

const Registered<OutputFormat> seed_tool_call{std::make_unique<MarkedFormat>(MarkedCalls{
    .name = "seed-tool_call-function",
    .marks = {{"<seed:tool_call>"}},
    .fit = 40,
    .sections = {{"<seed:tool_call>", "</seed:tool_call>"}},
    .calls = {"<function={name}>~{params}~</function>"},
    .params = {"<parameter={key}>{value}</parameter>"},
})};

}  // namespace
}  // namespace strata::models
