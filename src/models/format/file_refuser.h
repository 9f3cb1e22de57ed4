// Errors of a reader of one file: each names the file.
#pragma once

#include <string>
#include <string_view>
#include <utility>

#include "core/error.h"

namespace strata::models {

class FileRefuser {
 public:
  explicit FileRefuser(std::string_view file) : file_(file) {}

  // What breaks the format.
  template <typename... Args>
  [[noreturn]] void operator()(fmt::format_string<Args...> format, Args&&... args) const {
    fail(Code::invalid_argument, fmt::format(format, std::forward<Args>(args)...),
         "the file is damaged or was written wrongly: fetch it again");
  }
  // What the format allows and we do not read.
  template <typename... Args>
  [[noreturn]] void unsupported(std::string_view hint, fmt::format_string<Args...> format,
                                Args&&... args) const {
    fail(Code::unimplemented, fmt::format(format, std::forward<Args>(args)...), hint);
  }
  std::string_view file() const { return file_; }

 private:
  [[noreturn]] void fail(Code code, std::string_view what, std::string_view hint) const {
    throw Error(code, fmt::format("{}: {}", file_, what), std::string(hint));
  }

  std::string_view file_;
};

// What a reader's helpers refuse without knowing the file (ByteReader, checked arithmetic) names
// it, too.
template <typename Read>
auto naming_file(std::string_view file, Read read) {
  try {
    return read();
  } catch (const Error& error) {
    if (error.message().starts_with(file)) throw;
    FileRefuser{file}("{}", error.message());
  }
}

}  // namespace strata::models
