// The object of a call as the whole answer, or behind <|python_tag|>.
#include "core/registry.h"
#include "models/chat/output/marked_calls.h"

namespace strata::models {
namespace {

const Registered<OutputFormat> python_tag{std::make_unique<MarkedFormat>(MarkedCalls{
    .name = "python_tag",
    .marks = {{"<|python_tag|>"}, {"\"parameters\": dictionary of argument name"}},
    .fit = 8,
    .calls = {"<|python_tag|>~{call}", "{call}"},
    .keys = {.name = "name", .arguments = "parameters", .typed = true},
    .separators = {";", ","},
    .bare = true,
})};

}  // namespace
}  // namespace strata::models
