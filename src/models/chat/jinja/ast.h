// The syntax tree of a template. Immutable after parsing; shared by all renderings.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "models/chat/jinja/value.h"

namespace strata::models::jinja {

enum class Op : uint8_t {
  constant,
  name,
  tuple,
  list,
  dict,  // parts: key, value, key, value, …
  attribute,
  item,   // parts: object, subscript
  slice,  // parts: start, stop, step; each may be null
  call,
  filter,
  test,
  hole,  // the body of a filter block or of a set block
  not_,
  negative,
  positive,
  and_,
  or_,
  compare,  // parts: first, second, …; comparisons: one between each two
  add,
  subtract,
  multiply,
  divide,
  floor_divide,
  modulo,
  power,
  concat,
  conditional,  // parts: value, condition, else (may be null)
};

enum class Comparison : uint8_t { eq, ne, lt, le, gt, ge, in, not_in };

struct Expr;
using ExprPtr = std::unique_ptr<const Expr>;

struct Keyword {
  std::string name;
  ExprPtr value;
};

struct Expr {
  Op op = Op::constant;
  Position at;
  size_t depth = 1;     // of the tree below
  uint32_t symbol = 0;  // of `name`
  std::string text;     // of `name`, `attribute`, `filter`, `test`
  Value constant;
  std::vector<ExprPtr> parts;  // call, filter, test: the callee or the value, then the arguments
  std::vector<Keyword> keywords;
  ExprPtr star, star_star;  // f(*args, **kwargs)
  std::vector<Comparison> comparisons;
};

// What stands left of "=" or between "for" and "in".
struct Target {
  enum class Kind : uint8_t { name, attribute, tuple };
  Kind kind = Kind::name;
  Position at;
  uint32_t symbol = 0;
  std::string name;
  std::string attribute;  // of a namespace
  std::vector<Target> parts;
};

struct Parameter {
  uint32_t symbol = 0;
  std::string name;
  ExprPtr fallback;  // null: none
};

struct Stmt;
using StmtPtr = std::unique_ptr<const Stmt>;
using Body = std::vector<StmtPtr>;

struct Branch {
  ExprPtr test;
  Body body;
};

enum class St : uint8_t {
  text,
  print,
  if_,
  for_,
  set,
  set_block,
  macro,
  call,    // expr: the call; a macro (parameters, body) is its caller()
  filter,  // expr: filters around a hole
  with,
  scope,  // generation, block
  break_,
  continue_,
};

struct Stmt {
  St kind = St::text;
  Position at;
  TextPtr text;
  ExprPtr expr;
  ExprPtr test;  // of a for loop, may be null
  bool recursive = false;
  std::vector<Target> targets;
  std::vector<ExprPtr> values;  // of `with`
  std::vector<Branch> branches;
  Body body;
  Body otherwise;
  // Macros and call blocks.
  std::string name;
  uint32_t symbol = 0;
  std::vector<Parameter> parameters;
  bool uses_caller = false;
  bool uses_varargs = false;
  bool uses_kwargs = false;
};

// Names that the evaluator itself looks up; interned first, in this order.
enum Symbol : uint32_t { kLoop, kCaller, kVarargs, kKwargs, kFirstFree };

struct Program {
  Body body;
  std::vector<std::string> symbols;
};

}  // namespace strata::models::jinja
