// What the routes name and hostile_test leaves out (cmake/hostile_only.cmake): functions that
// compute, which no broken request may reach. One that does gets an error, and its test fails.
#include "core/error.h"
#include "inference/memory.h"
#include "modify/quantize_stored.h"
#include "tensor/bandwidth.h"
#include "tensor/ops.h"

namespace strata {
namespace {

[[noreturn]] void left_out(const char* what) {
  throw Error(Code::internal, fmt::format("{} is left out of this program", what));
}

}  // namespace

const tensor::KernelSet& tensor::kernels() {
  left_out("tensor::kernels");
}

double tensor::read_bandwidth(Team&, int64_t) {
  left_out("tensor::read_bandwidth");
}

inference::MemoryNeed inference::foretell_memory(const models::ModelSpec&, const models::ModelFile&,
                                                 int64_t, tensor::KvFormat) {
  left_out("inference::foretell_memory");
}

models::Manifest modify::quantize_stored(const models::Store&, std::string_view, const Mix&,
                                         std::string_view, const QuantizeStoredOptions&) {
  left_out("modify::quantize_stored");
}

models::Manifest modify::quantize_files(const models::Store&, models::Manifest, const Mix&,
                                        const QuantizeStoredOptions&) {
  left_out("modify::quantize_files");
}

void modify::refuse_name_in_use(const models::Store&, std::string_view) {
  left_out("modify::refuse_name_in_use");
}

}  // namespace strata
