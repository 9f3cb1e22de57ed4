// The scripted backend: answers from rules or echoes, at a set speed, with made-up tokens. Needs no
// weights and gives the same answer for the same request and seed: tests, demos and the app use it.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "api/gateway/backend.h"

namespace strata::api {

// `arguments` is JSON text.
struct ScriptedCall {
  std::string name, arguments;
};

struct ScriptedRule {
  std::string contains = {};   // in the last message; empty: every one
  std::string role = {};       // of the last message; empty: every one
  std::string reply = {};      // {message} stands for the last message
  std::string reasoning = {};  // what is thought before, the same
  // Made behind the reply. A rule that has some fits only requests that bring tools and allow it.
  std::vector<ScriptedCall> calls = {};
  std::string finish = {};  // "", or "length"
  int32_t fail_after = -1;  // tokens after which the answer fails; -1: it does not
  Code fail_code = Code::internal;
  std::string fail_message = {};
};

struct ScriptedModel {
  std::string name;
  int32_t context = 4096;
  double tokens_per_second = 0;  // of one answer; 0: as fast as it goes
  double prompt_tokens_per_second = 0;
  std::vector<ScriptedRule> rules;  // the first that fits
  bool babble = false;              // where none fits: words drawn by the seed, else an echo
};

struct ScriptedOptions {
  std::vector<ScriptedModel> models;
  int32_t max_running = 32;
  int32_t max_queue = 512;
  ContextPolicy context_policy = ContextPolicy::error;  // where the request says none
};

// The file of `strata serve --scripted FILE`, JSON. Error{invalid_argument} with the field.
ScriptedOptions parse_script(std::string_view json);
// Models "echo" (repeats the last message) and "babble" (words drawn by the seed).
ScriptedOptions default_script();

std::unique_ptr<Backend> make_scripted_backend(ScriptedOptions options);

// The made-up tokens of a text: a word with the space before it, or one other character.
std::vector<std::string> scripted_tokens(std::string_view text);
int32_t scripted_id(std::string_view token);
constexpr int32_t kScriptedVocab = 50'000;
constexpr int64_t kScriptedTokenBytes = 17;  // at most, the space included

}  // namespace strata::api
