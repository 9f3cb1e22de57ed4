// stream and gemm in the form for this instruction set's registers.
#pragma once

#include "tensor/kernels/lanes.h"

#if defined(STRATA_FEW_REGISTERS)
#include "tensor/kernels/by_register.h"
#else
#include "tensor/kernels/gemm.h"
#include "tensor/kernels/stream.h"
#endif
