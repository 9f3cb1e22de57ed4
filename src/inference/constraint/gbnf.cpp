#include "core/ascii.h"
#include "core/error.h"
#include "inference/constraint/code_points.h"
#include "inference/constraint/ebnf.h"
#include "inference/constraint/ebnf_reader.h"
#include "inference/constraint/limits.h"

namespace strata::inference {
namespace {

using Kind = EbnfNode::Kind;

class GbnfParser {
 public:
  GbnfParser(Expressions& x, std::string_view text) : x_(x), in_(text, "GBNF") {}

  Ebnf parse() {
    Ebnf grammar;
    grammar.start = "root";
    for (blanks(true); in_.more(); blanks(true)) {
      const std::string name = in_.name("-_");
      blanks(false);
      if (!in_.take("::=")) in_.refuse("::= has to follow a rule's name");
      blanks(true);
      if (!grammar.rules.emplace(name, choice(false)).second) {
        in_.refuse(fmt::format("the rule {} is there twice", name));
      }
      if (in_.more() && in_.peek() != '\n' && in_.peek() != '\r') {
        in_.refuse(fmt::format("what begins with {} cannot be read", in_.peek()));
      }
    }
    return grammar;
  }

 private:
  void blanks(bool lines) {
    while (in_.more()) {
      const char c = in_.peek();
      if (c == '#') {
        while (in_.more() && in_.peek() != '\n') in_.skip(1);
      } else if (c == ' ' || c == '\t' || (lines && (c == '\n' || c == '\r'))) {
        in_.skip(1);
      } else {
        return;
      }
    }
  }

  EbnfNode choice(bool nested) {
    if (++depth_ > kMaxRuleDepth) in_.refuse("too many brackets in brackets");
    std::vector<EbnfNode> parts{sequence(nested)};
    while (in_.take("|")) {
      blanks(true);
      parts.push_back(sequence(nested));
    }
    --depth_;
    return ebnf_list(Kind::choice, std::move(parts));
  }

  EbnfNode sequence(bool nested) {
    std::vector<EbnfNode> parts;
    for (blanks(nested); begins_item(); blanks(nested)) parts.push_back(repeated(nested));
    return ebnf_list(Kind::sequence, std::move(parts));
  }

  bool begins_item() const {
    const char c = in_.peek();
    return c == '"' || c == '[' || c == '(' || c == '.' || c == '<' || c == '!' || c == '_' ||
           is_ascii_alnum(c);
  }

  EbnfNode repeated(bool nested) {
    EbnfNode node = item();
    blanks(nested);
    const auto times = in_.repetition();
    if (!times) return node;
    blanks(nested);
    if (in_.repetition()) in_.refuse("a repetition of a repetition");
    return ebnf_repeat(std::move(node), times->first, times->second);
  }

  EbnfNode item() {
    if (in_.take("\"")) return ebnf_text(x_.text(in_.quoted('"')));
    if (in_.take("[")) return ebnf_text(one_of(x_, set(), Spelling::plain));
    if (in_.take(".")) return ebnf_text(one_of(x_, {{0, 0x10FFFF}}, Spelling::plain));
    if (in_.take("(")) {
      blanks(true);
      EbnfNode node = choice(true);
      if (!in_.take(")")) in_.refuse("a ( without its )");
      return node;
    }
    if (in_.take("!")) in_.refuse("the complement of a token is not honoured");
    if (in_.peek() == '<') return ebnf_text(special_token(x_, in_.token()));
    return ebnf_rule(in_.name("-_"));
  }

  CodePoints set() {
    const bool inverted = in_.take("^");
    CodePoints set;
    while (!in_.take("]")) {
      const char32_t first = in_.character();
      char32_t last = first;
      if (in_.peek() == '-' && !in_.next_is("-]")) {
        in_.skip(1);
        last = in_.character();
        if (last < first) in_.refuse("a range the wrong way round");
      }
      set.add(first, last);
    }
    return inverted ? set.inverted() : set;
  }

  Expressions& x_;
  EbnfReader in_;
  int32_t depth_ = 0;
};

}  // namespace

ExprId compile_gbnf(Expressions& x, std::string_view text) {
  return compile_ebnf(x, GbnfParser(x, text).parse());
}

}  // namespace strata::inference
