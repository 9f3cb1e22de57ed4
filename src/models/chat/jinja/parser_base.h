// What the parser of expressions and the parser of statements share: the token stream, the names,
// the nesting limit. Internal to the parser.
#pragma once

#include <initializer_list>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "models/chat/jinja/ast.h"
#include "models/chat/jinja/lexer.h"

namespace strata::models::jinja {

class ExpressionParser {
 public:
  ExpressionParser(std::vector<Token> tokens, const TemplateLimits& limits);

 protected:
  using Node = std::unique_ptr<Expr>;
  enum class Ternary { allowed, excluded };

  // Counts nesting of the source while it lives.
  class Nest {
   public:
    explicit Nest(ExpressionParser& parser);
    ~Nest() { --parser_.nesting_; }
    Nest(const Nest&) = delete;
    Nest& operator=(const Nest&) = delete;

   private:
    ExpressionParser& parser_;
  };

  const Token& now() const { return tokens_[at_]; }
  const Token& ahead() const { return tokens_[at_ + 1 < tokens_.size() ? at_ + 1 : at_]; }
  Token take() { return tokens_[at_ + 1 < tokens_.size() ? at_++ : at_]; }
  bool is(TokenType type) const { return now().type == type; }
  bool is_sign(std::string_view sign) const {
    return now().type == TokenType::sign && now().text == sign;
  }
  bool is_name(std::string_view name) const {
    return now().type == TokenType::name && now().text == name;
  }
  bool skip_sign(std::string_view sign);
  bool skip_name(std::string_view name);
  Token expect(TokenType type, std::string_view what);
  void expect_sign(std::string_view sign);
  void expect_name(std::string_view name);
  [[noreturn]] void fail(Position at, const std::string& message) const;
  [[noreturn]] void unexpected(std::string_view wanted) const;

  uint32_t symbol(const std::string& name);
  Node node(Op op, Position at) const;
  // Sets the depth from the parts and refuses trees that are too deep.
  Node closed(Node node) const;
  Node binary(Op op, Position at, Node left, Node right) const;

  Node expression(Ternary ternary = Ternary::allowed);
  // An expression or a tuple without brackets. `stop`: a name that ends it.
  Node tuple(Ternary ternary = Ternary::allowed, bool in_brackets = false,
             std::string_view stop = {});
  Node filters(Node value);  // | name(…) | …
  Node primary();

  std::vector<std::string> symbols_;
  // Macros being parsed: which of caller, varargs, kwargs their bodies mention.
  struct Mentions {
    bool caller = false, varargs = false, kwargs = false;
  };
  std::vector<Mentions> mentions_;

 private:
  Node conditional();
  Node disjunction();
  Node conjunction();
  Node negation();
  Node comparison();
  Node sum();
  Node concatenation();
  Node product();
  Node power();
  Node unary(bool with_filters = true);
  Node name_or_word();
  Node number();
  Node bracketed_list();
  Node braced_dict();
  Node postfix(Node value);
  Node filters_and_tests(Node value);
  Node subscript(Node value);
  Node subscript_part();
  Node call(Node callee);
  Node filter(Node value);
  Node test(Node value);
  void arguments(Expr& call);
  std::string dotted_name();
  bool begins_test_argument() const;

  const TemplateLimits limits_;
  std::vector<Token> tokens_;
  size_t at_ = 0;
  size_t nesting_ = 0;
  std::unordered_map<std::string, uint32_t> symbol_ids_;
};

}  // namespace strata::models::jinja
