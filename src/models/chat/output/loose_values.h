// Values that are written almost as JSON, read into JSON from a text that still grows: literals of
// Python, and those of formats with quotes of their own.
#pragma once

#include <string>
#include <string_view>

#include "models/chat/output/json_scan.h"

namespace strata::models {

struct LooseStyle {
  std::string quote = {};  // stands around strings, which have no escapes; "": ' or ", as in Python
  bool bare_keys = false;  // the keys of objects stand without quotes
};

class LooseReader {
 public:
  LooseReader(std::string_view text, size_t at, LooseStyle style)
      : text_(text), at_(at), style_(std::move(style)) {}

  size_t at() const { return at_; }
  Match literal(std::string_view literal);
  Match word(std::string& out);  // letters, digits, _ - . /
  Match value(std::string& json, int depth = 0);
  // KEY separator VALUE, comma between them, up to `close`, which is passed over; as a JSON object.
  Match members(std::string_view separator, std::string_view close, std::string& json,
                int depth = 0);
  void skip_space();

 private:
  Match quoted(std::string& json);
  Match python_string(char quote, std::string& json);
  Match escape(std::string& out);
  Match list(std::string& json, int depth);
  Match scalar(std::string& json);

  std::string_view text_;
  size_t at_;
  LooseStyle style_;
};

}  // namespace strata::models
