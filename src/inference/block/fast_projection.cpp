#include "inference/block/fast_projection.h"

#include <array>

namespace strata::inference {

FastProjection::FastProjection(const models::Projection& projection, Packer& packer, Step& step)
    : out_(packer.linear(std::array{projection.out})), input_(step.inputs.add(out_.matrix)) {}

void FastProjection::take_input(const PackedNorm& norm, const float* stream, Step& step,
                                int64_t row) const {
  norm.apply_into(stream, step.inputs.at(input_), row);
}

void FastProjection::run(Step& step, int thread) const {
  tensor::matmul_share(out_.matrix, step.inputs.at(input_), step.n_rows(), step.delta.data(),
                       out_.matrix.rows(), thread, step.team.size());
}

}  // namespace strata::inference
