// Searches of scales for every processor.
#include "tensor/kernels/search_set.h"

namespace strata::tensor {

const SearchSet& generic_searches() {
  return kSearchSet;
}

}  // namespace strata::tensor
