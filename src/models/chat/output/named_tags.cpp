// <invoke name="NAME"><KEY>VALUE</KEY></invoke>, a token in front of each tag.
#include "core/registry.h"
#include "models/chat/output/marked_calls.h"

namespace strata::models {
namespace {

const Registered<OutputFormat> named_tags{std::make_unique<MarkedFormat>(MarkedCalls{
    .name = "named-tags",
    .marks = {{"]<]minimax[>["}},
    .fit = 40,
    .sections = {{"]<]minimax[>[<tool_call>", "]<]minimax[>[</tool_call>"}},
    .calls = {"]<]minimax[>[<invoke name=\"{name}\">~{params}~]<]minimax[>[</invoke>"},
    .params = {"]<]minimax[>[<{key}>{value}]<]minimax[>[</{key}>"},
})};

}  // namespace
}  // namespace strata::models
