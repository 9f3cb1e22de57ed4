// <|tools_prefix|>[{"NAME": {…}}]<|tools_suffix|>
#include "core/registry.h"
#include "models/chat/output/marked_calls.h"

namespace strata::models {
namespace {

const Registered<OutputFormat> tools_prefix{std::make_unique<MarkedFormat>(MarkedCalls{
    .name = "tools_prefix",
    .marks = {{"<|tools_prefix|>"}},
    .fit = 40,
    .sections = {{"<|tools_prefix|>", "<|tools_suffix|>"}},
    .calls = {"{keyed}"},
})};

}  // namespace
}  // namespace strata::models
