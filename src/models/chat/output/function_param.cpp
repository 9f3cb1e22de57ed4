// <function name="NAME"><param name="KEY">VALUE</param></function>, values that need it as CDATA.
#include "core/registry.h"
#include "models/chat/output/marked_calls.h"

namespace strata::models {
namespace {

const Registered<OutputFormat> function_param{std::make_unique<MarkedFormat>(MarkedCalls{
    .name = "function-param",
    .marks = {{"<function name=\"", "<param name=\""}},
    .fit = 20,
    .calls = {"<function name=\"{name}\">~{params}~</function>"},
    .params = {"<param name=\"{key}\"><![CDATA[{value}]]></param>",
               "<param name=\"{key}\">{value}</param>"},
})};

}  // namespace
}  // namespace strata::models
