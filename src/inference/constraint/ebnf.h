// Grammars of rules, as GBNF and Lark write them, and as expressions.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "inference/constraint/expression.h"
#include "inference/constraint/members.h"

namespace strata::inference {

struct EbnfNode {
  enum class Kind { text, rule, sequence, choice, repeat } kind = Kind::text;
  ExprId text = Expressions::kEmpty;  // text: any expression
  std::string rule = {};
  std::vector<EbnfNode> parts = {};  // of repeat: one
  int32_t least = 0, most = -1;
};

EbnfNode ebnf_text(ExprId text);
EbnfNode ebnf_rule(std::string name);
EbnfNode ebnf_list(EbnfNode::Kind kind, std::vector<EbnfNode> parts);
EbnfNode ebnf_repeat(EbnfNode part, int32_t least, int32_t most);

struct Ebnf {
  std::map<std::string, EbnfNode> rules;
  std::string start;
};

// Rules may begin with themselves, if not behind something that may be empty.
// Errors: invalid_argument (a rule is missing, or has no text).
ExprId compile_ebnf(Expressions& x, const Ebnf& grammar);

// llama.cpp's grammars: the rule `root`. Errors: invalid_argument, with the line.
ExprId compile_gbnf(Expressions& x, std::string_view text);
// Lark's grammars: the rule `start`. Errors: invalid_argument, with the line.
ExprId compile_lark(Expressions& x, std::string_view text, Members members = Members::any);

// The token that is spelled <name>, be it text or a control token.
ExprId special_token(Expressions& x, std::string_view spelled);
// A text with such tokens in it: any of them begins where it does, or at one of < [ ].
ExprId marker_text(Expressions& x, std::string_view text);

}  // namespace strata::inference
