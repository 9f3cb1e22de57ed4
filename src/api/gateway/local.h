// The local backend: our own engine, on models of the store, in this process.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>

#include "api/gateway/backend.h"
#include "tensor/kv_page.h"

namespace strata::api {

struct LocalOptions {
  std::filesystem::path store;      // empty: the user's
  int32_t n_threads = 0;            // 0: the cores this process may use
  int32_t context = 0;              // positions; 0: the model's own, at most kMaxDefaultContext
  int64_t keep_alive_ms = 300'000;  // idle models stay so long; -1: for ever
  int32_t max_models = 3;           // in memory at once
  int32_t max_parallel = 32;        // requests that a model works on at once
  int32_t max_queue = 512;          // requests that wait for a model
  bool float32 = false;             // the plain executor
  int64_t cache_disk_bytes = 0;     // for beginnings that unloaded models computed; 0: none
  int64_t cache_packed_bytes = 0;   // on disk, for packed weights; 0: none
  ContextPolicy context_policy = ContextPolicy::error;  // where neither request nor model says
  tensor::KvFormat kv = tensor::KvFormat::bf16;         // of keys and values
  // Milliseconds of a clock that never goes back, for keep_alive; empty: the system's.
  std::function<int64_t()> now_ms{};
  // Bytes of memory that a model may be given; empty: what the system has.
  std::function<int64_t()> free_bytes{};
  int64_t machine_bytes = 0;  // of memory, with nothing in it; 0: what the system says
};

constexpr int32_t kMaxDefaultContext = 8192;

std::unique_ptr<Backend> make_local_backend(LocalOptions options);

}  // namespace strata::api
