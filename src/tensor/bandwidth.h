// How fast this machine reads memory: the limit of decoding, which reads all weights a token.
#pragma once

#include <cstdint>

#include "core/threads.h"

namespace strata::tensor {

// Bytes per second when every thread of the team reads its part of `bytes` bytes (at least 1 MiB),
// the best of a few passes. Takes that memory for the moment.
double read_bandwidth(Team& team, int64_t bytes);

}  // namespace strata::tensor
