// What an answer's text has to match, as a caller says it; what it compiles to and how it chooses
// tokens stands in the other files of this folder.
#pragma once

#include <string>
#include <vector>

#include "core/json.h"
#include "inference/constraint/members.h"
#include "models/chat/output/output_format.h"

namespace strata::inference {

struct OutputRule {
  enum class Kind {
    none,
    json_object,  // any JSON object
    json_schema,  // `schema`, JSON Schema 2020-12
    regex,        // `text`, matched whole
    gbnf,         // `text`, llama.cpp's grammars; the rule root
    lark,         // `text`, Lark's grammars; the rule start
    choice        // one of `choices`
  };
  Kind kind = Kind::none;
  json::value schema = {};
  Members members = Members::any;  // of its schema, or of the schemas in a grammar of Lark's
  std::string text = {};
  std::vector<std::string> choices = {};
};

// What stands behind `begin` in an otherwise free text follows a rule; behind that the text is free
// again, until the next one. `begin` is matched in the spelling of control tokens, too.
struct OutputTrigger {
  std::string begin;
  OutputRule rule;
  // `begin` is a grammar of Lark's: a text that starts so, behind nothing but a reasoning, follows
  // the rule from its first byte on.
  bool bare = false;
  bool last = false;  // nothing stands behind what follows the rule
};

// What stands around the text that a rule is of.
struct OutputFrame {
  models::AnswerFront front = {};
  bool calls_only = false;  // the answer is what triggers begin, and nothing else
};

}  // namespace strata::inference
