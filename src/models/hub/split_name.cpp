#include "models/hub/split_name.h"

#include <charconv>

#include <fmt/core.h>

namespace strata::models {
namespace {

constexpr std::string_view kExtension = ".gguf";
constexpr std::string_view kOf = "-of-";
constexpr size_t kDigits = 5;

std::optional<int> five_digits(std::string_view text) {
  int value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || value < 1) return std::nullopt;
  return value;
}

}  // namespace

std::string SplitName::file(int number) const {
  return fmt::format("{}-{:05}-of-{:05}.gguf", stem, number, parts);
}

std::optional<SplitName> parse_split_name(std::string_view name) {
  constexpr size_t kTail = 1 + kDigits + kOf.size() + kDigits;
  if (!name.ends_with(kExtension)) return std::nullopt;
  name.remove_suffix(kExtension.size());
  if (name.size() <= kTail) return std::nullopt;
  const std::string_view tail = name.substr(name.size() - kTail);
  if (tail[0] != '-' || tail.substr(1 + kDigits, kOf.size()) != kOf) return std::nullopt;
  const auto part = five_digits(tail.substr(1, kDigits));
  const auto parts = five_digits(tail.substr(1 + kDigits + kOf.size()));
  if (!part || !parts || *part > *parts) return std::nullopt;
  return SplitName{std::string(name.substr(0, name.size() - kTail)), *part, *parts};
}

}  // namespace strata::models
