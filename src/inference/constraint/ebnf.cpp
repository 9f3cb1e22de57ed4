#include "inference/constraint/ebnf.h"

#include <algorithm>
#include <functional>
#include <set>

#include "core/error.h"
#include "inference/constraint/limits.h"
#include "inference/constraint/token_trie.h"

namespace strata::inference {
namespace {

constexpr ExprId kNothing = Expressions::kNothing;
constexpr ExprId kEmpty = Expressions::kEmpty;
using Kind = EbnfNode::Kind;

using Graph = std::vector<std::vector<size_t>>;  // by place, the places that it leads to

// The sets of places that lead to each other (Tarjan, "Depth-first search and linear graph
// algorithms", 1972). Looks into as many at once as there are rules, of which a grammar has few.
class Components {
 public:
  explicit Components(const Graph& next)
      : next_(next), order_(next.size()), lowest_(next.size()), is_open_(next.size()) {
    for (size_t place = 0; place < next.size(); ++place) {
      if (order_[place] == 0) visit(place);
    }
    std::ranges::sort(found_);
  }

  // Sorted, and so are the places of each.
  const std::vector<std::vector<size_t>>& found() const { return found_; }

 private:
  void visit(size_t place) {
    order_[place] = lowest_[place] = ++n_seen_;
    is_open_[place] = true;
    open_.push_back(place);
    for (const size_t next : next_[place]) {
      if (order_[next] == 0) visit(next);
      if (is_open_[next]) lowest_[place] = std::min(lowest_[place], lowest_[next]);
    }
    if (lowest_[place] == order_[place]) close(place);
  }

  // All that was opened behind the first of a set belongs to it.
  void close(size_t first) {
    const auto begin = std::find(open_.begin(), open_.end(), first);
    std::vector<size_t> set(begin, open_.end());
    open_.erase(begin, open_.end());
    for (const size_t place : set) is_open_[place] = false;
    std::ranges::sort(set);
    found_.push_back(std::move(set));
  }

  const Graph& next_;
  std::vector<size_t> order_;   // in which they were seen, from 1; 0: not yet
  std::vector<size_t> lowest_;  // the first of those that are open which a place leads to
  std::vector<bool> is_open_;
  std::vector<size_t> open_;
  size_t n_seen_ = 0;
  std::vector<std::vector<size_t>> found_;
};

// Rules that begin with each other are solved together: with A_k = sum of A_j a_jk, or b_k, every
// A_k is the sum of b_j R_jk, where R_jk is empty for j = k, or a sum of a_jl R_lk (Rosenkrantz,
// "Matrix equations and normal forms for context-free grammars", 1967).
class EbnfCompiler {
 public:
  EbnfCompiler(Expressions& x, const Ebnf& grammar) : x_(x), grammar_(grammar) {}

  ExprId compile() {
    require(grammar_.start);
    if (grammar_.rules.size() > kMaxGrammarRules) {
      refuse(fmt::format("the grammar has {} rules, the limit is {}", grammar_.rules.size(),
                         kMaxGrammarRules));
    }
    for (const auto& [name, _] : grammar_.rules) {
      numbers_[name] = x_.add_rule();
      names_.push_back(name);
    }
    const Graph first = first_rules();
    const Components components(first);
    for (const std::vector<size_t>& rules : components.found()) {
      if (rules.size() == 1 && !std::ranges::count(first[rules[0]], rules[0])) {
        const std::string& name = names_[rules[0]];
        x_.set_body(numbers_[name], blocks(text_of(require(name))));
      } else {
        solve(names_of(rules));
      }
    }
    check_alive();
    return x_.rule(numbers_[grammar_.start]);
  }

 private:
  // A way in which a rule may begin: with a rule of its cycle, or not.
  struct Beginning {
    std::string rule;
    ExprId rest = kEmpty;
  };

  [[noreturn]] static void refuse(std::string message, std::string hint = {}) {
    throw Error(Code::invalid_argument, std::move(message), std::move(hint));
  }
  const EbnfNode& require(const std::string& name) const {
    const auto known = grammar_.rules.find(name);
    if (known == grammar_.rules.end()) refuse(fmt::format("the grammar has no rule {}", name));
    return known->second;
  }

  void check_alive() {
    std::vector<int32_t> rules;
    for (const std::string& name : names_) rules.push_back(numbers_[name]);
    const std::vector<bool> dead = x_.dead_rules(rules);
    const auto first = std::ranges::find(dead, true);
    if (first == dead.end()) return;
    refuse(fmt::format("no text follows the rule {}",
                       names_[static_cast<size_t>(first - dead.begin())]),
           "give it an alternative that ends");
  }

  ExprId blocks(ExprId id) { return x_.at(id).regular ? x_.block(id) : id; }

  // What is regular becomes one block, as far as it goes.
  ExprId text_of(const EbnfNode& node) {
    switch (node.kind) {
      case Kind::text:
        return node.text;
      case Kind::rule:
        require(node.rule);
        return x_.rule(numbers_[node.rule]);
      case Kind::repeat:
        return x_.repeat(text_of(node.parts[0]), node.least, node.most);
      case Kind::choice:
        return choice_of(node.parts);
      case Kind::sequence:
        break;
    }
    return sequence_of(node.parts);
  }

  ExprId choice_of(const std::vector<EbnfNode>& parts) {
    std::vector<ExprId> texts;
    for (const EbnfNode& part : parts) texts.push_back(text_of(part));
    const bool regular =
        std::all_of(texts.begin(), texts.end(), [&](ExprId text) { return x_.at(text).regular; });
    if (!regular)
      std::transform(texts.begin(), texts.end(), texts.begin(),
                     [&](ExprId text) { return blocks(text); });
    return x_.any_of(texts);
  }

  ExprId sequence_of(const std::vector<EbnfNode>& parts) {
    std::vector<ExprId> texts;
    bool regular = true;
    for (const EbnfNode& part : parts) {
      texts.push_back(text_of(part));
      regular = regular && x_.at(texts.back()).regular;
    }
    ExprId id = kEmpty;
    for (size_t i = texts.size(); i-- > 0;) {
      const bool joins = !regular && x_.at(texts[i]).regular;
      ExprId run = texts[i];
      while (joins && i > 0 && x_.at(texts[i - 1]).regular) run = x_.sequence(texts[--i], run);
      id = x_.sequence(joins ? x_.block(run) : run, id);
    }
    return id;
  }

  // The rules that the parts from `at` on may begin with.
  void beginnings(const std::vector<EbnfNode>& parts, size_t at, std::set<std::string>& rules) {
    for (; at < parts.size(); ++at) {
      const EbnfNode& node = parts[at];
      if (node.kind == Kind::text) {
        if (!x_.at(node.text).regular || !x_.nullable(node.text)) return;
      } else if (node.kind == Kind::rule) {
        rules.insert(node.rule);
        return;
      } else if (node.kind == Kind::choice) {
        for (const EbnfNode& part : node.parts) beginnings({part}, 0, rules);
        if (!may_be_empty(node)) return;
      } else {
        beginnings(node.parts, 0, rules);
        if (!may_be_empty(node)) return;
      }
    }
  }

  bool may_be_empty(const EbnfNode& node) {
    const auto empty = [&](const EbnfNode& part) { return may_be_empty(part); };
    switch (node.kind) {
      case Kind::text:
        return x_.at(node.text).regular && x_.nullable(node.text);
      case Kind::rule:
        return false;  // where it may, seal() finds what is not solved
      case Kind::sequence:
        return std::all_of(node.parts.begin(), node.parts.end(), empty);
      case Kind::choice:
        return std::any_of(node.parts.begin(), node.parts.end(), empty);
      case Kind::repeat:
        break;
    }
    return node.least == 0 || may_be_empty(node.parts[0]);
  }

  // By the number of each rule, those that it may begin with.
  Graph first_rules() {
    Graph first;
    for (const auto& [_, node] : grammar_.rules) {
      std::set<std::string> names;
      beginnings({node}, 0, names);
      first.emplace_back();
      for (const std::string& name : names) {
        const auto known = std::ranges::lower_bound(names_, name);
        if (known == names_.end() || *known != name) continue;  // text_of() refuses it
        first.back().push_back(static_cast<size_t>(known - names_.begin()));
      }
    }
    return first;
  }

  std::vector<std::string> names_of(const std::vector<size_t>& rules) const {
    constexpr size_t kMaxCycle = 64;
    if (rules.size() > kMaxCycle) {
      refuse(
          fmt::format("{} rules begin with each other, the limit is {}", rules.size(), kMaxCycle));
    }
    std::vector<std::string> names;
    for (const size_t rule : rules) names.push_back(names_[rule]);
    return names;
  }

  void begin_with(const std::vector<EbnfNode>& parts, const std::set<std::string>& cycle,
                  std::vector<Beginning>& out, int32_t depth = 0) {
    if (out.size() > kMaxSchemas || depth > kMaxRuleDepth) {
      refuse("a rule that begins with itself has too many ways to begin");
    }
    if (parts.empty()) {
      out.push_back({});
      return;
    }
    const EbnfNode& first = parts[0];
    const auto go_on = [&](std::vector<EbnfNode> front) {
      front.insert(front.end(), parts.begin() + 1, parts.end());
      begin_with(front, cycle, out, depth + 1);
    };
    if (first.kind == Kind::rule && cycle.contains(first.rule)) {
      out.push_back({first.rule, blocks(sequence_of({parts.begin() + 1, parts.end()}))});
    } else if (first.kind == Kind::text || first.kind == Kind::rule) {
      out.push_back({"", blocks(sequence_of(parts))});
    } else if (first.kind == Kind::sequence) {
      go_on(first.parts);
    } else if (first.kind == Kind::choice) {
      for (const EbnfNode& part : first.parts) go_on({part});
    } else {
      if (first.most != 0) {
        EbnfNode rest = first;
        rest.least = std::max(0, first.least - 1);
        rest.most = first.most < 0 ? -1 : first.most - 1;
        go_on({first.parts[0], rest});
      }
      if (first.least == 0) go_on({});
    }
  }

  void solve(const std::vector<std::string>& cycle) {
    const std::set<std::string> members(cycle.begin(), cycle.end());
    const size_t n = cycle.size();
    std::vector<std::vector<ExprId>> step(n, std::vector<ExprId>(n, kNothing));  // a_jk
    std::vector<ExprId> begin(n, kNothing);                                      // b_k
    for (size_t k = 0; k < n; ++k) {
      std::vector<Beginning> ways;
      begin_with({require(cycle[k])}, members, ways);
      for (const Beginning& way : ways) {
        const auto j =
            static_cast<size_t>(std::find(cycle.begin(), cycle.end(), way.rule) - cycle.begin());
        ExprId& into = way.rule.empty() ? begin[k] : step[j][k];
        if (!way.rule.empty() && way.rest == kEmpty && j == k) continue;  // A: A says nothing
        into = x_.any_of({into, way.rest});
      }
    }
    std::vector<std::vector<bool>> leads(n, std::vector<bool>(n));  // whether R_jk has a text
    for (size_t j = 0; j < n; ++j) {
      for (size_t k = 0; k < n; ++k) leads[j][k] = j == k || step[j][k] != kNothing;
    }
    for (size_t via = 0; via < n; ++via) {
      for (size_t j = 0; j < n; ++j) {
        for (size_t k = 0; k < n; ++k) {
          if (leads[j][via] && leads[via][k]) leads[j][k] = true;
        }
      }
    }
    std::vector<std::vector<int32_t>> rest(n, std::vector<int32_t>(n));  // R_jk
    for (auto& row : rest) {
      for (int32_t& rule : row) rule = x_.add_rule();
    }
    for (size_t k = 0; k < n; ++k) {
      std::vector<ExprId> whole;
      for (size_t j = 0; j < n; ++j) {
        std::vector<ExprId> parts{j == k ? kEmpty : kNothing};
        for (size_t l = 0; l < n; ++l) {
          if (leads[l][k]) parts.push_back(x_.sequence(step[j][l], x_.rule(rest[l][k])));
        }
        x_.set_body(rest[j][k], x_.any_of(parts));
        if (leads[j][k]) whole.push_back(x_.sequence(begin[j], x_.rule(rest[j][k])));
      }
      x_.set_body(numbers_[cycle[k]], x_.any_of(whole));
    }
  }

  Expressions& x_;
  const Ebnf& grammar_;
  std::map<std::string, int32_t> numbers_;
  std::vector<std::string> names_;  // sorted: a rule's place is its number in a Graph
};

}  // namespace

EbnfNode ebnf_text(ExprId text) {
  return {.kind = Kind::text, .text = text};
}

EbnfNode ebnf_rule(std::string name) {
  return {.kind = Kind::rule, .rule = std::move(name)};
}

EbnfNode ebnf_list(EbnfNode::Kind kind, std::vector<EbnfNode> parts) {
  if (parts.size() == 1) return std::move(parts[0]);
  return {.kind = kind, .parts = std::move(parts)};
}

EbnfNode ebnf_repeat(EbnfNode part, int32_t least, int32_t most) {
  EbnfNode node{.kind = Kind::repeat, .least = least, .most = most};
  node.parts.push_back(std::move(part));
  return node;
}

ExprId compile_ebnf(Expressions& x, const Ebnf& grammar) {
  return EbnfCompiler(x, grammar).compile();
}

ExprId special_token(Expressions& x, std::string_view spelled) {
  const ExprId text = x.text(spelled);
  const ExprId mark = x.bytes(ByteSet::of(TokenTrie::kControl, TokenTrie::kControl));
  return x.any_of({text, x.sequence(mark, text)});
}

ExprId marker_text(Expressions& x, std::string_view text) {
  constexpr std::string_view kBegins = "<[]";
  const ExprId mark = x.optional(x.bytes(ByteSet::of(TokenTrie::kControl, TokenTrie::kControl)));
  ExprId id = Expressions::kEmpty;
  for (size_t i = text.size(); i-- > 0;) {
    id = x.sequence(x.text(text.substr(i, 1)), id);
    if (i == 0 || kBegins.find(text[i]) != std::string_view::npos) id = x.sequence(mark, id);
  }
  return id;
}

}  // namespace strata::inference
