// Searches of scales for AVX2.
#include "tensor/kernels/search_set.h"

namespace strata::tensor {

const SearchSet& avx2_searches() {
  return kSearchSet;
}

}  // namespace strata::tensor
