// SHA-256, over a stream or at once, and its text form.
#pragma once

#include <array>
#include <cstddef>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <string_view>

namespace strata {

class Sha256 {
 public:
  Sha256();
  ~Sha256();
  Sha256(Sha256&&) noexcept;
  Sha256& operator=(Sha256&&) noexcept;

  void update(std::span<const std::byte> bytes);
  void update(std::string_view text);
  // 64 lower-case hex digits of everything so far; the object goes on and may be updated further.
  std::string hex() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

std::string sha256_hex(std::string_view text);
std::string sha256_file(const std::filesystem::path& path);  // errors: those of File::open
bool is_sha256_hex(std::string_view text);                   // exactly 64 of 0-9 a-f

std::string to_hex(std::span<const std::byte> bytes);

}  // namespace strata
