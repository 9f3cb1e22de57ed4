// Runs a parsed template over the variables of one rendering.
#pragma once

#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "models/chat/jinja/ast.h"
#include "models/chat/jinja/objects.h"

namespace strata::models::jinja {

using Variables = std::vector<std::pair<std::string, Value>>;

// One rendering; used once. Values made in it must not outlive it.
class Interpreter {
 public:
  Interpreter(std::shared_ptr<const Program> program, const TemplateLimits& limits,
              std::optional<int64_t> now_s);
  ~Interpreter();
  Interpreter(const Interpreter&) = delete;
  Interpreter& operator=(const Interpreter&) = delete;

  Meter& meter() { return meter_; }
  void set_variable(const std::string& name, Value value);
  MarkedText run();

  // For filters, tests and functions.
  Value call(const Value& callee, Args& args);
  Value call_filter(std::string_view name, const Value& value, Args& args);
  bool call_test(std::string_view name, const Value& value, Args& args);
  void retain(ObjectPtr object);  // keeps what can form a cycle, and cuts the cycle at the end
  int64_t now_s() const;

 private:
  enum class Flow : uint8_t { on, break_, continue_ };

  // Counts nested evaluation, so that no template can overflow the stack.
  class Deeper {
   public:
    explicit Deeper(Interpreter& in);
    ~Deeper() { --in_.depth_; }
    Deeper(const Deeper&) = delete;
    Deeper& operator=(const Deeper&) = delete;

   private:
    Interpreter& in_;
  };

  Flow execute(const Body& body);
  Flow execute(const Stmt& stmt);
  Flow execute_if(const Stmt& stmt);
  Flow execute_for(const Stmt& stmt);
  Flow execute_scope(const Stmt& stmt);
  void execute_set(const Stmt& stmt);
  void execute_set_block(const Stmt& stmt);
  void execute_macro(const Stmt& stmt);
  void execute_call(const Stmt& stmt);
  void execute_filter(const Stmt& stmt);
  void execute_with(const Stmt& stmt);
  Flow run_loop(const Stmt& stmt, const Value& items, size_t depth0);
  ListPtr filtered_items(const Stmt& stmt, const ListPtr& items);

  Value evaluate(const Expr& expr);
  Value evaluate_name(const Expr& expr);
  Value evaluate_sequence(const Expr& expr);
  Value evaluate_dict(const Expr& expr);
  Value evaluate_item(const Expr& expr);
  Value evaluate_call(const Expr& expr);
  Value evaluate_filter(const Expr& expr);
  Value evaluate_test(const Expr& expr);
  Value evaluate_logic(const Expr& expr);
  Value evaluate_compare(const Expr& expr);
  Value evaluate_binary(const Expr& expr);
  Value evaluate_concat(const Expr& expr);
  Value evaluate_conditional(const Expr& expr);
  Value evaluate_operation(const Expr& expr);
  Args evaluate_args(const Expr& expr);

  Value call_macro(const Macro& macro, Args& args);
  void bind_parameters(const Macro& macro, Args& args);
  Value call_loop(const Loop& loop, Args& args);

  void assign(const Target& target, const Value& value);
  void define(uint32_t symbol, Value value);
  const Value* find(uint32_t symbol);

  // Runs a piece of the template in a scope of its own below `parent`.
  template <typename Piece>
  void in_scope(const ScopePtr& parent, Piece piece);
  // What a piece of the template prints.
  template <typename Piece>
  TextPtr captured(Piece piece);

  Meter meter_;  // first: it outlives all values
  std::shared_ptr<const Program> program_;
  std::optional<int64_t> now_s_;
  std::vector<ObjectPtr> retained_;
  std::vector<std::optional<Value>> globals_;  // by symbol
  std::unordered_map<std::string, uint32_t> symbols_;
  ScopePtr scope_;
  TextBuilder* out_ = nullptr;
  Value hole_;
  size_t depth_ = 0;
  size_t calls_ = 0;
};

}  // namespace strata::models::jinja
