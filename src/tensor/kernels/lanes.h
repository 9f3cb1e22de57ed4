// The sixteen lanes of the instruction set this file is compiled for (tensor/room.cmake).
#pragma once

#if defined(__AVX512F__) || defined(STRATA_LANES_AVX512)
#include "tensor/kernels/lanes_avx512.h"
#elif defined(__AVX2__)
#include "tensor/kernels/lanes_avx2.h"
#elif defined(__ARM_FEATURE_DOTPROD)
#include "tensor/kernels/lanes_neon.h"
#else
#include "tensor/kernels/lanes_generic.h"
#endif
