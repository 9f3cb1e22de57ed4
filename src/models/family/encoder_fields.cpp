#include "models/family/encoder_fields.h"

#include "core/error.h"

namespace strata::models {

void refuse_class(const std::string& why) {
  throw Error(Code::unimplemented, why);
}

void encoder_fields(const ModelSpec& spec, HfFields& fields) {
  for (const Layer& layer : spec.layers) {
    for (const Block& block : layer.blocks) {
      const auto* attention = std::get_if<Attention>(&block.op);
      if (attention == nullptr) continue;
      const int64_t width = int64_t{attention->n_heads} * attention->head_dim;
      if (width != spec.n_embd || attention->n_kv_heads != attention->n_heads) {
        refuse_class(fmt::format("{} heads of {} with {} of keys do not fill its width of {}",
                                 attention->n_heads, attention->head_dim, attention->n_kv_heads,
                                 spec.n_embd));
      }
    }
  }
  fields.said["type_vocab_size"] = spec.n_types;
}

}  // namespace strata::models
