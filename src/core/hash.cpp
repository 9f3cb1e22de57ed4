#include "core/hash.h"

#include <algorithm>
#include <vector>

#include <openssl/evp.h>

#include "core/check.h"
#include "core/os.h"

namespace strata {

struct Sha256::State {
  EVP_MD_CTX* context = EVP_MD_CTX_new();
  State() { CHECK(context != nullptr && EVP_DigestInit_ex(context, EVP_sha256(), nullptr) == 1); }
  State(const State&) = delete;
  State& operator=(const State&) = delete;
  ~State() { EVP_MD_CTX_free(context); }
};

Sha256::Sha256() : state_(std::make_unique<State>()) {}
Sha256::~Sha256() = default;
Sha256::Sha256(Sha256&&) noexcept = default;
Sha256& Sha256::operator=(Sha256&&) noexcept = default;

void Sha256::update(std::span<const std::byte> bytes) {
  CHECK(EVP_DigestUpdate(state_->context, bytes.data(), bytes.size()) == 1);
}

void Sha256::update(std::string_view text) {
  update(std::as_bytes(std::span(text)));
}

std::string Sha256::hex() const {
  State copy;
  std::array<std::byte, EVP_MAX_MD_SIZE> digest{};
  unsigned size = 0;
  CHECK(EVP_MD_CTX_copy_ex(copy.context, state_->context) == 1);
  CHECK(EVP_DigestFinal_ex(copy.context, reinterpret_cast<unsigned char*>(digest.data()), &size) ==
        1);
  return to_hex(std::span(digest).first(size));
}

std::string sha256_hex(std::string_view text) {
  Sha256 hash;
  hash.update(text);
  return hash.hex();
}

std::string sha256_file(const std::filesystem::path& path) {
  File file = File::open(path, File::Mode::read);
  Sha256 hash;
  std::vector<std::byte> buffer(1u << 20);
  while (const size_t got = file.read(buffer)) hash.update(std::span(buffer).first(got));
  return hash.hex();
}

bool is_sha256_hex(std::string_view text) {
  return text.size() == 64 && std::ranges::all_of(text, [](char c) {
           return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
         });
}

std::string to_hex(std::span<const std::byte> bytes) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string out;
  for (const std::byte b : bytes) {
    out += kDigits[std::to_integer<size_t>(b) >> 4];
    out += kDigits[std::to_integer<size_t>(b) & 15];
  }
  return out;
}

}  // namespace strata
