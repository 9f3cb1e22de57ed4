#include "models/quantized/grouped_weight.h"

namespace strata::models {

GroupedWeight grouped_weight(const Stored& stored, const std::string& base, const SafeTensor& codes,
                             uint64_t rows, uint64_t cols, int64_t group_size,
                             uint64_t zero_words) {
  const uint64_t group_cols = group_size > 0 ? static_cast<uint64_t>(group_size) : cols;
  if (cols % group_cols != 0) {
    stored.refuse(codes, "has {} inputs, which groups of {} (group_size) do not divide", cols,
                  group_cols);
  }
  const uint64_t n_groups = cols / group_cols;
  const SafeTensor& scales = stored.need(base + ".scales", codes);
  const SafeTensor& zeros = stored.need(base + ".qzeros", codes);
  stored.expect_type(scales, {SafeType::f16, SafeType::bf16, SafeType::f32});
  stored.expect_type(zeros, {SafeType::i32});
  stored.expect_shape(scales, {n_groups, rows}, "groups and outputs");
  stored.expect_shape(zeros, {n_groups, zero_words}, "groups and packed outputs");
  GroupedWeight out{.weight = {}, .scales = &scales, .zeros = &zeros};
  out.weight.rows = rows;
  out.weight.cols = cols;
  out.weight.group_cols = group_cols;
  out.weight.n_groups = n_groups;
  out.weight.scale = [&scales, rows](uint64_t row, uint64_t group) {
    return number_at(scales, group * rows + row);
  };
  out.weight.scales_are_f16 = scales.type == SafeType::f16;
  out.weight.scales = stored.named(scales);
  return out;
}

}  // namespace strata::models
