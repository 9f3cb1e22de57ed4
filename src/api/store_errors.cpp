#include "api/store_errors.h"

#include <algorithm>
#include <string>
#include <string_view>

#include "core/log.h"

namespace strata::api {
namespace {

// What follows the root of a path in a message: names of the store have no blanks and no quotes.
constexpr std::string_view kPathEnds = " \t\n'\"`,;:()[]<>";

std::string without_paths(std::string text, const std::string& root) {
  for (size_t at = 0; (at = text.find(root, at)) != std::string::npos;) {
    const size_t behind = at + root.size();
    const bool below = behind < text.size() && text[behind] == '/';
    const size_t end =
        below ? std::min(text.find_first_of(kPathEnds, behind), text.size()) : behind;
    const std::string_view words = below ? "a file of the store" : "the store";
    text.replace(at, end - at, words);
    at += words.size();
  }
  return text;
}

}  // namespace

Error without_paths(const Error& error, const std::filesystem::path& root) {
  std::string folder = root.string();
  while (folder.ends_with('/')) folder.pop_back();
  if (folder.empty()) return error;
  return Error(error.code(), without_paths(error.message(), folder),
               without_paths(error.hint(), folder));
}

Error unreadable_model(const Error& error, const models::Manifest& manifest,
                       const std::filesystem::path& root) {
  log_warn("{}: {}", manifest.name, error.what());
  const Error told = without_paths(error, root);
  const bool spoilt = told.code() == Code::invalid_argument;
  return Error(spoilt ? Code::data_loss : told.code(),
               fmt::format("{} cannot be opened: {}", manifest.name, told.message()),
               spoilt ? "pull or create it again" : told.hint());
}

}  // namespace strata::api
