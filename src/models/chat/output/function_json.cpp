// <function=NAME>{…}</function>
#include "core/registry.h"
#include "models/chat/output/marked_calls.h"

namespace strata::models {
namespace {

const Registered<OutputFormat> function_json{std::make_unique<MarkedFormat>(MarkedCalls{
    .name = "function-json",
    .marks = {{"<function=", "</function>"}},
    .fit = 20,
    .calls = {"<function={name}>~{json}~</function>"},
})};

}  // namespace
}  // namespace strata::models
