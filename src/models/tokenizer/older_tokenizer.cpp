#include "models/tokenizer/older_tokenizer.h"

#include <algorithm>
#include <charconv>
#include <map>
#include <optional>
#include <span>
#include <vector>

#include "core/error.h"
#include "core/json.h"
#include "models/format/gguf_part.h"
#include "models/tokenizer/pipeline/json_place.h"
#include "models/tokenizer/tokenizer_json_parts.h"

namespace strata::models {
namespace {

// A field that names a special token, and its spelling where no file says one.
struct Special {
  std::string_view field;
  std::string_view otherwise;
};

constexpr Special kWordSpecials[] = {{"unk_token", "[UNK]"},
                                     {"sep_token", "[SEP]"},
                                     {"pad_token", "[PAD]"},
                                     {"cls_token", "[CLS]"},
                                     {"mask_token", "[MASK]"}};
constexpr Special kOneSpecial[] = {{"bos_token", "<|endoftext|>"},
                                   {"eos_token", "<|endoftext|>"},
                                   {"unk_token", "<|endoftext|>"},
                                   {"pad_token", ""}};
constexpr Special kWrapSpecials[] = {
    {"bos_token", "<s>"},   {"eos_token", "</s>"},  {"sep_token", "</s>"},   {"cls_token", "<s>"},
    {"unk_token", "<unk>"}, {"pad_token", "<pad>"}, {"mask_token", "<mask>"}};

constexpr std::string_view kQwenWords =
    R"~((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|)~"
    R"~(\s*[\r\n]+|\s+(?!\S)|\s+)~";

// A class of byte-level tokenizers.
struct ByteClass {
  std::string_view name;                          // of tokenizer_config.json, without "Fast"
  std::span<const std::string_view> model_types;  // of config.json, where no class is named
  std::span<const Special> specials;
  std::string_view words;  // the pattern of what is merged; empty: ByteLevel's own
  bool composes;           // NFC
  bool wraps;              // cls and sep around a text
};

constexpr std::string_view kOneTypes[] = {"gpt2", "gptj", "starcoder2"};
constexpr std::string_view kWrapTypes[] = {"roberta"};
constexpr std::string_view kQwenTypes[] = {"qwen2", "qwen2_moe", "qwen3", "qwen3_moe"};
constexpr ByteClass kByteClasses[] = {
    {"GPT2Tokenizer", kOneTypes, kOneSpecial, "", false, false},
    {"RobertaTokenizer", kWrapTypes, kWrapSpecials, "", false, true},
    {"Qwen2Tokenizer", kQwenTypes, kOneSpecial, kQwenWords, true, false}};

// The files beside the vocabulary, read.
class Beside {
 public:
  explicit Beside(const TokenizerFiles& files) {
    add(files.tokenizer_config, "tokenizer_config.json");
    add(files.special_tokens_map, "special_tokens_map.json");
    if (!files.added_tokens.empty()) added_ = parse_json(files.added_tokens);
    if (!files.config.empty()) config_ = parse_json(files.config);
  }

  // Of the first file that says it.
  std::optional<JsonPlace> find(std::string_view key) const {
    for (const auto& [name, document] : documents_) {
      if (auto found = JsonPlace(document, name).find(key)) return found;
    }
    return std::nullopt;
  }
  bool flag(std::string_view key, bool otherwise) const {
    const auto found = find(key);
    return found ? found->boolean() : otherwise;
  }
  JsonPlace added() const { return {added_, "added_tokens.json"}; }
  std::string model_type() const {
    const auto found = JsonPlace(config_, "config.json").find("model_type");
    return std::string(found ? found->text() : "");
  }

 private:
  void add(std::string_view text, std::string name) {
    if (!text.empty()) documents_.emplace_back(std::move(name), parse_json(text));
  }

  std::vector<std::pair<std::string, json::value>> documents_;
  json::value added_ = json::object();
  json::value config_ = json::object();
};

using Ids = std::map<std::string, int64_t, std::less<>>;

// Tokens that are looked for before anything is cut, by id; who says a token's flags first is
// right.
class AddedTokens {
 public:
  AddedTokens(const Beside& beside, Ids& ids) : beside_(beside), ids_(ids) {}

  // The tokens by id of tokenizer_config.json and of added_tokens.json.
  void by_id() {
    if (const auto decoder = beside_.find("added_tokens_decoder")) {
      for (const auto& [key, token] : decoder->object()) {
        const JsonPlace place = (*decoder)[key];
        int64_t id = -1;
        const auto [end, error] = std::from_chars(key.data(), key.data() + key.size(), id);
        if (error != std::errc() || end != key.data() + key.size()) place.refuse("is under no id");
        put(id, place["content"].text(), place, false);
      }
    }
    for (const auto& [content, id] : beside_.added().object()) {
      put(beside_.added()[content].integer(), content, std::nullopt, false);
    }
  }
  // The named one's spelling. Those that no vocabulary has are left out: they have no row.
  std::string named(const Special& special) {
    const auto said = beside_.find(special.field);
    std::string spelled(special.otherwise);
    if (said) spelled = said->value().is_object() ? (*said)["content"].text() : said->text();
    put_if_known(spelled, said);
    return spelled;
  }
  void further() {
    for (const char* list : {"additional_special_tokens", "extra_special_tokens"}) {
      const auto said = beside_.find(list);
      if (!said || !said->value().is_array()) continue;
      for (size_t i = 0; i < said->array().size(); ++i) {
        const JsonPlace token = said->item(i);
        put_if_known(token.value().is_object() ? (token["content"].text()) : token.text(), token);
      }
    }
  }
  json::array list() const {
    json::array out;
    for (const auto& [id, token] : tokens_) out.emplace_back(token);
    return out;
  }

 private:
  void put_if_known(std::string_view content, const std::optional<JsonPlace>& flags) {
    const auto found = ids_.find(content);
    if (found != ids_.end()) put(found->second, content, flags, true);
  }
  void put(int64_t id, std::string_view content, const std::optional<JsonPlace>& flags,
           bool special) {
    ids_.emplace(content, id);
    const auto [at, is_new] = tokens_.emplace(id, added_token(id, content, !special, special));
    json::object& token = at->second;
    if (special) token["special"] = true;
    if (!is_new || !flags || !flags->value().is_object()) return;
    for (const char* flag : {"single_word", "lstrip", "rstrip", "normalized", "special"}) {
      token[flag] = flags->boolean_or(flag, token[flag].as_bool()) ||
                    (flag == std::string_view("special") && special);
    }
  }

  const Beside& beside_;
  Ids& ids_;
  std::map<int64_t, json::object> tokens_;
};

// Of those around a text; `file` must have it.
SpecialToken need(const Ids& ids, std::string_view token, std::string_view file) {
  const auto found = ids.find(token);
  if (found == ids.end()) {
    throw Error(
        Code::invalid_argument,
        fmt::format("{} has no token '{}', which stands around texts", file, printable(token)));
  }
  return {token, found->second};
}

json::object vocab_of(const Ids& ids) {
  json::object out;
  for (const auto& [token, id] : ids) out[token] = id;
  return out;
}

// A line each, without what ends it.
std::vector<std::string_view> lines_of(std::string_view text) {
  std::vector<std::string_view> lines;
  while (!text.empty()) {
    const size_t end = std::min(text.find('\n'), text.size());
    std::string_view line = text.substr(0, end);
    if (line.ends_with('\r')) line.remove_suffix(1);
    lines.push_back(line);
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return lines;
}

json::object whole(const AddedTokens& added, json::value normalizer, json::object pre_tokenizer,
                   json::object post_processor, json::object decoder, json::object model) {
  return {{"version", "1.0"},
          {"truncation", nullptr},
          {"padding", nullptr},
          {"added_tokens", added.list()},
          {"normalizer", std::move(normalizer)},
          {"pre_tokenizer", std::move(pre_tokenizer)},
          {"post_processor", std::move(post_processor)},
          {"decoder", std::move(decoder)},
          {"model", std::move(model)}};
}

std::string said_class(const Beside& beside) {
  const auto said = beside.find("tokenizer_class");
  std::string name(said ? said->text() : "");
  if (name.ends_with("Fast")) name.resize(name.size() - 4);
  return name;
}

const ByteClass& byte_class(const Beside& beside) {
  const std::string name = said_class(beside), type = beside.model_type();
  for (const ByteClass& each : kByteClasses) {
    const auto& types = each.model_types;
    if (name.empty() ? std::ranges::find(types, type) != types.end() : each.name == name) {
      return each;
    }
  }
  throw Error(Code::unimplemented,
              fmt::format("vocab.json with merges.txt of '{}' is not read yet",
                          printable(name.empty() ? type : name)),
              "a tokenizer.json says all: transformers' save_pretrained writes it");
}

json::object words_of(const ByteClass& kind, bool add_prefix_space) {
  if (kind.words.empty()) return byte_level_step(add_prefix_space, true);
  return {{"type", "Sequence"},
          {"pretokenizers",
           json::array{split_step(kind.words), byte_level_step(add_prefix_space, false)}}};
}

// Of the fields of a class, by name, how each is spelled.
using Named = std::map<std::string_view, std::string>;

Named read_named(std::span<const Special> specials, AddedTokens& added) {
  added.by_id();
  Named named;
  for (const Special& special : specials) named[special.field] = added.named(special);
  added.further();
  return named;
}

json::object around_texts(const ByteClass& kind, Named& named, const Ids& ids,
                          const Beside& beside) {
  constexpr std::string_view kFile = "vocab.json";
  if (kind.wraps) {
    const SpecialToken first = need(ids, named["cls_token"], kFile);
    const SpecialToken last = need(ids, named["sep_token"], kFile);
    return {{"type", "RobertaProcessing"},
            {"sep", json::array{last.content, last.id}},
            {"cls", json::array{first.content, first.id}},
            {"trim_offsets", true},
            {"add_prefix_space", beside.flag("add_prefix_space", false)}};
  }
  const auto where = [&](std::string_view flag, std::string_view field) {
    return beside.flag(flag, false) ? need(ids, named[field], kFile) : SpecialToken{};
  };
  const SpecialToken first = where("add_bos_token", "bos_token");
  return template_around(first, where("add_eos_token", "eos_token"));
}

json::array merges_of(std::string_view text) {
  json::array out;
  for (const std::string_view line : lines_of(text)) {
    if (line.empty() || line.starts_with("#version")) continue;
    out.emplace_back(line);
  }
  return out;
}

}  // namespace

std::string tokenizer_json_of_words(std::string_view vocab_txt, const TokenizerFiles& files) {
  const Beside beside(files);
  if (const std::string name = said_class(beside);
      !name.empty() && name != "BertTokenizer" && name != "DistilBertTokenizer") {
    throw Error(Code::unimplemented,
                fmt::format("vocab.txt of '{}' is not read yet", printable(name)),
                "a tokenizer.json says all: transformers' save_pretrained writes it");
  }
  if (const auto cutter = beside.find("word_tokenizer_type")) {
    throw Error(Code::unimplemented,
                fmt::format("vocab.txt: words are cut by '{}' first", printable(cutter->text())),
                "choose another model");
  }
  Ids ids;
  int64_t line = 0;
  for (const std::string_view token : lines_of(vocab_txt)) ids[std::string(token)] = line++;
  AddedTokens added(beside, ids);
  const Ids of_model = ids;
  Named named = read_named(kWordSpecials, added);
  const SpecialToken first = need(ids, named["cls_token"], "vocab.txt");
  const SpecialToken last = need(ids, named["sep_token"], "vocab.txt");
  const auto accents = beside.find("strip_accents");
  json::object normalizer{
      {"type", "BertNormalizer"},
      {"clean_text", true},
      {"handle_chinese_chars", beside.flag("tokenize_chinese_chars", true)},
      {"strip_accents", accents ? json::value(accents->boolean()) : json::value(nullptr)},
      {"lowercase", beside.flag("do_lower_case", true)}};
  return to_json(whole(added, std::move(normalizer), {{"type", "BertPreTokenizer"}},
                       template_around(first, last),
                       {{"type", "WordPiece"}, {"prefix", "##"}, {"cleanup", true}},
                       {{"type", "WordPiece"},
                        {"unk_token", named["unk_token"]},
                        {"continuing_subword_prefix", "##"},
                        {"max_input_chars_per_word", 100},
                        {"vocab", vocab_of(of_model)}}));
}

std::string tokenizer_json_of_merges(std::string_view vocab_json, std::string_view merges_txt,
                                     const TokenizerFiles& files) {
  const Beside beside(files);
  const ByteClass& kind = byte_class(beside);
  const json::value vocab = parse_json(vocab_json);
  const JsonPlace place(vocab, "vocab.json");
  Ids ids;
  for (const auto& [token, id] : place.object()) ids[std::string(token)] = place[token].integer();
  AddedTokens added(beside, ids);
  const Ids of_model = ids;
  Named named = read_named(kind.specials, added);
  const bool space = beside.flag("add_prefix_space", false);
  const json::value composed = json::object{{"type", "NFC"}};
  return to_json(whole(added, kind.composes ? composed : json::value(nullptr),
                       words_of(kind, space), around_texts(kind, named, ids, beside),
                       byte_level_step(true, true),
                       {{"type", "BPE"},
                        {"dropout", nullptr},
                        {"unk_token", nullptr},
                        {"continuing_subword_prefix", ""},
                        {"end_of_word_suffix", ""},
                        {"fuse_unk", false},
                        {"byte_fallback", false},
                        {"ignore_merges", false},
                        {"vocab", vocab_of(of_model)},
                        {"merges", merges_of(merges_txt)}}));
}

}  // namespace strata::models
