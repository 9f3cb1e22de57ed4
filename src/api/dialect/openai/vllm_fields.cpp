// Fields that clients of vLLM send by habit, and that here can only ask for what is done anyway.
#include <array>

#include "api/dialect/openai/request_parts.h"

namespace strata::api::openai {
namespace {

constexpr double kAny = 1e300;

struct Switch {
  std::string_view name;
  bool done;  // what it says of an answer as it is made
};
constexpr std::array kSwitches{Switch{"skip_special_tokens", true},
                               Switch{"spaces_between_special_tokens", true},
                               Switch{"include_stop_str_in_output", false},
                               Switch{"use_beam_search", false},
                               Switch{"early_stopping", false},
                               Switch{"detokenize", true},
                               Switch{"include_reasoning", true},
                               Switch{"return_tokens_as_token_ids", false}};

void check_switch(Fields& fields, const Switch& each) {
  if (fields.boolean(each.name).value_or(each.done) == each.done) return;
  fields.fail(each.name, fmt::format("is {}, which is not built", !each.done), "leave it out");
}

void check_number(Fields& fields, std::string_view name, double done, std::string hint) {
  const double value = fields.number(name, -kAny, kAny).value_or(done);
  if (value != done) fields.fail(name, fmt::format("is {}, which is not built", value), hint);
}

void check_empty(Fields& fields, std::string_view name, std::string hint) {
  if (fields.array(name, SIZE_MAX).empty()) return;
  fields.fail(name, "is not empty, which is not built", std::move(hint));
}

}  // namespace

void check_vllm_fields(Fields& fields, bool completion) {
  for (const Switch& each : kSwitches) check_switch(fields, each);
  // A template writes what belongs in front of a chat.
  check_switch(fields, {"add_special_tokens", completion});
  check_empty(fields, "stop_token_ids", "send their texts in stop");
  check_empty(fields, "bad_words", "logit_bias keeps tokens out");
  check_number(fields, "length_penalty", 1, "it is of beam search");
  check_number(fields, "min_tokens", 0, "ignore_eos goes on up to max_tokens");
  if (completion) return;  // which have these two
  check_switch(fields, {"echo", false});
  check_number(fields, "best_of", 1, "/v1/completions has it");
}

}  // namespace strata::api::openai
