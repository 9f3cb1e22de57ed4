// The parts of a request's reading, one file each: messages, tools, what the text has to match.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "api/json_fields.h"
#include "api/request.h"

namespace strata::api::openai {

// "messages". Fields of our own answers that mean nothing when they come back go to `ignored`.
std::vector<models::Message> read_messages(Fields& fields, std::vector<std::string>& ignored);
// A text, or its parts joined. `refusals`: parts of that type may be among them.
std::string read_content(const json::value& content, const std::string& path, bool refusals,
                         std::vector<std::string>& ignored);

// "tools", "tool_choice", "parallel_tool_calls"; or their forerunners "functions" and
// "function_call". True when the forerunners were used: the answer then has their form.
bool read_tools(Fields& fields, ChatRequest& request);

// "response_format", vLLM's "guided_*" and "structured_outputs", llama.cpp's "grammar" and
// "json_schema": at most one of them.
void read_output_rule(Fields& fields, ChatRequest& request);

// FieldError where one of vLLM's asks for something else than what is done anyway.
void check_vllm_fields(Fields& fields, bool completion);

// llama.cpp's "n_probs", another word for how many log-probabilities are told; the field `other`
// may have `said` it, too, and has to have said the same.
void read_n_probs(Fields& fields, std::string_view other, std::optional<int64_t> said,
                  ChatRequest& request);

}  // namespace strata::api::openai
