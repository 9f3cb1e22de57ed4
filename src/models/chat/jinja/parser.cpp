// The statements of the template language.
#include "models/chat/jinja/parser.h"

#include <algorithm>
#include <span>

#include "core/error.h"
#include "models/chat/jinja/parser_base.h"

namespace strata::models::jinja {
namespace {

class Parser : public ExpressionParser {
 public:
  Parser(std::vector<Token> tokens, const TemplateLimits& limits)
      : ExpressionParser(std::move(tokens), limits) {}

  std::shared_ptr<const Program> run() {
    auto program = std::make_shared<Program>();
    program->body = body({});
    program->symbols = std::move(symbols_);
    return program;
  }

 private:
  using Statement = std::unique_ptr<Stmt>;
  using Ends = std::span<const std::string_view>;

  Statement statement(St kind, Position at) const {
    auto made = std::make_unique<Stmt>();
    made->kind = kind;
    made->at = at;
    return made;
  }

  // Statements up to a tag of `ends`, whose name is left as the current token.
  Body body(Ends ends) {
    const Nest nest(*this);
    Body result;
    for (;;) {
      const auto at = now().at;
      if (is(TokenType::data)) {
        auto text = statement(St::text, at);
        text->text = std::make_shared<const Text>(take().text, false);
        result.push_back(std::move(text));
      } else if (is(TokenType::variable_begin)) {
        take();
        auto print = statement(St::print, at);
        print->expr = tuple();
        expect(TokenType::variable_end, "'}}'");
        result.push_back(std::move(print));
      } else if (is(TokenType::block_begin)) {
        take();
        if (is(TokenType::name) && std::find(ends.begin(), ends.end(), now().text) != ends.end()) {
          return result;
        }
        tag(result, ends);
        expect(TokenType::block_end, "'%}'");
      } else {
        if (!ends.empty()) unexpected(fmt::format("'{}'", ends.back()));
        return result;
      }
    }
  }

  // The body of a tag; its beginning tag ends here, and so does the name of the ending one.
  Body block(std::initializer_list<std::string_view> ends) {
    skip_sign(":");
    expect(TokenType::block_end, "'%}'");
    return body({ends.begin(), ends.size()});
  }
  Body block_until(std::string_view end) {
    auto result = block({end});
    take();
    return result;
  }

  void tag(Body& out, Ends ends) {
    if (!is(TokenType::name)) unexpected("the name of a tag");
    const auto& name = now().text;
    const auto at = now().at;
    if (name == "for") return out.push_back(for_tag());
    if (name == "if") return out.push_back(if_tag());
    if (name == "set") return out.push_back(set_tag());
    if (name == "macro") return out.push_back(macro_tag());
    if (name == "call") return out.push_back(call_tag());
    if (name == "filter") return out.push_back(filter_tag());
    if (name == "with") return out.push_back(with_tag());
    if (name == "print") return print_tag(out);
    if (name == "generation" || name == "block") return out.push_back(scope_tag());
    if (name == "break" || name == "continue") {
      if (loops_ == 0) fail(at, fmt::format("'{}' outside of a loop", name));
      auto made = statement(name == "break" ? St::break_ : St::continue_, at);
      take();
      return out.push_back(std::move(made));
    }
    if (name == "include" || name == "import" || name == "from" || name == "extends") {
      fail(at, fmt::format("'{}' asks for another template; a chat template stands alone", name));
    }
    const auto wanted = ends.empty() ? std::string() : fmt::format(" (open: '{}')", ends.back());
    fail(at, fmt::format("unknown tag '{}'{}", name, wanted));
  }

  void check_target(const Token& name) const {
    static constexpr std::string_view kWords[] = {"true", "false", "none", "True", "False", "None"};
    if (std::find(std::begin(kWords), std::end(kWords), name.text) != std::end(kWords)) {
      fail(name.at, fmt::format("can't assign to '{}'", name.text));
    }
  }

  Target target_part(bool attributes) {
    if (skip_sign("(")) {
      const Nest nest(*this);
      auto made = target(attributes, true);
      expect_sign(")");
      return made;
    }
    const auto name = expect(TokenType::name, "a name");
    check_target(name);
    Target made;
    made.at = name.at;
    made.name = name.text;
    made.symbol = symbol(name.text);
    if (attributes && skip_sign(".")) {
      made.kind = Target::Kind::attribute;
      made.attribute = expect(TokenType::name, "a name").text;
    }
    return made;
  }

  Target target(bool attributes, bool in_brackets = false) {
    const auto at = now().at;
    std::vector<Target> parts;
    bool comma = false;
    while (is(TokenType::name) || is_sign("(") || parts.empty()) {
      if (is_name("in") || (in_brackets && is_sign(")"))) break;
      parts.push_back(target_part(attributes));
      if (!skip_sign(",")) break;
      comma = true;
    }
    if (!comma && parts.size() == 1) return std::move(parts.front());
    if (parts.empty() && !in_brackets) unexpected("a name");
    Target made;
    made.kind = Target::Kind::tuple;
    made.at = at;
    made.parts = std::move(parts);
    return made;
  }

  Statement for_tag() {
    auto made = statement(St::for_, take().at);
    made->targets.push_back(target(false));
    expect_name("in");
    made->expr = tuple(Ternary::excluded, false, "recursive");
    if (skip_name("if")) made->test = expression();
    made->recursive = skip_name("recursive");
    ++loops_;
    made->body = block({"else", "endfor"});
    --loops_;
    if (take().text == "else") made->otherwise = block_until("endfor");
    return made;
  }

  Statement if_tag() {
    auto made = statement(St::if_, take().at);
    for (;;) {
      Branch branch;
      branch.test = tuple(Ternary::excluded);
      branch.body = block({"elif", "else", "endif"});
      made->branches.push_back(std::move(branch));
      const auto end = take().text;
      if (end == "endif") return made;
      if (end == "else") {
        made->otherwise = block_until("endif");
        return made;
      }
    }
  }

  Statement set_tag() {
    auto made = statement(St::set, take().at);
    made->targets.push_back(target(true));
    if (skip_sign("=")) {
      made->expr = tuple();
      return made;
    }
    made->kind = St::set_block;
    if (is_sign("|")) made->expr = filters(node(Op::hole, now().at));
    made->body = block_until("endset");
    return made;
  }

  Statement filter_tag() {
    auto made = statement(St::filter, take().at);
    made->expr = filters(node(Op::hole, now().at));
    made->body = block_until("endfilter");
    return made;
  }

  Statement with_tag() {
    auto made = statement(St::with, take().at);
    while (!is(TokenType::block_end)) {
      if (!made->targets.empty()) expect_sign(",");
      made->targets.push_back(target_part(false));
      expect_sign("=");
      made->values.push_back(expression());
    }
    made->body = block_until("endwith");
    return made;
  }

  void print_tag(Body& out) {
    const auto at = take().at;
    for (bool first = true; !is(TokenType::block_end); first = false) {
      if (!first) expect_sign(",");
      auto print = statement(St::print, at);
      print->expr = expression();
      out.push_back(std::move(print));
    }
  }

  Statement scope_tag() {
    const auto tag = take();
    auto made = statement(St::scope, tag.at);
    if (tag.text == "block") {
      const auto name = expect(TokenType::name, "a name").text;
      skip_name("scoped");
      skip_name("required");
      made->body = outside_loops([this] { return block_until("endblock"); });
      skip_name(name);
    } else {
      made->body = outside_loops([this] { return block_until("endgeneration"); });
    }
    return made;
  }

  void signature(Stmt& macro) {
    expect_sign("(");
    bool fallbacks = false;
    while (!is_sign(")")) {
      if (!macro.parameters.empty()) expect_sign(",");
      const auto name = expect(TokenType::name, "a name");
      check_target(name);
      Parameter parameter{symbol(name.text), name.text, nullptr};
      if (skip_sign("=")) {
        parameter.fallback = expression();
        fallbacks = true;
      } else if (fallbacks) {
        fail(name.at, "a parameter without default behind one with default");
      }
      macro.parameters.push_back(std::move(parameter));
    }
    expect_sign(")");
  }

  // break and continue do not reach out of a macro or a block.
  template <typename Parse>
  Body outside_loops(Parse parse) {
    const size_t loops = std::exchange(loops_, 0);
    auto result = parse();
    loops_ = loops;
    return result;
  }

  void macro_body(Stmt& macro, std::string_view end) {
    macro.body = outside_loops([this, end] { return block_until(end); });
    macro.uses_caller = mentions_.back().caller;
    macro.uses_varargs = mentions_.back().varargs;
    macro.uses_kwargs = mentions_.back().kwargs;
    mentions_.pop_back();
  }

  Statement macro_tag() {
    auto made = statement(St::macro, take().at);
    const auto name = expect(TokenType::name, "a name");
    check_target(name);
    made->name = name.text;
    made->symbol = symbol(name.text);
    mentions_.emplace_back();
    signature(*made);
    macro_body(*made, "endmacro");
    return made;
  }

  Statement call_tag() {
    auto made = statement(St::call, take().at);
    made->name = "caller";
    if (is_sign("(")) signature(*made);
    const auto at = now().at;
    auto call = expression();
    if (call->op != Op::call) fail(at, "expected a call");
    made->expr = std::move(call);
    mentions_.emplace_back();
    macro_body(*made, "endcall");
    return made;
  }

  size_t loops_ = 0;  // around the current statement
};

}  // namespace

std::shared_ptr<const Program> parse_program(std::string_view source,
                                             const TemplateLimits& limits) {
  if (source.size() > limits.max_source_bytes) {
    throw Error(Code::invalid_argument,
                fmt::format("chat template of {} bytes, the limit is {}", source.size(),
                            limits.max_source_bytes),
                "shorten the template");
  }
  return Parser(tokenize(source), limits).run();
}

}  // namespace strata::models::jinja
