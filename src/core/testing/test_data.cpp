#include "core/testing/test_data.h"

#include <cstdlib>

#include "core/error.h"

namespace strata::testing {
namespace {

std::filesystem::path root() {
  const char* set = std::getenv("STRATA_TEST_DATA");
  if (set != nullptr && *set != '\0') return set;
  const char* home = std::getenv("HOME");
  return std::filesystem::path(home != nullptr ? home : "/root") / ".cache/strata/test-data";
}

[[noreturn]] void refuse(const std::filesystem::path& path) {
  throw Error(Code::not_found, fmt::format("test data {} is missing", path.string()),
              "run: python3 tests/oracle/fetch");
}

}  // namespace

std::filesystem::path test_data(std::string_view name) {
  const std::filesystem::path path = root() / name;
  if (!std::filesystem::exists(path)) refuse(path);
  return path;
}

std::optional<std::filesystem::path> find_test_data(std::string_view name) {
  const std::filesystem::path path = root() / name;
  if (std::filesystem::exists(path)) return path;
  if (!std::filesystem::exists(path.parent_path())) refuse(path.parent_path());
  return std::nullopt;
}

}  // namespace strata::testing
