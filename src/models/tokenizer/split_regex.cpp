#include "models/tokenizer/split_regex.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <algorithm>

#include <pcre2.h>

#include "core/check.h"
#include "core/error.h"
#include "core/utf8.h"
#include "models/tokenizer/tokenizer_limits.h"

namespace strata::models {
namespace {

// What a match needs beside the pattern; one a call, so that calls may run at once.
struct Matching {
  explicit Matching(const pcre2_code* code)
      : data(pcre2_match_data_create_from_pattern(code, nullptr)),
        context(pcre2_match_context_create(nullptr)),
        stack(pcre2_jit_stack_create(32 << 10, kRegexStackBytes, nullptr)) {
    CHECK(data != nullptr && context != nullptr && stack != nullptr);
    pcre2_set_match_limit(context, kRegexMatchLimit);
    pcre2_jit_stack_assign(context, nullptr, stack);
  }
  ~Matching() {
    pcre2_match_data_free(data);
    pcre2_match_context_free(context);
    pcre2_jit_stack_free(stack);
  }
  Matching(const Matching&) = delete;
  Matching& operator=(const Matching&) = delete;

  // Whether the pattern matches at or behind `from`.
  bool find(const pcre2_code* code, std::string_view piece, size_t from) const {
    const int found = pcre2_match(code, reinterpret_cast<PCRE2_SPTR>(piece.data()), piece.size(),
                                  from, PCRE2_NO_UTF_CHECK, data, context);
    if (found >= 0) return true;
    if (found == PCRE2_ERROR_NOMATCH) return false;
    throw Error(Code::resource_exhausted,
                fmt::format("the text's split into words needs more than {} steps or {} bytes "
                            "(regular expression error {})",
                            kRegexMatchLimit, kRegexStackBytes, found),
                "send the text in smaller parts");
  }

  pcre2_match_data* data;
  pcre2_match_context* context;
  pcre2_jit_stack* stack;
};

}  // namespace

struct SplitRegex::Compiled {
  ~Compiled() { pcre2_code_free(code); }
  pcre2_code* code = nullptr;
};

SplitRegex::SplitRegex(std::string_view pattern) : compiled_(std::make_unique<Compiled>()) {
  int error = 0;
  PCRE2_SIZE offset = 0;
  compiled_->code =
      pcre2_compile(reinterpret_cast<PCRE2_SPTR>(pattern.data()), pattern.size(),
                    PCRE2_UTF | PCRE2_UCP | PCRE2_DOLLAR_ENDONLY, &error, &offset, nullptr);
  CHECK(compiled_->code != nullptr);
  pcre2_jit_compile(compiled_->code,
                    PCRE2_JIT_COMPLETE);  // without it matching is slower, not wrong
}

SplitRegex::~SplitRegex() = default;

Ends SplitRegex::split(std::string_view text, size_t begin, const Ends& pieces) const {
  const Matching matching(compiled_->code);
  Ends out;
  out.reserve(pieces.size() + 16);
  size_t last = begin;
  const auto cut = [&](size_t position) {
    if (position > last) out.push_back(static_cast<uint32_t>(position));
    last = std::max(last, position);
  };
  for (const size_t end : pieces) {
    const std::string_view piece = text.substr(begin, end - begin);
    for (size_t from = 0; from < piece.size();) {
      if (!matching.find(compiled_->code, piece, from)) break;
      const PCRE2_SIZE* ends = pcre2_get_ovector_pointer(matching.data);
      cut(begin + ends[0]);
      cut(begin + ends[1]);
      const bool empty = ends[1] == ends[0] && ends[1] < piece.size();
      from = ends[1] + (empty ? utf8_length_at(piece, ends[1]) : 0);
    }
    cut(end);
    begin = end;
  }
  return out;
}

}  // namespace strata::models
