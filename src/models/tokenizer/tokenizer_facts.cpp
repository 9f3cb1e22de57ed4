// What tokenizer_config.json, special_tokens_map.json, generation_config.json and config.json say
// of a tokenizer.
#include <algorithm>
#include <charconv>

#include "core/error.h"
#include "models/tokenizer/pipeline/json_place.h"
#include "models/tokenizer/tokenizer_json.h"
#include "models/tokenizer/tokenizer_limits.h"

namespace strata::models {
namespace {

// A token as its text, or as an object with its content.
void read_spelling(const JsonPlace& file, std::string_view key, std::string& out) {
  if (!out.empty()) return;
  const auto found = file.find(key);
  if (!found) return;
  out = found->value().is_object() ? (*found)["content"].text() : found->text();
}

void read_spellings(const JsonPlace& file, TokenizerFacts& facts) {
  read_spelling(file, "bos_token", facts.bos_token);
  read_spelling(file, "eos_token", facts.eos_token);
  read_spelling(file, "unk_token", facts.unk_token);
  read_spelling(file, "pad_token", facts.pad_token);
  read_spelling(file, "mask_token", facts.mask_token);
}

TokenId as_id(const JsonPlace& place) {
  const int64_t id = place.integer();
  if (id < -1 || id > INT32_MAX) place.refuse(fmt::format("is {}, no token id", id));
  return static_cast<TokenId>(id);
}

// One id or a list of them.
std::vector<TokenId> read_ids(const JsonPlace& file, std::string_view key) {
  const auto found = file.find(key);
  if (!found) return {};
  if (!found->value().is_array()) return {as_id(*found)};
  std::vector<TokenId> ids;
  for (size_t i = 0; i < found->array().size(); ++i) ids.push_back(as_id(found->item(i)));
  return ids;
}

void read_id_members(const JsonPlace& file, TokenizerFacts& facts) {
  const std::vector<TokenId> bos = read_ids(file, "bos_token_id");
  const std::vector<TokenId> eos = read_ids(file, "eos_token_id");
  if (facts.bos < 0 && !bos.empty()) facts.bos = bos[0];
  if (facts.eos < 0 && !eos.empty()) facts.eos = eos[0];
  // What generation_config.json says of the end, config.json need not repeat.
  if (facts.end_ids.empty()) facts.end_ids = eos;
}

// A token as its text, or as an object with its content; empty: neither.
std::string content_of(const json::value& token) {
  if (token.is_string()) return std::string(token.get_string());
  const json::value* content =
      token.is_object() ? token.get_object().if_contains("content") : nullptr;
  return content && content->is_string() ? std::string(content->get_string()) : std::string();
}

// Vocabularies without special tokens of their own need them; the others have said so already.
void read_added(const JsonPlace& file, TokenizerFacts& facts) {
  const auto decoder = file.find("added_tokens_decoder");
  if (decoder && decoder->value().is_object()) {
    for (const auto& [key, token] : decoder->value().get_object()) {
      TokenId id = -1;
      const auto [end, error] = std::from_chars(key.data(), key.data() + key.size(), id);
      const std::string content = content_of(token);
      const bool is_whole = error == std::errc() && end == key.data() + key.size();
      const json::value* special =
          token.is_object() ? token.get_object().if_contains("special") : nullptr;
      const bool is_special = special == nullptr || *special != false;
      if (is_whole && id >= 0 && !content.empty()) facts.added.push_back({id, content, is_special});
    }
  }
  for (const char* name : {"additional_special_tokens", "extra_special_tokens"}) {
    const auto list = file.find(name);
    if (!list || !list->value().is_array()) continue;
    for (const json::value& token : list->value().get_array()) {
      if (std::string content = content_of(token); !content.empty()) {
        facts.extra.push_back(std::move(content));
      }
    }
  }
}

// "auto_map": {"AutoTokenizer": ["tokenization_x.XTokenizer", null]}, or the text alone.
void read_program(const JsonPlace& file, std::string& program) {
  const auto map = file.find("auto_map");
  const auto own = map && map->value().is_object() ? map->find("AutoTokenizer") : std::nullopt;
  if (!own) return;
  const json::value* first = &own->value();
  if (first->is_array()) first = first->get_array().empty() ? nullptr : &first->get_array()[0];
  if (first != nullptr && first->is_string()) program = first->get_string();
}

// Ids by spelling, of programs that wrote no "added_tokens_decoder" yet. Which are special no one
// says: those that have the form of a mark.
void read_added_ids(const JsonPlace& file, TokenizerFacts& facts) {
  if (!facts.added.empty()) return;
  for (const auto& [content, value] : file.object()) {
    const TokenId id = as_id(file[content]);
    const bool is_mark = content.starts_with('<') || content.starts_with('[');
    if (id >= 0 && !content.empty()) facts.added.push_back({id, content, is_mark});
  }
}

}  // namespace

TokenizerFacts read_tokenizer_facts(const TokenizerFiles& files) {
  TokenizerFacts facts;
  const auto with = [](std::string_view text, std::string name, const auto& read) {
    if (text.empty()) return;
    const json::value document = parse_json(text);
    read(JsonPlace(document, std::move(name)));
  };
  with(files.tokenizer_config, "tokenizer_config.json", [&](const JsonPlace& file) {
    read_spellings(file, facts);
    read_added(file, facts);
    read_program(file, facts.program);
    if (const auto count = file.find("extra_ids")) {
      facts.n_sentinels = count->integer();
      if (facts.n_sentinels < 0 || facts.n_sentinels > kMaxSentinels) {
        count->refuse(fmt::format("is {}, the limit is {}", facts.n_sentinels, kMaxSentinels));
      }
    }
    if (const auto flag = file.find("add_bos_token")) facts.add_bos = flag->boolean();
    if (const auto flag = file.find("add_eos_token")) facts.add_eos = flag->boolean();
  });
  with(files.added_tokens, "added_tokens.json",
       [&](const JsonPlace& file) { read_added_ids(file, facts); });
  with(files.special_tokens_map, "special_tokens_map.json",
       [&](const JsonPlace& file) { read_spellings(file, facts); });
  with(files.generation_config, "generation_config.json",
       [&](const JsonPlace& file) { read_id_members(file, facts); });
  with(files.config, "config.json", [&](const JsonPlace& file) { read_id_members(file, facts); });
  return facts;
}

}  // namespace strata::models
