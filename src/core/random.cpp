#include "core/random.h"

#include <span>

#include <openssl/rand.h>

#include "core/error.h"
#include "core/hash.h"

namespace strata {

std::vector<unsigned char> random_bytes(size_t n_bytes) {
  std::vector<unsigned char> bytes(n_bytes);
  if (RAND_bytes(bytes.data(), static_cast<int>(bytes.size())) != 1) {
    throw Error(Code::internal, "the system gives no random numbers");
  }
  return bytes;
}

std::string random_hex(size_t n_bytes) {
  const auto bytes = random_bytes(n_bytes);
  return to_hex(std::as_bytes(std::span(bytes)));
}

}  // namespace strata
