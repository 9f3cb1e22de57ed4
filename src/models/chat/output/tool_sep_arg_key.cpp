// The same with a section around the calls, a mark behind the name and a suffix to each tag.
#include "core/registry.h"
#include "models/chat/output/marked_calls.h"

namespace strata::models {
namespace {

const Registered<OutputFormat> tool_sep_arg_key{std::make_unique<MarkedFormat>(MarkedCalls{
    .name = "tool_sep-arg_key",
    .marks = {{"'<tool_sep{}>'"}},
    .fit = 40,
    .sections = {{"<tool_calls:opensource>", "</tool_calls:opensource>"}},
    .calls =
        {"<tool_call:opensource>~{name}~<tool_sep:opensource>~{params}~</tool_call:opensource>"},
    .params = {"<arg_key:opensource>{key}</arg_key:opensource>~<arg_value:opensource>{value}</"
               "arg_value:opensource>"},
})};

}  // namespace
}  // namespace strata::models
