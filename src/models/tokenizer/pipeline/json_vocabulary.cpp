#include "models/tokenizer/pipeline/json_vocabulary.h"

#include <algorithm>
#include <cmath>

#include "core/error.h"
#include "core/log.h"
#include "models/tokenizer/tokenizer_limits.h"

namespace strata::models {
namespace {

std::string_view view(const json::string& text) {
  return {text.data(), text.size()};
}

// Older files do not name the model's type; its members tell.
ModelKind kind_of(const JsonPlace& model) {
  if (const auto type = model.find("type")) {
    if (type->text() == "BPE") return ModelKind::bpe;
    if (type->text() == "WordPiece") return ModelKind::word_piece;
    if (type->text() == "Unigram") return ModelKind::unigram;
    if (type->text() == "WordLevel") return ModelKind::word_level;
    type->not_understood(fmt::format("model \"{}\"", type->text()));
  }
  if (model["vocab"].value().is_array()) return ModelKind::unigram;
  if (model.find("merges")) return ModelKind::bpe;
  return model.find("max_input_chars_per_word") ? ModelKind::word_piece : ModelKind::word_level;
}

// Spellings by id, as views into the document; `taken` tells an empty spelling from none.
class Collector {
 public:
  Collector(const JsonPlace& place, size_t count, int32_t n_vocab) : place_(place) {
    if (count == 0) place.refuse("has no tokens");
    if (count > kMaxVocabulary) {
      place.refuse(fmt::format("has {} tokens, the limit is {}", count, kMaxVocabulary));
    }
    // Gaps are allowed, but no file of few tokens asks for much memory.
    limit_ = n_vocab > 0 ? static_cast<size_t>(n_vocab) : 2 * count + 65536;
  }

  bool has_place_for(int64_t id) const { return id >= 0 && static_cast<size_t>(id) < limit_; }
  size_t limit() const { return limit_; }

  void put(std::string_view spelling, int64_t id) {
    if (!has_place_for(id)) {
      place_.refuse(fmt::format("gives a token of {} bytes the id {}, the model has {} rows",
                                spelling.size(), id, limit_));
    }
    if (spelling.size() > kMaxTokenBytes) {
      place_.refuse(fmt::format("has a token of {} bytes (id {}), the limit is {}", spelling.size(),
                                id, kMaxTokenBytes));
    }
    const auto index = static_cast<size_t>(id);
    if (index >= spellings.size()) {
      spellings.resize(index + 1);
      taken_.resize(index + 1);
    }
    if (taken_[index] && spellings[index] != spelling) {
      place_.refuse(
          fmt::format("gives the id {} to \"{}\" and to \"{}\"", id, spellings[index], spelling));
    }
    spellings[index] = spelling;
    taken_[index] = true;
  }
  bool taken(size_t id) const { return taken_[id]; }

  std::vector<std::string_view> spellings;

 private:
  JsonPlace place_;
  std::vector<bool> taken_;
  size_t limit_ = 0;
};

Collector collect_object(const JsonPlace& vocab, int32_t n_vocab) {
  Collector tokens(vocab, vocab.object().size(), n_vocab);
  for (const auto& member : vocab.object()) {
    const std::string_view spelling(member.key().data(), member.key().size());
    if (!member.value().is_int64()) {
      vocab.refuse(fmt::format("gives \"{}\" no whole number", spelling));
    }
    tokens.put(spelling, member.value().get_int64());
  }
  return tokens;
}

// [[spelling, score], …]
Collector collect_pairs(const JsonPlace& vocab, int32_t n_vocab, std::vector<double>& scores) {
  const json::array& pairs = vocab.array();
  Collector tokens(vocab, pairs.size(), n_vocab);
  scores.reserve(pairs.size());
  for (size_t i = 0; i < pairs.size(); ++i) {
    const bool pair = pairs[i].is_array() && pairs[i].get_array().size() == 2 &&
                      pairs[i].get_array()[0].is_string() && pairs[i].get_array()[1].is_number();
    if (!pair) vocab.item(i).refuse("is not a token and its score");
    const json::array& both = pairs[i].get_array();
    scores.push_back(both[1].to_number<double>());
    if (!std::isfinite(scores.back())) vocab.item(i).refuse("has a score that is no number");
    tokens.put(view(both[0].get_string()), static_cast<int64_t>(i));
  }
  return tokens;
}

AddedToken read_added(const JsonPlace& place) {
  place.allow({"id", "content", "single_word", "lstrip", "rstrip", "normalized", "special"});
  AddedToken token;
  token.content = place["content"].text();
  token.special = place.boolean_or("special", false);
  token.single_word = place.boolean_or("single_word", false);
  token.lstrip = place.boolean_or("lstrip", false);
  token.rstrip = place.boolean_or("rstrip", false);
  token.normalized = place.boolean_or("normalized", !token.special);
  return token;
}

// Ids of the model's tokens by their spelling.
class ModelIds {
 public:
  ModelIds(const JsonPlace& vocab, const Collector& tokens) {
    if (vocab.value().is_object()) {
      object_ = &vocab.object();
      return;
    }
    spellings_ = tokens.spellings;
    table_ = TokenTable(spellings_);
  }
  ModelIds(const ModelIds&) = delete;
  ModelIds& operator=(const ModelIds&) = delete;

  // -1: none.
  int64_t find(std::string_view spelling) const {
    if (object_ == nullptr) return table_.find(spelling);
    const json::value* id = object_->if_contains({spelling.data(), spelling.size()});
    return id == nullptr ? -1 : id->get_int64();
  }

 private:
  const json::object* object_ = nullptr;
  std::vector<std::string_view> spellings_;  // a copy: the collector's grow
  TokenTable table_;
};

void collect_added(const JsonPlace& list, const JsonPlace& vocab, Collector& tokens,
                   std::vector<AddedToken>& added) {
  if (list.array().size() > kMaxVocabulary) list.refuse("has too many tokens");
  const ModelIds ids(vocab, tokens);
  for (size_t i = 0; i < list.array().size(); ++i) {
    const JsonPlace place = list.item(i);
    AddedToken token = read_added(place);
    if (token.content.empty()) continue;  // as the library: it could never be found
    const int64_t said = place["id"].integer();
    const int64_t known = ids.find(token.content);
    const int64_t id = known >= 0 ? known : said;
    if (known >= 0 && known != said) {
      log_warn("{}: \"{}\" has the id {}, the model's vocabulary says {}, which is taken",
               place.path(), token.content, said, known);
    }
    if (known < 0 && !tokens.has_place_for(id)) {
      // A padding token that somebody added and the model never learnt.
      log_warn("{}: \"{}\" has the id {}, but the model has {} rows; it is left out", place.path(),
               token.content, id, tokens.limit());
      continue;
    }
    tokens.put(place["content"].text(), id);
    token.id = static_cast<TokenId>(id);
    added.push_back(std::move(token));
  }
}

// Copies the spellings, so that the document need not stay.
void store(const Collector& tokens, size_t rows, Vocabulary& vocabulary) {
  size_t total = 0;
  for (const std::string_view spelling : tokens.spellings) total += spelling.size();
  auto storage = std::make_shared<std::string>();
  storage->reserve(total);  // so that it never moves
  vocabulary.tokens.reserve(rows);
  for (const std::string_view spelling : tokens.spellings) {
    const size_t begin = storage->size();
    storage->append(spelling);
    vocabulary.tokens.push_back(std::string_view(*storage).substr(begin));
    vocabulary.longest_token = std::max(vocabulary.longest_token, spelling.size());
  }
  vocabulary.tokens.resize(std::max(rows, vocabulary.tokens.size()));
  vocabulary.storage = std::move(storage);
}

void set_kinds(const Collector& tokens, bool byte_tokens, JsonVocabulary& out) {
  Vocabulary& vocabulary = out.vocabulary;
  vocabulary.kinds.assign(vocabulary.size(), TokenKind::unused);
  vocabulary.byte_ids.fill(-1);
  for (size_t i = 0; i < tokens.spellings.size(); ++i) {
    if (!tokens.taken(i)) continue;
    const int byte = byte_tokens ? byte_token_value(vocabulary.tokens[i]) : -1;
    vocabulary.kinds[i] = byte >= 0 ? TokenKind::byte : TokenKind::normal;
    if (byte >= 0) vocabulary.byte_ids[static_cast<size_t>(byte)] = static_cast<TokenId>(i);
  }
  if (out.unknown >= 0) vocabulary.kinds[static_cast<size_t>(out.unknown)] = TokenKind::unknown;
  for (const AddedToken& token : out.added) {
    vocabulary.kinds[static_cast<size_t>(token.id)] =
        token.special ? TokenKind::control : TokenKind::user_defined;
  }
}

TokenId read_unknown(const JsonPlace& model, ModelKind kind, const Vocabulary& vocabulary) {
  if (kind == ModelKind::unigram) {
    const auto place = model.find("unk_id");
    if (!place) return -1;
    const int64_t id = place->integer();
    if (id < 0 || static_cast<uint64_t>(id) >= vocabulary.size()) {
      place->refuse(fmt::format("is {}, no token of a vocabulary of {}", id, vocabulary.size()));
    }
    return static_cast<TokenId>(id);
  }
  const auto place = model.find("unk_token");
  if (!place || (kind == ModelKind::bpe && place->text().empty())) return -1;
  const TokenId id = vocabulary.table.find(place->text());
  // A word-level vocabulary names one by habit, whether or not it has it.
  if (id < 0 && kind != ModelKind::word_level) {
    place->refuse(fmt::format("is \"{}\", which is no token", place->text()));
  }
  return id;
}

// The id of a token that another file spells; -1 when the vocabulary has no such token.
TokenId named(const Vocabulary& vocabulary, std::string_view spelling, TokenId otherwise) {
  if (!spelling.empty()) return vocabulary.table.find(spelling);
  return otherwise < static_cast<TokenId>(vocabulary.size()) ? otherwise : -1;
}

// Which classes of tokenizers have without a file that says so.
TokenId usual_mark(const Vocabulary& vocabulary, std::string_view of_words,
                   std::string_view of_pieces) {
  for (const std::string_view name : {of_words, of_pieces}) {
    const TokenId id = vocabulary.table.find(name);
    if (id >= 0 && vocabulary.kind(id) == TokenKind::control) return id;
  }
  return -1;
}

void set_roles(const TokenizerFacts& facts, JsonVocabulary& out) {
  Vocabulary& vocabulary = out.vocabulary;
  vocabulary.ids.bos = named(vocabulary, facts.bos_token, facts.bos);
  vocabulary.ids.eos = named(vocabulary, facts.eos_token, facts.eos);
  vocabulary.ids.unknown = out.unknown >= 0 ? out.unknown : named(vocabulary, facts.unk_token, -1);
  vocabulary.ids.padding =
      named(vocabulary, facts.pad_token, usual_mark(vocabulary, "[PAD]", "<pad>"));
  vocabulary.ids.mask =
      named(vocabulary, facts.mask_token, usual_mark(vocabulary, "[MASK]", "<mask>"));
  for (const TokenId id : facts.end_ids) {
    if (id >= 0 && id < static_cast<TokenId>(vocabulary.size())) vocabulary.end_ids.push_back(id);
  }
  assign_roles_by_name(vocabulary, NamedTokens::control_only);
}

}  // namespace

JsonVocabulary read_json_vocabulary(const JsonPlace& root, const TokenizerFacts& facts,
                                    int32_t n_vocab) {
  const JsonPlace model = root["model"];
  const JsonPlace vocab = model["vocab"];
  JsonVocabulary out;
  out.kind = kind_of(model);
  Collector tokens = out.kind == ModelKind::unigram ? collect_pairs(vocab, n_vocab, out.scores)
                                                    : collect_object(vocab, n_vocab);
  if (const auto added = root.find("added_tokens")) {
    collect_added(*added, vocab, tokens, out.added);
  }
  store(tokens, n_vocab > 0 ? static_cast<size_t>(n_vocab) : 0, out.vocabulary);
  out.vocabulary.table = TokenTable(out.vocabulary.tokens);
  out.unknown = read_unknown(model, out.kind, out.vocabulary);
  set_kinds(tokens, model.boolean_or("byte_fallback", false), out);
  set_roles(facts, out);
  return out;
}

}  // namespace strata::models
