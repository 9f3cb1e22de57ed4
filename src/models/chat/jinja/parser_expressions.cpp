// The expressions of the template language, from the loosest binding (if … else) to the tightest.
#include <charconv>
#include <cstdlib>
#include <optional>

#include "core/error.h"
#include "models/chat/jinja/parser_base.h"

namespace strata::models::jinja {
namespace {

std::string described(const Token& token) {
  switch (token.type) {
    case TokenType::data:
      return "text";
    case TokenType::variable_begin:
      return "'{{'";
    case TokenType::variable_end:
      return "'}}'";
    case TokenType::block_begin:
      return "'{%'";
    case TokenType::block_end:
      return "'%}'";
    case TokenType::string:
      return "a string";
    case TokenType::end:
      return "the end of the template";
    default:
      return fmt::format("'{}'", token.text);
  }
}

std::optional<Integer> parse_integer(std::string_view digits) {
  int base = 10;
  if (digits.size() > 2 && digits[0] == '0') {
    const char c = static_cast<char>(digits[1] | 0x20);
    base = c == 'x' ? 16 : c == 'o' ? 8 : c == 'b' ? 2 : 10;
    if (base != 10) digits.remove_prefix(2);
  }
  Integer value = 0;
  for (const char c : digits) {
    if (c == '_') continue;
    const int digit = c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10;
    if (digit < 0 || digit >= base || __builtin_mul_overflow(value, base, &value) ||
        __builtin_add_overflow(value, digit, &value)) {
      return {};
    }
  }
  return value;
}

std::optional<Comparison> comparison_of(const Token& token) {
  if (token.type != TokenType::sign) return {};
  if (token.text == "==") return Comparison::eq;
  if (token.text == "!=") return Comparison::ne;
  if (token.text == "<") return Comparison::lt;
  if (token.text == "<=") return Comparison::le;
  if (token.text == ">") return Comparison::gt;
  if (token.text == ">=") return Comparison::ge;
  return {};
}

constexpr size_t kTreeDepthFactor = 5;  // a chain of + or | makes a tree deeper than its source

}  // namespace

ExpressionParser::ExpressionParser(std::vector<Token> tokens, const TemplateLimits& limits)
    : limits_(limits), tokens_(std::move(tokens)) {
  for (const char* name : {"loop", "caller", "varargs", "kwargs"}) symbol(name);
}

ExpressionParser::Nest::Nest(ExpressionParser& parser) : parser_(parser) {
  if (++parser_.nesting_ > parser_.limits_.max_depth) {
    const auto at = parser_.now().at;
    const size_t limit = parser_.limits_.max_depth;
    --parser_.nesting_;
    throw Error(Code::invalid_argument, located(at, fmt::format("nested deeper than {}", limit)),
                "write the template with less nesting");
  }
}

bool ExpressionParser::skip_sign(std::string_view sign) {
  if (!is_sign(sign)) return false;
  take();
  return true;
}

bool ExpressionParser::skip_name(std::string_view name) {
  if (!is_name(name)) return false;
  take();
  return true;
}

Token ExpressionParser::expect(TokenType type, std::string_view what) {
  if (!is(type)) unexpected(what);
  return take();
}

void ExpressionParser::expect_sign(std::string_view sign) {
  if (!skip_sign(sign)) unexpected(fmt::format("'{}'", sign));
}

void ExpressionParser::expect_name(std::string_view name) {
  if (!skip_name(name)) unexpected(fmt::format("'{}'", name));
}

void ExpressionParser::fail(Position at, const std::string& message) const {
  throw Error(Code::invalid_argument, located(at, message));
}

void ExpressionParser::unexpected(std::string_view wanted) const {
  fail(now().at, fmt::format("expected {}, found {}", wanted, described(now())));
}

uint32_t ExpressionParser::symbol(const std::string& name) {
  const auto [place, added] = symbol_ids_.emplace(name, static_cast<uint32_t>(symbol_ids_.size()));
  if (added) symbols_.push_back(name);
  return place->second;
}

ExpressionParser::Node ExpressionParser::node(Op op, Position at) const {
  auto made = std::make_unique<Expr>();
  made->op = op;
  made->at = at;
  return made;
}

ExpressionParser::Node ExpressionParser::closed(Node node) const {
  size_t depth = 0;
  for (const auto& part : node->parts) depth = std::max(depth, part ? part->depth : 0);
  for (const auto& keyword : node->keywords) depth = std::max(depth, keyword.value->depth);
  if (node->star) depth = std::max(depth, node->star->depth);
  if (node->star_star) depth = std::max(depth, node->star_star->depth);
  node->depth = depth + 1;
  const size_t limit = limits_.max_depth * kTreeDepthFactor;
  if (node->depth > limit) {
    throw Error(Code::invalid_argument,
                located(node->at, fmt::format("an expression of more than {} steps", limit)),
                "cut the expression into several with set");
  }
  return node;
}

ExpressionParser::Node ExpressionParser::binary(Op op, Position at, Node left, Node right) const {
  auto made = node(op, at);
  made->parts.push_back(std::move(left));
  made->parts.push_back(std::move(right));
  return closed(std::move(made));
}

ExpressionParser::Node ExpressionParser::expression(Ternary ternary) {
  const Nest nest(*this);
  return ternary == Ternary::allowed ? conditional() : disjunction();
}

ExpressionParser::Node ExpressionParser::tuple(Ternary ternary, bool in_brackets,
                                               std::string_view stop) {
  const auto at = now().at;
  std::vector<ExprPtr> parts;
  bool comma = false;
  for (;;) {
    const bool ends = is(TokenType::variable_end) || is(TokenType::block_end) || is_sign(")") ||
                      (!stop.empty() && is_name(stop));
    if (ends) break;
    auto part = expression(ternary);
    if (!comma && !is_sign(",")) return part;
    parts.push_back(std::move(part));
    if (!skip_sign(",")) break;
    comma = true;
  }
  if (!comma && !in_brackets) unexpected("an expression");
  auto made = node(Op::tuple, at);
  made->parts = std::move(parts);
  return closed(std::move(made));
}

ExpressionParser::Node ExpressionParser::conditional() {
  auto value = disjunction();
  while (is_name("if")) {
    auto made = node(Op::conditional, take().at);
    made->parts.push_back(std::move(value));
    made->parts.push_back(disjunction());
    made->parts.push_back(skip_name("else") ? expression() : nullptr);
    value = closed(std::move(made));
  }
  return value;
}

ExpressionParser::Node ExpressionParser::disjunction() {
  auto left = conjunction();
  while (is_name("or")) {
    const auto at = take().at;
    left = binary(Op::or_, at, std::move(left), conjunction());
  }
  return left;
}

ExpressionParser::Node ExpressionParser::conjunction() {
  auto left = negation();
  while (is_name("and")) {
    const auto at = take().at;
    left = binary(Op::and_, at, std::move(left), negation());
  }
  return left;
}

ExpressionParser::Node ExpressionParser::negation() {
  if (!is_name("not")) return comparison();
  const Nest nest(*this);
  auto made = node(Op::not_, take().at);
  made->parts.push_back(negation());
  return closed(std::move(made));
}

ExpressionParser::Node ExpressionParser::comparison() {
  auto first = sum();
  Node made;
  for (;;) {
    const auto at = now().at;
    auto kind = comparison_of(now());
    if (kind || is_name("in")) {
      if (!kind) kind = Comparison::in;
      take();
    } else if (is_name("not") && ahead().type == TokenType::name && ahead().text == "in") {
      kind = Comparison::not_in;
      take();
      take();
    } else {
      break;
    }
    if (!made) {
      made = node(Op::compare, at);
      made->parts.push_back(std::move(first));
    }
    made->comparisons.push_back(*kind);
    made->parts.push_back(sum());
  }
  return made ? closed(std::move(made)) : std::move(first);
}

ExpressionParser::Node ExpressionParser::sum() {
  auto left = concatenation();
  while (is_sign("+") || is_sign("-")) {
    const auto token = take();
    const Op op = token.text == "+" ? Op::add : Op::subtract;
    left = binary(op, token.at, std::move(left), concatenation());
  }
  return left;
}

ExpressionParser::Node ExpressionParser::concatenation() {
  auto first = product();
  if (!is_sign("~")) return first;
  auto made = node(Op::concat, now().at);
  made->parts.push_back(std::move(first));
  while (skip_sign("~")) made->parts.push_back(product());
  return closed(std::move(made));
}

ExpressionParser::Node ExpressionParser::product() {
  auto left = power();
  while (is_sign("*") || is_sign("/") || is_sign("//") || is_sign("%")) {
    const auto token = take();
    const Op op = token.text == "*"    ? Op::multiply
                  : token.text == "/"  ? Op::divide
                  : token.text == "//" ? Op::floor_divide
                                       : Op::modulo;
    left = binary(op, token.at, std::move(left), power());
  }
  return left;
}

ExpressionParser::Node ExpressionParser::power() {
  auto left = unary();
  while (is_sign("**")) {
    const auto at = take().at;
    left = binary(Op::power, at, std::move(left), unary());
  }
  return left;
}

ExpressionParser::Node ExpressionParser::unary(bool with_filters) {
  Node value;
  if (is_sign("-") || is_sign("+")) {
    const Nest nest(*this);
    const auto token = take();
    value = node(token.text == "-" ? Op::negative : Op::positive, token.at);
    value->parts.push_back(unary(false));
    value = closed(std::move(value));
  } else {
    value = primary();
  }
  value = postfix(std::move(value));
  return with_filters ? filters_and_tests(std::move(value)) : std::move(value);
}

ExpressionParser::Node ExpressionParser::primary() {
  const auto at = now().at;
  switch (now().type) {
    case TokenType::name:
      return name_or_word();
    case TokenType::string: {
      auto made = node(Op::constant, at);
      std::string text;
      while (is(TokenType::string)) text += take().text;
      made->constant = Value(std::make_shared<const Text>(std::move(text), false));
      return made;
    }
    case TokenType::integer:
    case TokenType::floating:
      return number();
    default:
      break;
  }
  if (is_sign("[")) return bracketed_list();
  if (is_sign("{")) return braced_dict();
  if (!skip_sign("(")) unexpected("an expression");
  auto made = tuple(Ternary::allowed, true);
  expect_sign(")");
  return made;
}

ExpressionParser::Node ExpressionParser::name_or_word() {
  const auto token = take();
  const auto& name = token.text;
  auto made = node(Op::constant, token.at);
  if (name == "true" || name == "True") {
    made->constant = Value(true);
  } else if (name == "false" || name == "False") {
    made->constant = Value(false);
  } else if (name == "none" || name == "None") {
    made->constant = Value(None{});
  } else {
    made->op = Op::name;
    made->text = name;
    made->symbol = symbol(name);
    for (auto& mention : mentions_) {
      mention.caller |= made->symbol == kCaller;
      mention.varargs |= made->symbol == kVarargs;
      mention.kwargs |= made->symbol == kKwargs;
    }
  }
  return made;
}

ExpressionParser::Node ExpressionParser::number() {
  const auto token = take();
  auto made = node(Op::constant, token.at);
  if (token.type == TokenType::floating) {
    double value = 0;
    const auto* end = token.text.data() + token.text.size();
    const auto result = std::from_chars(token.text.data(), end, value);
    if (result.ec == std::errc::result_out_of_range) {
      value = std::strtod(token.text.c_str(), nullptr);
    } else if (result.ec != std::errc() || result.ptr != end) {
      fail(token.at, fmt::format("'{}' is not a number", token.text));
    }
    made->constant = Value(value);
    return made;
  }
  const auto value = parse_integer(token.text);
  if (!value) fail(token.at, fmt::format("'{}' is not an integer of 127 bits", token.text));
  made->constant = Value(*value);
  return made;
}

ExpressionParser::Node ExpressionParser::bracketed_list() {
  auto made = node(Op::list, take().at);
  while (!is_sign("]")) {
    if (!made->parts.empty()) expect_sign(",");
    if (is_sign("]")) break;
    made->parts.push_back(expression());
  }
  expect_sign("]");
  return closed(std::move(made));
}

ExpressionParser::Node ExpressionParser::braced_dict() {
  auto made = node(Op::dict, take().at);
  while (!is_sign("}")) {
    if (!made->parts.empty()) expect_sign(",");
    if (is_sign("}")) break;
    made->parts.push_back(expression());
    expect_sign(":");
    made->parts.push_back(expression());
  }
  expect_sign("}");
  return closed(std::move(made));
}

ExpressionParser::Node ExpressionParser::postfix(Node value) {
  for (;;) {
    if (is_sign(".") || is_sign("[")) {
      value = subscript(std::move(value));
    } else if (is_sign("(")) {
      value = call(std::move(value));
    } else {
      return value;
    }
  }
}

ExpressionParser::Node ExpressionParser::filters_and_tests(Node value) {
  for (;;) {
    if (is_sign("|")) {
      value = filters(std::move(value));
    } else if (is_name("is")) {
      value = test(std::move(value));
    } else if (is_sign("(")) {
      value = call(std::move(value));
    } else {
      return value;
    }
  }
}

ExpressionParser::Node ExpressionParser::subscript(Node value) {
  const auto token = take();
  Node made;
  if (token.text == ".") {
    if (is(TokenType::name)) {
      made = node(Op::attribute, token.at);
      made->text = take().text;
      made->parts.push_back(std::move(value));
      return closed(std::move(made));
    }
    if (!is(TokenType::integer)) unexpected("a name or a number");
    return binary(Op::item, token.at, std::move(value), number());
  }
  auto index = subscript_part();
  if (!is_sign("]")) {
    auto several = node(Op::tuple, token.at);
    several->parts.push_back(std::move(index));
    while (skip_sign(",")) several->parts.push_back(subscript_part());
    index = closed(std::move(several));
  }
  expect_sign("]");
  return binary(Op::item, token.at, std::move(value), std::move(index));
}

ExpressionParser::Node ExpressionParser::subscript_part() {
  const auto at = now().at;
  Node start;
  if (!is_sign(":")) {
    start = expression();
    if (!is_sign(":")) return start;
  }
  auto made = node(Op::slice, at);
  made->parts.push_back(std::move(start));
  for (int i = 0; i < 2; ++i) {
    Node part;
    if (skip_sign(":") && !is_sign(":") && !is_sign("]") && !is_sign(",")) part = expression();
    made->parts.push_back(std::move(part));
  }
  return closed(std::move(made));
}

ExpressionParser::Node ExpressionParser::call(Node callee) {
  auto made = node(Op::call, now().at);
  made->parts.push_back(std::move(callee));
  arguments(*made);
  return closed(std::move(made));
}

void ExpressionParser::arguments(Expr& call) {
  expect_sign("(");
  bool first = true;
  while (!is_sign(")")) {
    if (!first) expect_sign(",");
    first = false;
    if (is_sign(")")) break;
    const auto at = now().at;
    if (skip_sign("*")) {
      if (call.star || call.star_star) fail(at, "invalid syntax for a call");
      call.star = expression();
    } else if (skip_sign("**")) {
      if (call.star_star) fail(at, "invalid syntax for a call");
      call.star_star = expression();
    } else if (is(TokenType::name) && ahead().type == TokenType::sign && ahead().text == "=") {
      if (call.star_star) fail(at, "invalid syntax for a call");
      auto name = take().text;
      take();
      call.keywords.push_back({std::move(name), expression()});
    } else {
      if (call.star || call.star_star || !call.keywords.empty()) {
        fail(at, "a positional argument behind a named one");
      }
      call.parts.push_back(expression());
    }
  }
  expect_sign(")");
}

std::string ExpressionParser::dotted_name() {
  auto name = expect(TokenType::name, "a name").text;
  while (skip_sign(".")) name += "." + expect(TokenType::name, "a name").text;
  return name;
}

ExpressionParser::Node ExpressionParser::filter(Node value) {
  auto made = node(Op::filter, now().at);
  made->text = dotted_name();
  made->parts.push_back(std::move(value));
  if (is_sign("(")) arguments(*made);
  return closed(std::move(made));
}

ExpressionParser::Node ExpressionParser::filters(Node value) {
  if (value->op == Op::hole && !is_sign("|")) value = filter(std::move(value));
  while (skip_sign("|")) value = filter(std::move(value));
  return value;
}

bool ExpressionParser::begins_test_argument() const {
  switch (now().type) {
    case TokenType::name:
      return now().text != "else" && now().text != "or" && now().text != "and";
    case TokenType::string:
    case TokenType::integer:
    case TokenType::floating:
      return true;
    default:
      return is_sign("[") || is_sign("{");
  }
}

ExpressionParser::Node ExpressionParser::test(Node value) {
  const auto at = take().at;
  const bool negated = skip_name("not");
  auto made = node(Op::test, at);
  made->text = dotted_name();
  made->parts.push_back(std::move(value));
  if (is_sign("(")) {
    arguments(*made);
  } else if (begins_test_argument()) {
    if (is_name("is")) fail(now().at, "tests cannot be chained with 'is'");
    const Nest nest(*this);
    made->parts.push_back(postfix(primary()));
  }
  made = closed(std::move(made));
  if (!negated) return made;
  auto inverse = node(Op::not_, at);
  inverse->parts.push_back(std::move(made));
  return closed(std::move(inverse));
}

}  // namespace strata::models::jinja
