#include "models/tokenizer/tokenizer_json_parts.h"

namespace strata::models {

json::object split_step(std::string_view pattern) {
  return {{"type", "Split"},
          {"pattern", json::object{{"Regex", pattern}}},
          {"behavior", "Isolated"},
          {"invert", false}};
}

json::object byte_level_step(bool add_prefix_space, bool use_regex) {
  return {{"type", "ByteLevel"},
          {"add_prefix_space", add_prefix_space},
          {"trim_offsets", true},
          {"use_regex", use_regex}};
}

json::object added_token(int64_t id, std::string_view content, bool normalized, bool special) {
  return {{"id", id},        {"content", content},       {"single_word", false}, {"lstrip", false},
          {"rstrip", false}, {"normalized", normalized}, {"special", special}};
}

json::object template_around(const SpecialToken& first, const SpecialToken& last) {
  json::object specials;
  for (const SpecialToken& token : {first, last}) {
    if (token.content.empty()) continue;
    specials[token.content] = json::object{{"id", token.content},
                                           {"ids", json::array{token.id}},
                                           {"tokens", json::array{token.content}}};
  }
  const auto put = [](json::array& out, const SpecialToken& token, int type) {
    if (token.content.empty()) return;
    out.emplace_back(
        json::object{{"SpecialToken", json::object{{"id", token.content}, {"type_id", type}}}});
  };
  const auto put_text = [](json::array& out, std::string_view name, int type) {
    out.emplace_back(json::object{{"Sequence", json::object{{"id", name}, {"type_id", type}}}});
  };
  json::array single;
  put(single, first, 0);
  put_text(single, "A", 0);
  put(single, last, 0);
  json::array pair = single;
  if (last.content.empty()) put(pair, first, 1);
  put_text(pair, "B", 1);
  put(pair, last, 1);
  return {{"type", "TemplateProcessing"},
          {"single", std::move(single)},
          {"pair", std::move(pair)},
          {"special_tokens", std::move(specials)}};
}

}  // namespace strata::models
