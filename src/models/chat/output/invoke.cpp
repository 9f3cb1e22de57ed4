// <minimax:tool_call><invoke name="NAME"><parameter name="KEY">VALUE</parameter></invoke>…
#include "core/registry.h"
#include "models/chat/output/marked_calls.h"

namespace strata::models {
namespace {

const Registered<OutputFormat> invoke{std::make_unique<MarkedFormat>(MarkedCalls{
    .name = "invoke",
    .marks = {{"<minimax:tool_call>"}},
    .fit = 40,
    .sections = {{"<minimax:tool_call>", "</minimax:tool_call>"}},
    .calls = {"<invoke name=\"{name}\">~{params}~</invoke>"},
    .params = {"<parameter name=\"{key}\">{value}</parameter>"},
})};

}  // namespace
}  // namespace strata::models
