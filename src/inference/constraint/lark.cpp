#include <algorithm>
#include <array>
#include <map>
#include <set>

#include "core/ascii.h"
#include "core/error.h"
#include "core/json.h"
#include "core/utf8.h"
#include "inference/constraint/code_points.h"
#include "inference/constraint/ebnf.h"
#include "inference/constraint/ebnf_reader.h"
#include "inference/constraint/json_schema.h"
#include "inference/constraint/limits.h"
#include "inference/constraint/regex.h"
#include "inference/constraint/token_trie.h"

namespace strata::inference {
namespace {

using Kind = EbnfNode::Kind;

// Terminals of Lark's own library, as far as they are usual.
struct CommonTerminal {
  std::string_view name, pattern;
};
constexpr std::array<CommonTerminal, 20> kCommon{
    {{"DIGIT", "[0-9]"},
     {"HEXDIGIT", "[0-9a-fA-F]"},
     {"INT", "[0-9]+"},
     {"SIGNED_INT", "[+-]?[0-9]+"},
     {"DECIMAL", R"([0-9]+\.[0-9]*|\.[0-9]+)"},
     {"FLOAT", R"([0-9]+[eE][+-]?[0-9]+|(?:[0-9]+\.[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?)"},
     {"SIGNED_FLOAT",
      R"([+-]?(?:[0-9]+[eE][+-]?[0-9]+|(?:[0-9]+\.[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?))"},
     {"NUMBER", R"([0-9]+(?:[eE][+-]?[0-9]+)?|(?:[0-9]+\.[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?)"},
     {"SIGNED_NUMBER",
      R"([+-]?(?:[0-9]+(?:[eE][+-]?[0-9]+)?|(?:[0-9]+\.[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?))"},
     {"ESCAPED_STRING", R"("(?:[^"\\\n]|\\[^\n])*")"},
     {"LCASE_LETTER", "[a-z]"},
     {"UCASE_LETTER", "[A-Z]"},
     {"LETTER", "[A-Za-z]"},
     {"WORD", "[A-Za-z]+"},
     {"CNAME", "[_A-Za-z][_A-Za-z0-9]*"},
     {"WS_INLINE", "[ \\t]+"},
     {"WS", "[ \\t\\f\\r\\n]+"},
     {"CR", "\\r"},
     {"LF", "\\n"},
     {"NEWLINE", "(?:\\r?\\n)+"}}};

// Names of terminals are in capitals.
bool is_terminal(std::string_view name) {
  const size_t first = name.find_first_not_of('_');
  return first != std::string_view::npos && name[first] >= 'A' && name[first] <= 'Z';
}

class LarkParser {
 public:
  LarkParser(Expressions& x, std::string_view text, Members members)
      : x_(x), in_(text, "Lark"), members_(members) {}

  Ebnf parse() {
    for (blanks(true); in_.more(); blanks(true)) {
      if (in_.peek() == '%') {
        directive();
      } else {
        definition();
      }
      end_of_line();
    }
    if (terminals_.size() > kMaxGrammarRules) {
      in_.refuse(fmt::format("the grammar has {} terminals, the limit is {}", terminals_.size(),
                             kMaxGrammarRules));
    }
    for (const auto& [name, node] : terminals_) terminal(name);
    ExprId ignored = Expressions::kEmpty;
    if (!ignored_.empty()) {
      std::vector<ExprId> parts;
      for (const EbnfNode& node : ignored_) parts.push_back(regular(node));
      ignored = x_.repeat(x_.any_of(parts), 0, -1);
    }
    for (auto& [name, node] : grammar_.rules) resolve(node, ignored);
    if (ignored != Expressions::kEmpty) {
      grammar_.rules[kBegin] = ebnf_list(Kind::sequence, {ebnf_text(ignored), ebnf_rule("start")});
      if (!grammar_.rules.contains("start")) in_.refuse("the grammar has no rule start");
    }
    grammar_.start = ignored == Expressions::kEmpty ? "start" : kBegin;
    return std::move(grammar_);
  }

 private:
  // What no name can be.
  static constexpr const char* kBegin = "start with what is ignored";

  void blanks(bool lines) {
    while (in_.more()) {
      const char c = in_.peek();
      if (in_.next_is("//") || c == '#') {
        while (in_.more() && in_.peek() != '\n') in_.skip(1);
      } else if (c == ' ' || c == '\t' || (lines && (c == '\n' || c == '\r'))) {
        in_.skip(1);
      } else {
        return;
      }
    }
  }

  void end_of_line() {
    blanks(false);
    if (in_.more() && in_.peek() != '\n' && in_.peek() != '\r') {
      in_.refuse(fmt::format("what begins with {} cannot be read", in_.peek()));
    }
  }

  void directive() {
    if (in_.take("%ignore")) {
      blanks(false);
      ignored_.push_back(choice(false));
    } else if (in_.take("%import")) {
      import();
    } else {
      in_.refuse("of directives %ignore and %import are honoured");
    }
  }

  void import() {
    blanks(false);
    if (!in_.take("common.")) in_.refuse("only the library common can be imported from");
    const auto add = [&](const std::string& name, const std::string& as) {
      const auto known = std::find_if(kCommon.begin(), kCommon.end(),
                                      [&](const auto& common) { return common.name == name; });
      if (known == kCommon.end()) in_.refuse(fmt::format("common.{} is not known", name));
      terminals_[as] = ebnf_text(parse_regex(x_, known->pattern));
    };
    const std::string name = in_.name("_");
    blanks(false);
    std::string as = name;
    if (in_.take("->")) {
      blanks(false);
      as = in_.name("_");
    }
    add(name, as);
  }

  void definition() {
    while (in_.peek() == '?' || in_.peek() == '!') in_.skip(1);
    const std::string name = in_.name("_");
    if (in_.peek() == '{') in_.refuse("templates are not honoured");
    if (in_.peek() == '[') in_.refuse("attributes of rules are not honoured");
    if (in_.take(".")) {
      in_.take("-");
      in_.number();  // a priority, which says nothing of what matches
    }
    blanks(false);
    if (!in_.take(":")) in_.refuse("a : has to follow a rule's name");
    EbnfNode node = choice(false);
    auto& into = is_terminal(name) ? terminals_ : grammar_.rules;
    if (!into.emplace(name, std::move(node)).second) {
      in_.refuse(fmt::format("the rule {} is there twice", name));
    }
  }

  // Over several lines, where the next begins with |, or in brackets.
  EbnfNode choice(bool nested) {
    if (++depth_ > kMaxRuleDepth) in_.refuse("too many brackets in brackets");
    std::vector<EbnfNode> parts{sequence(nested)};
    for (;;) {
      const size_t here = in_.at();
      blanks(true);
      if (!in_.take("|")) {
        if (!nested) in_.go_to(here);
        break;
      }
      parts.push_back(sequence(nested));
    }
    --depth_;
    return ebnf_list(Kind::choice, std::move(parts));
  }

  EbnfNode sequence(bool nested) {
    std::vector<EbnfNode> parts;
    for (blanks(nested); begins_item(); blanks(nested)) parts.push_back(repeated());
    if (in_.take("->")) {
      blanks(false);
      in_.name("_");  // an alias, which says nothing of what matches
    }
    return ebnf_list(Kind::sequence, std::move(parts));
  }

  bool begins_item() const {
    const char c = in_.peek();
    return c == '"' || c == '/' || c == '(' || c == '[' || c == '<' || c == '%' || c == '_' ||
           is_ascii_letter(c);
  }

  EbnfNode repeated() {
    EbnfNode node = item();
    const auto times = repetition();
    if (!times) return node;
    if (repetition()) in_.refuse("a repetition of a repetition");
    return ebnf_repeat(std::move(node), times->first, times->second);
  }

  std::optional<std::pair<int32_t, int32_t>> repetition() {
    blanks(false);
    if (!in_.take("~")) return in_.repetition();
    blanks(false);
    return in_.bounds("..");
  }

  EbnfNode item() {
    if (in_.peek() == '"') return string();
    if (in_.peek() == '/') return regex();
    if (in_.take("%json"))
      return ebnf_text(compile_json_schema(x_, schema(), {.members = members_}));
    if (in_.take("%python")) return python();
    if (in_.take("%marked")) return marked();
    if (in_.take("%text")) return text();
    if (in_.take("%mark")) return mark();
    if (in_.take("%reasoning")) {
      return ebnf_text(x_.bytes(ByteSet::of(TokenTrie::kReasoning, TokenTrie::kReasoning)));
    }
    if (in_.peek() == '%')
      in_.refuse(
          "of % inside rules only %json, %python, %marked, %text, %mark and "
          "%reasoning are honoured");
    if (in_.take("(")) return bracket(')');
    if (in_.take("[")) return ebnf_repeat(bracket(']'), 0, 1);
    if (in_.peek() == '<') return ebnf_text(special_token(x_, in_.token()));
    return ebnf_rule(in_.name("_"));
  }

  EbnfNode bracket(char end) {
    EbnfNode node = choice(true);
    blanks(true);
    if (!in_.take(std::string_view(&end, 1))) in_.refuse("a bracket that is not closed");
    return node;
  }

  EbnfNode string() {
    in_.skip(1);
    const std::string text = in_.quoted('"');
    if (in_.take("i")) return ebnf_text(any_case(text));
    const size_t here = in_.at();
    blanks(false);
    if (!in_.take("..")) {
      in_.go_to(here);
      return ebnf_text(x_.text(text));
    }
    blanks(false);
    if (!in_.take("\"")) in_.refuse("a string has to follow ..");
    const std::string last = in_.quoted('"');
    size_t from = 0;
    size_t to = 0;
    if (text.empty() || last.empty()) in_.refuse("a range of no characters");
    const CodePoints range{{next_code_point(text, from), next_code_point(last, to)}};
    if (from != text.size() || to != last.size() || range.empty()) {
      in_.refuse("a range goes from one character to a later one");
    }
    return ebnf_text(one_of(x_, range, Spelling::plain));
  }

  ExprId any_case(const std::string& text) {
    ExprId id = Expressions::kEmpty;
    for (size_t at = 0; at < text.size();) {
      const char32_t c = next_code_point(text, at);
      CodePoints set{{c, c}};
      set.add_other_case();
      id = x_.sequence(id, one_of(x_, set, Spelling::plain));
    }
    return id;
  }

  EbnfNode regex() {
    in_.skip(1);
    std::string pattern;
    bool in_set = false;
    while (in_set || in_.peek() != '/') {
      if (!in_.more() || in_.peek() == '\n') in_.refuse("a regular expression that does not end");
      if (in_.peek() == '[') in_set = true;
      if (in_.peek() == ']') in_set = false;
      if (in_.next_is("\\/")) {
        in_.skip(1);
      } else if (in_.peek() == '\\') {
        pattern += in_.peek();
        in_.skip(1);
      }
      pattern += in_.peek();
      in_.skip(1);
    }
    in_.skip(1);
    RegexOptions options;
    for (;; in_.skip(1)) {
      const char flag = in_.peek();
      if (flag == 'i') {
        options.ignore_case = true;
      } else if (flag == 's') {
        options.dot_all = true;
      } else if (flag == 'x') {
        options.verbose = true;
      } else if (flag != 'm' && flag != 'u' && flag != 'l') {
        break;
      }
    }
    return ebnf_text(parse_regex(x_, pattern, options));
  }

  // A schema up to the bracket that closes it.
  json::value schema() {
    blanks(true);
    const std::string_view rest = in_.rest();
    if (!rest.starts_with('{')) in_.refuse("a schema in {…} has to follow");
    size_t end = 0;
    int32_t open = 0;
    bool quoted = false;
    do {
      if (end >= rest.size()) in_.refuse("a schema whose { is not closed");
      const char c = rest[end++];
      if (quoted && c == '\\') {
        ++end;
      } else if (c == '"') {
        quoted = !quoted;
      } else if (!quoted) {
        open += (c == '{' ? 1 : 0) - (c == '}' ? 1 : 0);
      }
    } while (open > 0);
    const json::value read = parse_json(rest.substr(0, end));
    in_.skip(end);
    return read;
  }

  // A schema's objects as the arguments of a call in Python, strings in quotes of one kind.
  EbnfNode python() {
    constexpr auto kPython = ValueStyle::Kind::python;
    const json::value read = schema();
    return ebnf_text(x_.any_of(
        {compile_call_arguments(x_, read, {.kind = kPython, .quote = "\"", .members = members_}),
         compile_call_arguments(x_, read, {.kind = kPython, .quote = "'", .members = members_})}));
  }

  // A schema's values with strings between such texts as stand in quotes before it.
  EbnfNode marked() {
    blanks(true);
    if (!in_.take("\"")) in_.refuse("a text in quotes has to follow %marked");
    std::string quote = in_.quoted('"');
    if (quote.empty()) in_.refuse("%marked needs a text that stands around strings");
    return ebnf_text(compile_json_schema(
        x_, schema(),
        {.kind = ValueStyle::Kind::marked, .quote = std::move(quote), .members = members_}));
  }

  // The strings of a schema as they are, without quotes, but for those that hold the text in
  // quotes.
  EbnfNode text() {
    const ExprId strings = compile_schema_texts(x_, schema());
    blanks(true);
    if (!in_.take("\"")) in_.refuse("a text in quotes has to follow the schema of %text");
    const ExprId anything = x_.repeat(x_.bytes(ByteSet::of(0, 255)), 0, -1);
    const ExprId holding = x_.sequence({anything, x_.text(in_.quoted('"')), anything});
    return ebnf_text(x_.block(x_.all_of({strings, x_.none_of(holding)})));
  }

  // A text in quotes, with control tokens where the vocabulary spells parts of it so.
  EbnfNode mark() {
    blanks(true);
    if (!in_.take("\"")) in_.refuse("a text in quotes has to follow %mark");
    return ebnf_text(marker_text(x_, in_.quoted('"')));
  }

  // Terminals are regular, so that none refers to itself.
  ExprId terminal(const std::string& name) {
    const auto known = built_.find(name);
    if (known != built_.end()) return known->second;
    const auto node = terminals_.find(name);
    if (node == terminals_.end()) in_.refuse(fmt::format("the grammar has no terminal {}", name));
    if (!building_.insert(name).second) {
      in_.refuse(fmt::format("the terminal {} refers to itself", name));
    }
    const ExprId text = regular(node->second);
    building_.erase(name);
    built_[name] = text;
    return text;
  }

  // The terminals that this one refers to are looked into at once, however many brackets each has.
  ExprId regular(const EbnfNode& node) {
    if (++depth_ > kMaxExpressionDepth) in_.refuse("too many terminals in terminals");
    const ExprId text = regular_text(node);
    --depth_;
    return text;
  }

  ExprId regular_text(const EbnfNode& node) {
    switch (node.kind) {
      case Kind::text:
        if (!x_.at(node.text).regular) in_.refuse("a terminal cannot hold a schema");
        return node.text;
      case Kind::rule:
        if (!is_terminal(node.rule)) {
          in_.refuse(fmt::format("a terminal refers to the rule {}", node.rule));
        }
        return terminal(node.rule);
      case Kind::repeat:
        return x_.repeat(regular(node.parts[0]), node.least, node.most);
      case Kind::choice:
      case Kind::sequence:
        break;
    }
    std::vector<ExprId> parts;
    for (const EbnfNode& part : node.parts) parts.push_back(regular(part));
    if (node.kind == Kind::choice) return x_.any_of(parts);
    ExprId id = Expressions::kEmpty;
    for (size_t i = parts.size(); i-- > 0;) id = x_.sequence(parts[i], id);
    return id;
  }

  // In rules: terminals by what they match, and behind each what is ignored.
  void resolve(EbnfNode& node, ExprId ignored) {
    if (node.kind == Kind::rule && is_terminal(node.rule)) node = ebnf_text(terminal(node.rule));
    for (EbnfNode& part : node.parts) resolve(part, ignored);
    if (node.kind == Kind::text && ignored != Expressions::kEmpty &&
        node.text != Expressions::kEmpty) {
      node.text = x_.sequence(x_.at(node.text).regular ? x_.block(node.text) : node.text, ignored);
    }
  }

  Expressions& x_;
  EbnfReader in_;
  const Members members_;
  Ebnf grammar_;
  std::map<std::string, EbnfNode> terminals_;
  std::map<std::string, ExprId> built_;
  std::set<std::string> building_;
  std::vector<EbnfNode> ignored_;
  int32_t depth_ = 0;
};

}  // namespace

ExprId compile_lark(Expressions& x, std::string_view text, Members members) {
  return compile_ebnf(x, LarkParser(x, text, members).parse());
}

}  // namespace strata::inference
