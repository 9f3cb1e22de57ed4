#include "models/family/family.h"

#include <algorithm>
#include <cmath>
#include <set>
#include <string>

#include "core/error.h"
#include "models/family/weights.h"

namespace strata::models {
namespace {

const Family& find_family(const ModelFile& file) {
  const auto name = file.text("general.architecture");
  if (!name) {
    throw Error(Code::invalid_argument, "metadata key 'general.architecture' is missing",
                "the file is no language model, or damaged");
  }
  std::set<std::string_view> known;
  for (const auto& family : Registry<Family>::all()) {
    for (const std::string_view architecture : family->architectures()) {
      if (architecture == *name) return *family;
      known.insert(architecture);
    }
  }
  std::string list;
  for (const std::string_view architecture : known) {
    list += list.empty() ? "" : ", ";
    list += architecture;
  }
  throw Error(Code::unimplemented,
              fmt::format("models of the architecture '{}' can't be run yet", name->substr(0, 80)),
              "known architectures: " + list);
}

// The spec and the file say the same: shapes fit, nothing in the file is left unused.
void check_tensors(const ModelSpec& spec, const ModelFile& file) {
  std::set<std::string_view> used;
  for (const TensorSlot& slot : spec.tensors) {
    locate_weight(file, slot);
    used.insert(slot.name);
  }
  for (const TensorInfo& tensor : file.tensors()) {
    if (used.contains(tensor.name)) continue;
    throw Error(Code::unimplemented,
                fmt::format("the file has a tensor '{}', which the {} architecture does not use",
                            tensor.name, spec.family),
                "without it the answers would be wrong; choose another file of this model");
  }
}

void check_vocabulary(const ModelSpec& spec, const ModelFile& file) {
  const auto refuse = [&](std::string_view what, uint64_t count) {
    if (count == static_cast<uint64_t>(spec.n_vocab)) return;
    throw Error(Code::invalid_argument,
                fmt::format("the embedding has {} rows, {} has {}", spec.n_vocab, what, count),
                "the vocabulary and the weights belong to different models");
  };
  const std::string key = std::string(*file.text("general.architecture")) + ".vocab_size";
  if (const auto size = file.integer(key)) refuse(key, static_cast<uint64_t>(*size));
  if (const auto* tokens = file.find("tokenizer.ggml.tokens")) refuse(tokens->key, tokens->count);
}

// RoPE divides by these.
void check_divisors(const ModelSpec& spec, const ModelFile& file) {
  for (const TensorSlot& slot : spec.tensors) {
    if (!slot.name.starts_with("rope_f")) continue;
    for (const float divisor : dequantize(find_weight(file, slot))) {
      if (std::isfinite(divisor) && divisor > 0) continue;
      throw Error(Code::invalid_argument,
                  fmt::format("tensor '{}' holds {}, not a positive number", slot.name, divisor));
    }
  }
}

}  // namespace

ModelSpec describe_model(const ModelFile& file) {
  ModelSpec spec = find_family(file).describe(file);
  check_tensors(spec, file);
  check_vocabulary(spec, file);
  check_divisors(spec, file);
  return spec;
}

}  // namespace strata::models
