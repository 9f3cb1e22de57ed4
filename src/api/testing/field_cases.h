// For tests: every field that a client library knows is sent alone, and is honoured, refused by
// name, or named as ignored.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "api/request.h"
#include "core/json.h"

namespace strata::api::testing {

// All of a request that an answer depends on, as text.
std::string shown(const ChatRequest& request);

// What a dialect makes of a body: shown(), and what else the answer depends on; the names that it
// ignores. Throws what the dialect's parser throws.
struct Reading {
  std::string effect;
  std::vector<std::string> ignored;
};
using Read = std::function<Reading(const std::string& body)>;

// `folder`/fields.json lists the fields, the files of cases have for each a way to send it:
//   "honoured": {field: [with, without]}   what is made of the two differs
//   "refused": {field: with}               is refused, and the refusal names the field
//   "ignored": {field: with}               is named as ignored
// Each is merged into its file's "base" member by member. Expects that no field is missing, and
// that at most 5 % are ignored and 15 % refused.
void expect_fields(const std::string& folder, const std::vector<std::string>& case_files,
                   const Read& read);

}  // namespace strata::api::testing
