// Texts as expressions that are built once and shared: regular ones with intersection and
// complement, and rules that may refer to themselves. What may follow a text is again an
// expression, its derivative (Brzozowski, "Derivatives of regular expressions", 1964; Owens et al.,
// 2009), so that a place in a grammar is one number. docs/engine/constraints.md
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <initializer_list>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include <boost/container/small_vector.hpp>

#include "inference/constraint/byte_groups.h"
#include "inference/constraint/byte_set.h"
#include "inference/constraint/limits.h"
#include "inference/constraint/numbered.h"

namespace strata::inference {

using ExprId = int32_t;

enum class Op : uint8_t {
  nothing,   // matches no text
  empty,     // the empty text
  bytes,     // one byte of set a
  sequence,  // a, then b
  any_of,    // of list a, b of them
  all_of,    // the same
  none_of,   // every text but a's
  repeat,    // a, at least b, at most c times; c = -1: without end
  multiple,  // digits, perhaps a point in them: a multiple (Multiple number a)
  block,     // a, regular: what is looked up for itself when tokens are chosen
  rule,      // rule number a
  trigger,   // any text; behind one of the triggers its rule; place a
  unless,    // the texts of a that begin with none of b's
};

struct Expr {
  Op op = Op::nothing;
  bool regular = true;
  bool conjunction = false;  // has all_of in it
  int32_t a = 0;
  int32_t b = 0;
  int32_t c = 0;
};

// A number's digits so far: the number is k * 10^-digits times an integer where the rest is 0.
struct Multiple {
  int64_t k = 1;
  int64_t rest = 0;     // of what was read, modulo k
  int32_t digits = 0;   // behind the point, that count
  int32_t behind = -1;  // digits read behind the point; -1: no point yet
  bool operator==(const Multiple&) const = default;
};

// Not thread-safe. Errors: invalid_argument or resource_exhausted beyond limits.h.
class Expressions {
 public:
  static constexpr ExprId kNothing = 0;
  static constexpr ExprId kEmpty = 1;

  Expressions();

  ExprId bytes(const ByteSet& set);
  ExprId text(std::string_view literal);
  ExprId texts(std::vector<std::string> literals);  // one of them
  ExprId sequence(ExprId a, ExprId b);
  ExprId sequence(std::initializer_list<ExprId> parts);
  ExprId any_of(std::span<const ExprId> parts);
  ExprId any_of(std::initializer_list<ExprId> parts) { return any_of(std::span(parts)); }
  ExprId all_of(std::span<const ExprId> parts);  // regular ones
  ExprId all_of(std::initializer_list<ExprId> parts) { return all_of(std::span(parts)); }
  ExprId none_of(ExprId a);  // of a regular one
  ExprId repeat(ExprId a, int32_t least, int32_t most);
  ExprId optional(ExprId a) { return any_of({kEmpty, a}); }
  ExprId block(ExprId a);
  ExprId multiple(const Multiple& state);

  // A rule's body is set later, or made when it is first needed; such a body matches no empty text
  // and holds sets of bytes that were known before seal() only. `witness` has a text where such a
  // body has one.
  int32_t add_rule();
  int32_t add_rule(std::function<ExprId()> body, ExprId witness);
  void set_body(int32_t rule, ExprId body) { rules_[static_cast<size_t>(rule)].body = body; }
  ExprId rule(int32_t rule);
  ExprId body(int32_t rule);
  // The texts of `a` that begin with none of b's; b has no empty text.
  ExprId unless(ExprId a, ExprId b);
  struct Trigger {
    std::string begin;
    ExprId rule = kEmpty;  // what stands behind it
    bool last = false;     // behind that stands nothing
  };
  // From now on there is free text in front of the triggers' rules, and behind those that are not
  // last.
  ExprId free_text(std::vector<Trigger> triggers);

  // The sets are known, every rule but those made later has its body. Errors: invalid_argument (a
  // rule begins with itself).
  void seal();
  // Which of these rules have no text.
  std::vector<bool> dead_rules(std::span<const int32_t> rules);

  // After seal().
  ExprId derivative(ExprId id, uint8_t byte) {
    if (id == kNothing || id == kEmpty) return kNothing;
    const Row& row = rows_[static_cast<size_t>(id)];
    if (row.byte == byte && row.next >= 0) return row.next;
    if (row.cells >= 0) {
      const ExprId next = cells_[static_cast<size_t>(row.cells) + groups_.group(row.groups, byte)];
      if (next >= 0) return next;
    }
    return find_derivative(id, byte);
  }
  // Bytes of one class lead to the same places everywhere.
  uint8_t class_of(uint8_t byte) const { return classes_[byte]; }
  // Those of one group lead to the same place from here.
  std::vector<ByteGroups::Group> groups_of(ExprId id) { return groups_.groups(partition(id)); }
  bool nullable(ExprId id) {
    const int8_t known = rows_[static_cast<size_t>(id)].nullable;
    return known >= 0 ? known == 1 : find_nullable(id);
  }
  // Of a regular one, also before seal().
  bool matches(ExprId id, std::string_view text);
  // Bytes that its texts may begin with, and perhaps others. After seal().
  ByteSet first_bytes(ExprId id) { return firsts_[static_cast<size_t>(first(id))]; }

  const Expr& at(ExprId id) const { return exprs_[static_cast<size_t>(id)]; }
  std::span<const ExprId> list(const Expr& e) const {
    return std::span(lists_).subspan(static_cast<size_t>(e.a), static_cast<size_t>(e.b));
  }
  const ByteSet& set(const Expr& e) const { return sets_[static_cast<size_t>(e.a)]; }
  const Multiple& number(const Expr& e) const { return multiples_[static_cast<size_t>(e.a)]; }
  size_t size() const { return exprs_.size(); }
  // Of derivatives that are remembered.
  size_t n_remembered() const { return cells_.size() + unsealed_.size(); }
  // How much may still be derived; below 0 it is refused.
  void allow(int64_t steps) { steps_ = steps; }
  // What is done for a rule beside that, and has no smaller limit of its own.
  void spend(int64_t steps = 1) {
    steps_ -= steps;
    if (steps_ < 0) refuse_steps();
  }

  // In a JSON string behind its opening quote (json_text.h): with any escapes, and with those of
  // Spelling::json; -1: not built.
  std::array<ExprId, 2> string_tails{-1, -1};
  // Any value, any object, any array (json_text.h): rules that are the same in every grammar; -1:
  // not built.
  std::array<ExprId, 3> json_rules{-1, -1, -1};

 private:
  static constexpr ExprId kAnyText = 2;  // none_of(kNothing)

  struct Rule {
    ExprId body = -1;
    std::function<ExprId()> make;
    ExprId witness = kEmpty;
    bool nullable = false;
  };

  // Nearly all are few, and need no memory of their own.
  using Parts = boost::container::small_vector<ExprId, 16>;

  ExprId intern(Expr e, std::span<const ExprId> list = {});
  template <typename Value>
  int32_t number_of(Numbered<Value>& known, const Value& value);
  size_t hash_of(const Expr& e, std::span<const ExprId> list) const;
  bool same(const Expr& known, const Expr& e, std::span<const ExprId> list) const;
  void grow_slots();
  bool is_part_of(ExprId a, ExprId b) const;
  Parts flatten(std::span<const ExprId> parts, Op op, ExprId neutral) const;
  bool is_factored(const Parts& parts) const;
  void factor(Parts& parts);
  // What is known of an expression; -1: not known.
  struct Row {
    ExprId next = -1;       // the first derivative that was asked for, by `byte`
    int32_t cells = -1;     // where all stand in cells_, by group of bytes, once there is another
    int32_t unproven = -1;  // the same, of those whose emptiness is not known
    int32_t groups = -1;    // a partition of groups_
    int32_t first = -1;     // of firsts_
    uint8_t byte = 0;
    int8_t nullable = -1;
    int8_t live = -1;  // of all_of, and what its proof came across
  };

  ExprId find_derivative(ExprId id, uint8_t byte);
  ExprId find_unsealed(ExprId id, uint8_t byte);
  void forget_derivatives();
  int32_t first(ExprId id) {
    const int32_t known = rows_[static_cast<size_t>(id)].first;
    return known >= 0 ? known : find_first(id);
  }
  int32_t find_first(ExprId id);
  int32_t make_first(ExprId id);
  int32_t keep_first(const ByteSet& set);
  int32_t partition(ExprId id);
  int32_t find_partition(ExprId id);
  int32_t partition_of_set(int32_t set);
  ExprId derive(ExprId id, uint8_t byte);
  ExprId derive_any(const Expr& e, uint8_t byte);
  ExprId derive_trigger(int32_t place, uint8_t byte);
  ExprId derive_multiple(const Expr& e, uint8_t byte);
  bool find_nullable(ExprId id);
  bool compute_nullable(ExprId id);
  bool is_live(ExprId id);
  bool search_live(ExprId id);
  std::optional<bool> proven(ExprId id);  // whether it is live; nullopt: not known yet
  bool see(ExprId id, int32_t from);
  void end_search();

  // live_numbers.cpp
  struct NumberParts {
    ExprId others = kNothing;  // what else is asked of the digits
    int64_t k = 1;
    int64_t rest = 0;
    bool fractions = false;  // some multiples have digits behind the point
  };
  struct DigitTexts {
    bool none, all;  // of them match
    bool point;      // a point may follow one of them
  };
  std::optional<NumberParts> number_parts(ExprId id);
  DigitTexts digit_texts(ExprId id, int32_t n);
  bool reaches_multiple(const NumberParts& parts, int32_t n);
  std::optional<bool> multiple_can_follow(ExprId id);

  std::vector<uint8_t> bytes_of(ExprId id);
  // How many of which parts must have a text, so that an expression has one.
  struct Needs {
    int32_t n = 0;
    std::vector<ExprId> of = {};
  };
  Needs needs_of(ExprId id) const;
  void set_classes();
  void check_left_recursion();
  [[noreturn]] static void refuse_steps();
  [[noreturn]] static void refuse_depth();

  // How deep an expression is looked into, for the sake of the stack.
  class Depth {
   public:
    explicit Depth(Expressions& owner) : depth_(owner.depth_) {
      if (depth_ >= kMaxExpressionDepth) refuse_depth();
      ++depth_;
    }
    ~Depth() { --depth_; }
    Depth(const Depth&) = delete;
    Depth& operator=(const Depth&) = delete;

   private:
    int32_t& depth_;
  };

  std::vector<Expr> exprs_;
  std::vector<ExprId> lists_;
  Numbered<ByteSet> sets_;
  Numbered<Multiple> multiples_;
  std::vector<Rule> rules_;
  std::vector<Trigger> triggers_;
  std::vector<int32_t> slots_;                     // open addressing: 0 free, else id + 1
  std::vector<Row> rows_;                          // per expression
  std::vector<ExprId> cells_;                      // -1: not known
  std::unordered_map<uint64_t, ExprId> unsealed_;  // derivatives in proofs before seal()
  // What a proof has seen, and behind which of these; which of them are to be looked at. They keep
  // their memory: a list and maps made for each proof took a quarter of its instructions.
  struct Seen {
    ExprId id;
    int32_t from;
  };
  std::vector<Seen> seen_;
  std::vector<int32_t> open_;
  std::map<std::pair<ExprId, int32_t>, DigitTexts> digit_texts_;
  int32_t digit_steps_ = 0;  // that one proof may still take
  std::array<uint8_t, 256> classes_{};
  std::vector<ByteSet> firsts_;
  ByteGroups groups_;
  std::vector<int32_t> set_groups_;  // by set: a partition, or -1
  bool sealed_ = false;
  bool searching_ = false;
  int64_t steps_ = 0;
  int32_t depth_ = 0;
};

}  // namespace strata::inference
