// Envelopes of tokens with full-width bars: the name, then its arguments, with and without a fence.
#include "core/registry.h"
#include "models/chat/output/marked_calls.h"

namespace strata::models {
namespace {

const Registered<OutputFormat> tool_sep_envelope{std::make_unique<MarkedFormat>(MarkedCalls{
    .name = "tool_sep-envelope",
    .marks = {{"<｜tool▁call▁begin｜>"}},
    .fit = 40,
    .sections = {{"<｜tool▁calls▁begin｜>", "<｜tool▁calls▁end｜>"}},
    .calls = {"<｜tool▁call▁begin｜>{name}<｜tool▁sep｜>~{json}~<｜tool▁call▁end｜>",
              "<｜tool▁call▁begin｜>function<｜tool▁sep｜>{name}~```json~{json}~```~<"
              "｜tool▁call▁end｜>"},
})};

}  // namespace
}  // namespace strata::models
