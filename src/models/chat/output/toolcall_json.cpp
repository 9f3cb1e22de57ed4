// <TOOLCALL>[{"name": …, "arguments": {…}}]</TOOLCALL>
#include "core/registry.h"
#include "models/chat/output/marked_calls.h"

namespace strata::models {
namespace {

const Registered<OutputFormat> toolcall_json{std::make_unique<MarkedFormat>(MarkedCalls{
    .name = "toolcall-json",
    .marks = {{"<TOOLCALL>"}},
    .fit = 15,
    .sections = {{"<TOOLCALL>", "</TOOLCALL>"}},
    .calls = {"{calls}"},
})};

}  // namespace
}  // namespace strata::models
