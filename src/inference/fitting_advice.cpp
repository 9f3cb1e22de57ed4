#include "inference/fitting_advice.h"

#include <algorithm>
#include <array>

#include <fmt/core.h>

#include "inference/memory.h"

namespace strata::inference {
namespace {

using tensor::KvFormat;

constexpr std::array kTypes{FittingType{"Q8_0", 8.5}, FittingType{"Q6_K", 6.56},
                            FittingType{"Q5_K_M", 5.7}, FittingType{"Q4_K_M", 4.85},
                            FittingType{"Q4_K_S", 4.6}};

int64_t n_weights(const models::ModelFile& file) {
  int64_t n = 0;
  for (const auto& tensor : file.tensors()) n += static_cast<int64_t>(tensor.n_weights());
  return n;
}

int64_t megabytes(int64_t bytes) {
  return bytes / 1'000'000;
}

class Fitter {
 public:
  Fitter(const models::ModelSpec& spec, const models::ModelFile& file, int64_t free_bytes)
      : spec_(spec),
        need_(foretell_memory(spec, file, 0, KvFormat::bf16)),
        n_weights_(n_weights(file)),
        free_bytes_(free_bytes) {}

  // The most positions, up to the model's context; 0: less than kLeastContext.
  int64_t positions(KvFormat kv) const {
    int64_t fits = 0, too_many = int64_t{spec_.n_context} + 1;
    while (too_many - fits > 1) {
      const int64_t tried = fits + (too_many - fits) / 2;
      (is_enough(tried, kv) ? fits : too_many) = tried;
    }
    return fits >= least() ? fits : 0;
  }

  // With weights of so many bits.
  int64_t bytes_with(const FittingType& type, KvFormat kv) const {
    return weights_with(type) + 2 * kv_bytes_of(spec_, least(), kv) + need_.work_bytes;
  }
  bool is_smaller(const FittingType& type) const {
    return weights_with(type) < need_.weight_bytes - need_.weight_bytes / 20;
  }

 private:
  int64_t least() const { return std::min<int64_t>(kLeastContext, spec_.n_context); }
  bool is_enough(int64_t positions, KvFormat kv) const {
    const int64_t kept = kv_bytes_per_position(spec_, kv) * positions;
    return need_.total() + kv_bytes_of(spec_, positions, kv) <= free_bytes_ &&
           need_.weight_bytes + 2 * kept <= free_bytes_;
  }
  int64_t weights_with(const FittingType& type) const {
    return static_cast<int64_t>(static_cast<double>(n_weights_) * type.bits / 8);
  }

  const models::ModelSpec& spec_;
  MemoryNeed need_;  // without keys and values
  int64_t n_weights_;
  int64_t free_bytes_;
};

void choose_kv(const Fitter& fitter, const models::ModelSpec& spec, int64_t context, KvFormat asked,
               FittingAdvice& advice) {
  for (const KvFormat kv : {KvFormat::int8, KvFormat::int4}) {
    if (kv_bytes_per_position(spec, kv) >= kv_bytes_per_position(spec, asked)) continue;
    const int64_t positions = fitter.positions(kv);
    if (positions <= std::max(advice.context, advice.kv_context)) continue;
    advice.kv = kv;
    advice.kv_context = positions;
    if (positions >= context) return;  // what has more bits loses less
  }
}

void choose_type(const Fitter& fitter, int64_t free_bytes, KvFormat kv, FittingAdvice& advice) {
  for (const FittingType& type : kTypes) {
    if (!fitter.is_smaller(type)) continue;
    const int64_t bytes = fitter.bytes_with(type, kv);
    if (bytes <= free_bytes) {
      advice.type = type.name;
      advice.type_bytes = bytes;
      return;
    }
    advice.smallest = type.name;
    advice.smallest_bytes = bytes;
  }
}

}  // namespace

std::span<const FittingType> fitting_types() {
  return kTypes;
}

FittingAdvice advise_fitting(const models::ModelSpec& spec, const models::ModelFile& file,
                             int64_t context, int64_t free_bytes, KvFormat kv) {
  const Fitter fitter(spec, file, free_bytes);
  FittingAdvice advice;
  advice.context = fitter.positions(kv);
  choose_kv(fitter, spec, context, kv, advice);
  if (advice.context == 0 && advice.kv_context == 0) choose_type(fitter, free_bytes, kv, advice);
  return advice;
}

std::string to_text(const FittingAdvice& advice) {
  std::string text;
  if (advice.context > 0) {
    text = fmt::format("a context of {} fits (--context, num_ctx)", advice.context);
  }
  if (advice.kv_context > 0) {
    text += fmt::format("{} with keys and values as {} (engine.kv, serve --kv)",
                        text.empty() ? fmt::format("a context of {} fits", advice.kv_context)
                                     : fmt::format(", {}", advice.kv_context),
                        tensor::kv_format_name(advice.kv));
  }
  if (!advice.type.empty()) {
    text = fmt::format(
        "as {} with a context of {} it needs about {} MB (strata quantize, or strata pull … "
        "--quant {})",
        advice.type, kLeastContext, megabytes(advice.type_bytes), advice.type);
  } else if (!advice.smallest.empty()) {
    text = fmt::format("even as {} it needs about {} MB", advice.smallest,
                       megabytes(advice.smallest_bytes));
  }
  return text.empty() ? "take a smaller model" : text + "; or take a smaller model";
}

}  // namespace strata::inference
