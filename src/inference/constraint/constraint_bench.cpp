// Masks of schemas on a vocabulary, a step of each text after the other: how long each took. For
// bench/constraint.py, which says in STRATA_CONSTRAINT_CASES where the cases are: {"model": GGUF,
// "cases": [{"schema", "texts"}]}; {"vocabulary", "end", "cases": [{"compile_ns", "accepted",
// "masks_ns", "ids"}]} is written to STRATA_CONSTRAINT_RESULT.
#include <cstdlib>
#include <ctime>
#include <fstream>
#include <iterator>

#include <benchmark/benchmark.h>

#include "core/error.h"
#include "inference/constraint/constraint.h"
#include "models/format/gguf.h"
#include "models/tokenizer/tokenizer.h"

namespace strata::inference {
namespace {

// Of this thread alone, so that what else runs on the machine counts little.
int64_t now_ns() {
  timespec now{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return now.tv_sec * 1'000'000'000 + now.tv_nsec;
}

std::string hex(std::string_view bytes) {
  std::string text;
  for (const char c : bytes) text += fmt::format("{:02x}", static_cast<uint8_t>(c));
  return text;
}

// A token's bytes in hexadecimal; empty: no text has it.
json::array vocabulary_of(const models::Tokenizer& tokenizer) {
  json::array tokens;
  for (int32_t id = 0; id < tokenizer.n_vocab(); ++id) {
    const models::TokenKind kind = tokenizer.kind(id);
    const bool text = kind == models::TokenKind::normal || kind == models::TokenKind::byte ||
                      kind == models::TokenKind::user_defined;
    tokens.emplace_back(text && !tokenizer.ends_generation(id) ? hex(tokenizer.piece(id)) : "");
  }
  return tokens;
}

// Whether the text is accepted whole, as its tokens.
bool accepts(Constraint constraint, const std::vector<int32_t>& ids, json::array& masks_ns) {
  for (const int32_t id : ids) {
    const int64_t begin = now_ns();
    const auto mask = constraint.mask();
    masks_ns.emplace_back(now_ns() - begin);
    if (!mask->has(id) || !constraint.accept(id)) return false;
  }
  return constraint.may_end();
}

json::object run_case(const json::object& given, const models::Tokenizer& tokenizer,
                      const std::shared_ptr<const TokenTrie>& trie) {
  json::object result;
  json::array accepted, masks_ns, all_ids;
  OutputRule rule{.kind = OutputRule::Kind::json_schema, .schema = given.at("schema")};
  std::shared_ptr<Matcher> matcher;
  const int64_t begin = now_ns();
  try {
    matcher = std::make_shared<Matcher>(compile(rule), trie);
    result["compile_ns"] = now_ns() - begin;
  } catch (const Error& error) {
    result["refused"] = error.what();
  }
  for (const json::value& text : given.at("texts").as_array()) {
    const std::vector<int32_t> ids = tokenizer.encode_text(std::string_view(text.as_string()));
    all_ids.emplace_back(json::array(ids.begin(), ids.end()));
    if (!matcher) continue;
    try {
      accepted.emplace_back(accepts(Constraint(matcher), ids, masks_ns));
    } catch (const Error& error) {
      accepted.emplace_back(nullptr);
    }
  }
  result["accepted"] = accepted;
  result["masks_ns"] = masks_ns;
  result["ids"] = all_ids;
  return result;
}

json::value read(const char* path) {
  std::ifstream in(path);
  const std::string text((std::istreambuf_iterator<char>(in)), {});
  return parse_json(text, {.max_bytes = 64u << 20, .max_depth = 256});
}

void constraint_cases(benchmark::State& state) {
  const char* cases = std::getenv("STRATA_CONSTRAINT_CASES");
  const char* result = std::getenv("STRATA_CONSTRAINT_RESULT");
  if (cases == nullptr || result == nullptr) {
    state.SkipWithError("started by ./dev bench constraint");
    return;
  }
  const json::value given = read(cases);
  const auto file = models::open_gguf(std::string(given.at("model").as_string()));
  const auto tokenizer = models::Tokenizer::from_gguf(file);
  const auto trie = std::make_shared<const TokenTrie>(*tokenizer, tokenizer->n_vocab());
  Matcher(compile({.kind = OutputRule::Kind::json_object}), trie).prepare_strings();
  for (auto _ : state) {
    json::array rows;
    for (const json::value& one : given.at("cases").as_array()) {
      rows.emplace_back(run_case(one.as_object(), *tokenizer, trie));
    }
    std::ofstream(result) << to_json(json::object{{"vocabulary", vocabulary_of(*tokenizer)},
                                                  {"end", tokenizer->eos()},
                                                  {"cases", std::move(rows)}});
  }
}
BENCHMARK(constraint_cases)->Iterations(1);

}  // namespace
}  // namespace strata::inference
