#include "models/chat/template_variables.h"

#include "core/error.h"
#include "models/chat/jinja/lexer.h"

namespace strata::models {

std::set<std::string> names_of_template(std::string_view source) {
  std::set<std::string> names;
  try {
    bool attribute = false;
    for (jinja::Token& token : jinja::tokenize(source)) {
      if (token.type == jinja::TokenType::name && !attribute) names.insert(std::move(token.text));
      attribute = token.type == jinja::TokenType::sign && token.text == ".";
    }
  } catch (const Error&) {
    return {};
  }
  return names;
}

}  // namespace strata::models
