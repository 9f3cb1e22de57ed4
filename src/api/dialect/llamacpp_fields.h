// Fields of llama.cpp's server that its clients send to its own paths and to OpenAI's: read in one
// way, so that a value means the same wherever it is sent. All throw FieldError.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "api/json_fields.h"
#include "api/request.h"

namespace strata::api {

// One thing under several names: those that are given have to say the same.
std::optional<int64_t> read_alias(Fields& fields, std::initializer_list<std::string_view> names,
                                  int64_t low, int64_t high);
// "logit_bias": an object of token id: bias, or pairs of both in an array. Biases are from -most to
// most; false bans a token.
void read_logit_bias(Fields& fields, SamplingOptions& sampling, double most);
// "response_fields": names of parts of an answer.
std::vector<std::string> read_response_fields(Fields& fields);
// "sse_ping_interval": seconds of silence before a comment in a stream. -1: none comes, 0: not
// said.
int32_t read_ping_interval(Fields& fields);

// Settings that are not built: refused unless they have the value that switches them off.
void refuse_unbuilt(Fields& fields);
// "post_sampling_probs", where probabilities are `told`: they are the model's own here.
void refuse_post_sampling(Fields& fields, bool told);

// A field that has no effect, and whether what it says asks for one.
struct Idle {
  std::string_view name;
  bool (*asks)(Fields& fields, std::string_view name);
};
bool asks_when_true(Fields& fields, std::string_view name);
// Adds to `ignored` those that ask for something.
void name_idle(Fields& fields, std::span<const Idle> idle, std::vector<std::string>& ignored);
// How the work is done, which changes no answer here: the cache finds what it has, an answer is
// bound to no place, a prompt is never cut or shifted.
extern const std::span<const Idle> kIdleWork;

}  // namespace strata::api
