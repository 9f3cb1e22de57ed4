// Values as text: str(), repr() and JSON.
#pragma once

#include "models/chat/jinja/value.h"

namespace strata::models::jinja {

TextPtr to_text(Meter& meter, const Value& value);  // str(value)
void append_text(TextBuilder& out, Meter& meter, const Value& value);
void append_repr(TextBuilder& out, Meter& meter, const Value& value, size_t depth = 0);
std::string float_text(double value);  // repr(float)

struct JsonFormat {
  bool ascii_only = false;
  bool sort_keys = false;
  bool lines = false;      // an item a line
  std::string indent;      // of one level
  TextPtr item_separator;  // never null
  TextPtr key_separator;
};
void append_json(TextBuilder& out, Meter& meter, const Value& value, const JsonFormat& format);

}  // namespace strata::models::jinja
