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
  uint64_t free_steps = kRegexFreeSteps;
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
  compiled_->code =
      pcre2_compile(reinterpret_cast<PCRE2_SPTR>(pattern.data()), pattern.size(),
                    PCRE2_UTF | PCRE2_UCP | PCRE2_NEVER_BACKSLASH_C | PCRE2_USE_OFFSET_LIMIT | ends,
                    &error, &offset, context.get());
  if (compiled_->code == nullptr) refuse(pattern, error, offset);
  // Without it matching is slower, not wrong, and takes more steps, which are smaller.
  const int jit = pcre2_jit_compile(compiled_->code, PCRE2_JIT_COMPLETE | PCRE2_JIT_PARTIAL_HARD);
  if (jit != 0) compiled_->free_steps = kRegexFreeStepsWithoutJit;
}

SplitRegex::SplitRegex(SplitRegex&&) noexcept = default;
SplitRegex::~SplitRegex() = default;

struct SplitRegex::Search::State {
  State(const Compiled& compiled, RegexBudget& of_text)
      : code(compiled.code),
        free_steps(compiled.free_steps),
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

  // What came of a look: the pattern matches, or does not, or that depends on text behind the
  // window, or it takes more steps.
  enum class Look : uint8_t { match, none, further, harder };

  // Whether the pattern matches at or behind `from`; moves it to where a match may begin first.
  //
  // PCRE2 limits the steps of each place where a match may begin, and one step may run through all
  // of the text. So it sees a window only, and says where the text behind it matters (a partial
  // match). Places that need more than a few steps in a small window, which no published pattern
  // does but for long words, are tried one by one, with ever more of both, and charged.
  bool find() {
    size_t alone_until = from;
    for (;;) {
      const bool alone = from < alone_until;
      Look found = look(free_steps, kRegexWindow, alone);
      if (found == Look::harder && !alone) {
        alone_until = window_end + 1;
        continue;
      }
      bool at_one = alone;
      if (found == Look::further || found == Look::harder) {
        if (!alone) from = std::clamp(pcre2_get_ovector_pointer(data)[0], from, window_end);
        found = insist(found);
        at_one = true;
      }
      if (found == Look::match) return true;
      if ((at_one ? from : window_end) == piece.size()) return false;
      from = at_one ? from + utf8_length_at(piece, from) : window_end;
    }
  }

  // At `from` alone, and what it takes is taken from the budget.
  Look insist(Look last) {
    uint64_t steps = free_steps, windows = 1;
    while (last == Look::further || last == Look::harder) {
      if (last == Look::further) windows *= 4;
      const uint64_t most = std::min<uint64_t>(kRegexMatchLimit, budget->steps / windows);
      if (last == Look::harder ? steps >= most : steps > most) {
        refuse_text(PCRE2_ERROR_MATCHLIMIT, most);
      }
      if (last == Look::harder) steps = std::min(steps * 16, most);
      budget->steps -= steps * windows;
      last = look(steps, windows * kRegexWindow, true);
    }
    return last;
  }

  Look look(uint64_t steps, size_t window, bool alone) {
    const bool all = window >= piece.size() - from;
    window_end = all ? piece.size() : from + window;
    while (!all && (piece[window_end] & 0xC0) == 0x80) --window_end;  // inside a character
    pcre2_set_match_limit(context, static_cast<uint32_t>(steps));
    pcre2_set_offset_limit(context, alone ? from : PCRE2_UNSET);
    const int found =
        pcre2_match(code, reinterpret_cast<PCRE2_SPTR>(piece.data()), window_end, from,
                    PCRE2_NO_UTF_CHECK | (all ? 0 : PCRE2_PARTIAL_HARD), data, context);
    if (found == PCRE2_ERROR_NOMATCH) return Look::none;
    if (found == PCRE2_ERROR_MATCHLIMIT) return Look::harder;
    if (found == PCRE2_ERROR_PARTIAL) return Look::further;
    if (found < 0) refuse_text(found, steps);
    // At a window's end the pattern took it for the end of the text.
    const bool seen = all || pcre2_get_ovector_pointer(data)[0] < window_end;
    return seen ? Look::match : Look::further;
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
  uint64_t free_steps;
  RegexBudget* budget;
  pcre2_match_data* data;
  pcre2_match_context* context;
  pcre2_jit_stack* stack;
  std::string_view piece;
  size_t from = 0;               // where the search goes on
  size_t window_end = 0;         // of the last look
  size_t last_end = ~size_t{0};  // of the match before
};

SplitRegex::Search::Search(const SplitRegex& regex, RegexBudget& budget)
    : state_(std::make_unique<State>(*regex.compiled_, budget)) {}
SplitRegex::Search::~Search() = default;

void SplitRegex::Search::start(std::string_view piece) {
  if (!is_valid_utf8(piece)) {  // what PCRE2 would do is not defined
    throw Error(Code::invalid_argument, "a pattern is to be found in bytes that are no UTF-8");
  }
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
