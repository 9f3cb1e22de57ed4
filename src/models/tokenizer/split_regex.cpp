#include "models/tokenizer/split_regex.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <algorithm>
#include <array>

#include <pcre2.h>

#include "core/check.h"
#include "core/error.h"
#include "core/utf8.h"
#include "models/tokenizer/tokenizer_limits.h"

namespace strata::models {
namespace {

[[noreturn]] void refuse(std::string_view pattern, int error, size_t offset) {
  std::array<unsigned char, 256> reason{};
  pcre2_get_error_message(error, reason.data(), reason.size());
  throw Error(Code::invalid_argument,
              fmt::format("the split pattern of {} bytes cannot be read at byte {}: {}",
                          pattern.size(), offset, reinterpret_cast<const char*>(reason.data())));
}

}  // namespace

RegexBudget::RegexBudget(size_t text_bytes)
    : steps(kRegexTextSteps + kRegexStepsPerByte * text_bytes) {}

RegexBudget RegexBudget::of_token(size_t bytes) {
  RegexBudget budget(0);
  budget.steps = kRegexTokenSteps + kRegexStepsPerByte * bytes;
  return budget;
}

struct SplitRegex::Compiled {
  Compiled() = default;
  Compiled(const Compiled&) = delete;
  Compiled& operator=(const Compiled&) = delete;
  ~Compiled() { pcre2_code_free(code); }
  pcre2_code* code = nullptr;
};

SplitRegex::SplitRegex(std::string_view pattern, Anchors anchors)
    : compiled_(std::make_unique<Compiled>()) {
  if (pattern.size() > kMaxPatternBytes) {
    throw Error(Code::invalid_argument,
                fmt::format("the split pattern has {} bytes, the limit is {}", pattern.size(),
                            kMaxPatternBytes));
  }
  const std::unique_ptr<pcre2_compile_context, decltype(&pcre2_compile_context_free)> context(
      pcre2_compile_context_create(nullptr), pcre2_compile_context_free);
  CHECK(context != nullptr);
  pcre2_set_newline(context.get(), PCRE2_NEWLINE_LF);
  const uint32_t ends = anchors == Anchors::line ? PCRE2_MULTILINE : PCRE2_DOLLAR_ENDONLY;
  int error = 0;
  PCRE2_SIZE offset = 0;
  compiled_->code = pcre2_compile(reinterpret_cast<PCRE2_SPTR>(pattern.data()), pattern.size(),
                                  PCRE2_UTF | PCRE2_UCP | PCRE2_NEVER_BACKSLASH_C | ends, &error,
                                  &offset, context.get());
  if (compiled_->code == nullptr) refuse(pattern, error, offset);
  pcre2_jit_compile(compiled_->code,
                    PCRE2_JIT_COMPLETE);  // without it matching is slower, not wrong
}

SplitRegex::SplitRegex(SplitRegex&&) noexcept = default;
SplitRegex::~SplitRegex() = default;

struct SplitRegex::Search::State {
  State(const pcre2_code* compiled, RegexBudget& of_text)
      : code(compiled),
        budget(&of_text),
        data(pcre2_match_data_create_from_pattern(code, nullptr)),
        context(pcre2_match_context_create(nullptr)),
        stack(pcre2_jit_stack_create(32 << 10, kRegexStackBytes, nullptr)) {
    CHECK(data != nullptr && context != nullptr && stack != nullptr);
    pcre2_set_heap_limit(context, kRegexStackBytes >> 10);  // of matching without JIT, in KiB
    pcre2_jit_stack_assign(context, nullptr, stack);
  }
  State(const State&) = delete;
  State& operator=(const State&) = delete;
  ~State() {
    pcre2_match_data_free(data);
    pcre2_match_context_free(context);
    pcre2_jit_stack_free(stack);
  }

  // Whether the pattern matches at or behind `from`. PCRE2 does not tell how many steps it took:
  // the limit grows until the match ends, and the last one is what is taken from the budget.
  bool find() const {
    for (uint64_t limit = kRegexFreeSteps;; limit *= 16) {
      const uint64_t most = std::min<uint64_t>(kRegexMatchLimit, budget->steps);
      const bool last = limit >= most;
      pcre2_set_match_limit(context, static_cast<uint32_t>(last ? most : limit));
      const int found = pcre2_match(code, reinterpret_cast<PCRE2_SPTR>(piece.data()), piece.size(),
                                    from, PCRE2_NO_UTF_CHECK, data, context);
      if (found == PCRE2_ERROR_MATCHLIMIT && !last) continue;
      if (found < 0 && found != PCRE2_ERROR_NOMATCH) refuse_text(found, most);
      if (limit > kRegexFreeSteps) budget->steps -= std::min(limit, most);
      return found >= 0;
    }
  }

  [[noreturn]] static void refuse_text(int error, uint64_t steps) {
    const std::string_view of = steps < kRegexMatchLimit ? "the rest of the text" : "one word";
    throw Error(Code::resource_exhausted,
                fmt::format("the text's split into words needs more than {} steps for {}, or {} "
                            "bytes (regular expression error {})",
                            steps, of, kRegexStackBytes, error),
                "send the text in smaller parts");
  }

  const pcre2_code* code;
  RegexBudget* budget;
  pcre2_match_data* data;
  pcre2_match_context* context;
  pcre2_jit_stack* stack;
  std::string_view piece;
  size_t from = 0;               // where the search goes on
  size_t last_end = ~size_t{0};  // of the match before
};

SplitRegex::Search::Search(const SplitRegex& regex, RegexBudget& budget)
    : state_(std::make_unique<State>(regex.compiled_->code, budget)) {}
SplitRegex::Search::~Search() = default;

void SplitRegex::Search::start(std::string_view piece) {
  state_->piece = piece;
  state_->from = 0;
  state_->last_end = ~size_t{0};
}

bool SplitRegex::Search::next(size_t& begin, size_t& end) {
  State& state = *state_;
  while (state.from <= state.piece.size() && state.find()) {
    const PCRE2_SIZE* ends = pcre2_get_ovector_pointer(state.data);
    // \K could put the begin behind the end.
    begin = std::min(ends[0], ends[1]);
    end = ends[1];
    if (end == begin && end == state.last_end) {
      if (end >= state.piece.size()) return false;
      state.from = end + utf8_length_at(state.piece, end);
      continue;
    }
    state.from = state.last_end = end;
    return true;
  }
  return false;
}

Ends SplitRegex::split(std::string_view text, size_t begin, const Ends& pieces) const {
  RegexBudget budget(pieces.empty() ? 0 : pieces.back() - begin);
  Search search(*this, budget);
  Ends out;
  out.reserve(pieces.size() + 16);
  size_t last = begin;
  const auto cut = [&](size_t position) {
    if (position > last) out.push_back(static_cast<uint32_t>(position));
    last = std::max(last, position);
  };
  for (const size_t end : pieces) {
    search.start(text.substr(begin, end - begin));
    for (size_t from = 0, to = 0; search.next(from, to);) {
      cut(begin + from);
      cut(begin + to);
    }
    cut(end);
    begin = end;
  }
  return out;
}

}  // namespace strata::models
