// DSML: function_calls, invoke and parameter behind a token of their own; a parameter says whether
// it is a string.
#include "core/registry.h"
#include "models/chat/output/marked_calls.h"

namespace strata::models {
namespace {

const Registered<OutputFormat> dsml{std::make_unique<MarkedFormat>(MarkedCalls{
    .name = "dsml",
    .marks = {{"｜DSML｜"}},
    .fit = 40,
    .sections = {{"<｜DSML｜function_calls>", "</｜DSML｜function_calls>"},
                 {"<｜DSML｜tool_calls>", "</｜DSML｜tool_calls>"}},
    .calls = {"<｜DSML｜invoke name=\"{name}\">~{params}~</｜DSML｜invoke>"},
    .params = {"<｜DSML｜parameter name=\"{key}\" string=\"true\">{text}</｜DSML｜parameter>",
               "<｜DSML｜parameter name=\"{key}\" string=\"false\">{typed}</｜DSML｜parameter>"},
})};

}  // namespace
}  // namespace strata::models
