// <|open|>call tool="NAME" …<|sep|>, arguments with their types, <|close|>call<|sep|>
#include "core/registry.h"
#include "models/chat/output/marked_calls.h"

namespace strata::models {
namespace {

const Registered<OutputFormat> open_sep_close{std::make_unique<MarkedFormat>(MarkedCalls{
    .name = "open_sep_close",
    .marks = {{"<|open|>"}},
    .fit = 40,
    .sections = {{"<|open|>tools<|sep|>", "<|close|>tools<|sep|>"}},
    .calls = {"<|open|>call tool=\"{name}\" index=\"{skip}\"<|sep|>~{params}~<|close|>call<|sep|>"},
    .params =
        {"<|open|>argument key=\"{key}\" type=\"string\"<|sep|>{text}<|close|>argument<|sep|>",
         "<|open|>argument key=\"{key}\" type=\"number\"<|sep|>{typed}<|close|>argument<|sep|>",
         "<|open|>argument key=\"{key}\" type=\"integer\"<|sep|>{typed}<|close|>argument<|sep|>",
         "<|open|>argument key=\"{key}\" type=\"boolean\"<|sep|>{typed}<|close|>argument<|sep|>",
         "<|open|>argument key=\"{key}\" type=\"object\"<|sep|>{typed}<|close|>argument<|sep|>",
         "<|open|>argument key=\"{key}\" type=\"array\"<|sep|>{typed}<|close|>argument<|sep|>",
         "<|open|>argument key=\"{key}\" type=\"null\"<|sep|>{typed}<|close|>argument<|sep|>"},
})};

}  // namespace
}  // namespace strata::models
