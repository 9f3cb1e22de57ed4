// functools[{"name": …, "arguments": {…}}]
#include "core/registry.h"
#include "models/chat/output/marked_calls.h"

namespace strata::models {
namespace {

const Registered<OutputFormat> functools{std::make_unique<MarkedFormat>(MarkedCalls{
    .name = "functools",
    .marks = {{"functools["}},
    .fit = 40,
    .sections = {{"functools", ""}},
    .calls = {"{calls}"},
})};

}  // namespace
}  // namespace strata::models
