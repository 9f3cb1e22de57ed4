// For tests: the local backend over a store of tiny models, on one thread.
#pragma once

#include <memory>
#include <utility>

#include "api/gateway/local.h"
#include "api/testing/tiny_store.h"

namespace strata::api::testing {

inline std::unique_ptr<Backend> tiny_backend(const TinyStore& store, int32_t max_parallel = 2,
                                             int32_t max_queue = 8, int32_t context = 0) {
  LocalOptions options;
  options.store = store.path();
  options.n_threads = 1;
  options.context = context;
  options.max_parallel = max_parallel;
  options.max_queue = max_queue;
  options.float32 = true;
  return make_local_backend(std::move(options));
}

}  // namespace strata::api::testing
