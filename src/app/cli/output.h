// What a command prints: data on stdout, everything else on stderr.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <fmt/core.h>

#include "core/error.h"
#include "core/json.h"

namespace strata::app {

// Whoever read stdout from a pipe has closed it ("| head"): no mistake, and nobody to tell.
class ReaderGone : public Error {
 public:
  ReaderGone() : Error(Code::cancelled, "stdout was closed before everything was written") {}
};
constexpr int kReaderGone = 141;  // exit code, that of a process which SIGPIPE ends

// Writes to stdout; ReaderGone, or Error{cancelled} where it can't be written otherwise.
void print(std::string_view text);
void print_json(const json::value& value);  // indented, with a newline
void complain(std::string_view line);       // one line on stderr

// Columns padded to their widest cell, three spaces apart, header first.
void print_table(const std::vector<std::string>& header,
                 const std::vector<std::vector<std::string>>& rows);

std::string human_age(int64_t seconds);  // "3 weeks ago", "in 4 minutes" when negative

bool stdout_is_terminal();
bool stdin_is_terminal();

}  // namespace strata::app
