// Assembles the table of a fast kernel set from the templates.
#pragma once

#include "tensor/kernels/attention.h"
#include "tensor/kernels/bf16.h"
#include "tensor/kernels/float_gemm.h"
#include "tensor/kernels/planes.h"
#include "tensor/kernels/row_blocks.h"
#include "tensor/kernels/sequence_attention.h"

namespace strata::tensor {
namespace {

template <Layout kLayout>
void add_layout(KernelSet& set) {
  set.stream[static_cast<int>(kLayout)] = stream<kLayout>;
  set.gemm[static_cast<int>(kLayout)] = gemm<kLayout>;
  set.stream_columns[static_cast<int>(kLayout)] = stream_limit(kLayout);
}

template <int kSpread>
void add_bf16(KernelSet& set) {
  constexpr auto kIndex = static_cast<int>(Layout::wbf);
  set.stream[kIndex] = matmul_bf16;
  set.gemm[kIndex] = matmul_bf16;
  set.stream_columns[kIndex] = 1 << 30;
  if constexpr (kSpread > 0) {
    set.gemm[kIndex] = gemm_bf16_spread<kSpread>;
    set.stream_columns[kIndex] = 1;
  }
}

void add_floats(KernelSet& set) {
  constexpr auto kIndex = static_cast<int>(Layout::wf32);
  set.stream[kIndex] = matmul_floats;
  set.gemm[kIndex] = matmul_floats;
  set.stream_columns[kIndex] = 1 << 30;
}

KernelSet make_fast_set(const char* name) {
  KernelSet set{};
  set.name = name;
  set.by_words = kByWords;
  add_layout<Layout::w4s>(set);
  add_layout<Layout::w4t>(set);
  add_layout<Layout::w4m>(set);
  add_layout<Layout::w5s>(set);
  add_layout<Layout::w5m>(set);
  add_layout<Layout::w8s>(set);
  add_layout<Layout::w4k>(set);
  add_layout<Layout::w5k>(set);
  add_layout<Layout::w6k>(set);
  add_layout<Layout::w8p>(set);
  add_layout<Layout::w5h>(set);
  add_bf16<kSpreadColumns>(set);
  add_floats(set);
  set.attention = attention;
  set.sequence_attention = sequence_attention;
  set.screen = screen;
  set.screen_columns = kScreenPays;
  add_row_operations(set);
  return set;
}

}  // namespace
}  // namespace strata::tensor
