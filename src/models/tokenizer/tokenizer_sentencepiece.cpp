// The fields are those of sentencepiece_model.proto (SentencePiece 0.2).
#include "models/tokenizer/tokenizer_sentencepiece.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <span>
#include <vector>

#include "core/error.h"
#include "core/log.h"
#include "models/format/gguf_part.h"
#include "models/tokenizer/pipeline/proto_reader.h"
#include "models/tokenizer/pipeline/sentence_pipeline.h"
#include "models/tokenizer/tokenizer_limits.h"

namespace strata::models {
namespace {

constexpr std::string_view kFile = "tokenizer.model";
constexpr uint64_t kUnigram = 1, kBpe = 2;  // TrainerSpec.model_type

struct Piece {
  std::string_view text;
  float score = 0;
  TokenKind kind = TokenKind::normal;  // of the same numbers as SentencePiece.Type
};

struct Model {
  std::vector<Piece> pieces;
  uint64_t type = kUnigram;
  bool byte_fallback = false;
  bool spaces_behind = false;
  int64_t unk_id = 0, bos_id = 1, eos_id = 2;
  std::string_view charsmap;
  bool add_dummy_prefix = true;
  bool remove_extra_whitespaces = true;
  bool escape_whitespaces = true;
};

[[noreturn]] void refuse(std::string_view why) {
  throw Error(Code::invalid_argument, fmt::format("{}: {}", kFile, why));
}

Piece read_piece(std::string_view bytes, size_t index) {
  Piece piece;
  for (ProtoReader reader(bytes, kFile); reader.next();) {
    if (reader.field() == 1) piece.text = reader.bytes();
    if (reader.field() == 2) piece.score = reader.float32();
    if (reader.field() != 3) continue;
    const uint64_t type = reader.varint();
    if (type < 1 || type > 6)
      refuse(fmt::format("piece {} is of the unknown type {}", index, type));
    piece.kind = static_cast<TokenKind>(type);
  }
  if (std::isnan(piece.score)) refuse(fmt::format("piece {} has no score", index));
  if (piece.text.size() > kMaxTokenBytes) {
    refuse(fmt::format("piece {} has {} bytes, the limit is {}", index, piece.text.size(),
                       kMaxTokenBytes));
  }
  return piece;
}

// An int32, of which negative ones are written in 64 bits.
int64_t as_id(uint64_t number) {
  return static_cast<int32_t>(static_cast<uint32_t>(number));
}

void read_trainer(std::string_view bytes, Model& model) {
  for (ProtoReader reader(bytes, kFile); reader.next();) {
    switch (reader.field()) {
      case 3:
        model.type = reader.varint();
        break;
      case 24:
        model.spaces_behind = reader.varint() != 0;
        break;
      case 35:
        model.byte_fallback = reader.varint() != 0;
        break;
      case 40:
        model.unk_id = as_id(reader.varint());
        break;
      case 41:
        model.bos_id = as_id(reader.varint());
        break;
      case 42:
        model.eos_id = as_id(reader.varint());
        break;
      default:
        break;  // how it was trained
    }
  }
}

void read_normalizer(std::string_view bytes, Model& model) {
  for (ProtoReader reader(bytes, kFile); reader.next();) {
    if (reader.field() == 2) model.charsmap = reader.bytes();
    if (reader.field() == 3) model.add_dummy_prefix = reader.varint() != 0;
    if (reader.field() == 4) model.remove_extra_whitespaces = reader.varint() != 0;
    if (reader.field() == 5) model.escape_whitespaces = reader.varint() != 0;
  }
}

Model read_model(std::string_view bytes) {
  Model model;
  for (ProtoReader reader(bytes, kFile); reader.next();) {
    if (reader.field() == 1) {
      if (model.pieces.size() >= kMaxVocabulary) {
        refuse(fmt::format("more than {} pieces", kMaxVocabulary));
      }
      model.pieces.push_back(read_piece(reader.bytes(), model.pieces.size()));
    }
    if (reader.field() == 2) read_trainer(reader.bytes(), model);
    if (reader.field() == 3) read_normalizer(reader.bytes(), model);
  }
  if (model.pieces.empty()) refuse("it has no pieces");
  const auto not_known = [](std::string_view what) {
    throw Error(Code::unimplemented, fmt::format("{}: {} are not known", kFile, what));
  };
  if (model.type != kUnigram && model.type != kBpe) {
    not_known(fmt::format("models of type {} (1 is Unigram, 2 is BPE)", model.type));
  }
  if (model.spaces_behind) not_known("spaces behind words");
  if (!model.escape_whitespaces) not_known("spaces that are not marked");
  return model;
}

// The ids of fairseq's models, whose dictionary begins with its own roles and ends with a mask: the
// pieces behind SentencePiece's three follow these (XLMRobertaTokenizer of transformers 4). Another
// order of the same file can be told by the number of rows only.
void take_fairseq_order(Model& model, int32_t n_vocab) {
  constexpr std::array<std::string_view, 3> kFirst{"<unk>", "<s>", "</s>"};
  const auto refuse_order = [](std::string_view why) {
    throw Error(Code::unimplemented,
                fmt::format("sentencepiece.bpe.model: the order of its ids is not known: {}", why),
                "fetch or make the model's tokenizer.json");
  };
  for (size_t i = 0; i < kFirst.size(); ++i) {
    if (i < model.pieces.size() && model.pieces[i].text == kFirst[i]) continue;
    refuse_order(fmt::format("piece {} is not {}", i, kFirst[i]));
  }
  std::vector<Piece> pieces{{"<s>", 0, TokenKind::control},
                            {"<pad>", 0, TokenKind::control},
                            {"</s>", 0, TokenKind::control},
                            {"<unk>", 0, TokenKind::unknown}};
  pieces.insert(pieces.end(), model.pieces.begin() + kFirst.size(), model.pieces.end());
  pieces.push_back({"<mask>", 0, TokenKind::control});
  if (n_vocab > 0 && pieces.size() != static_cast<size_t>(n_vocab)) {
    refuse_order(fmt::format("{} tokens, but the model has {} rows", pieces.size(), n_vocab));
  }
  model.pieces = std::move(pieces);
  model.bos_id = 0;
  model.eos_id = 2;
  model.unk_id = 3;
}

// What was added to the pieces since the file was made, at the ids that are said.
void add_tokens(std::span<const AddedFact> tokens, int32_t n_vocab, Model& model) {
  const size_t n_own = model.pieces.size();
  const size_t most = n_vocab > 0 ? static_cast<size_t>(n_vocab) : kMaxVocabulary;
  for (const AddedFact& added : tokens) {
    const auto id = static_cast<size_t>(added.id);
    if (id < n_own) continue;
    if (id >= most) {
      log_warn("the added token \"{}\" has the id {}, of {} rows; it is left out",
               printable(added.content), id, most);
      continue;
    }
    if (added.content.size() > kMaxTokenBytes) {
      refuse(fmt::format("the added token {} has {} bytes, the limit is {}", id,
                         added.content.size(), kMaxTokenBytes));
    }
    if (id >= model.pieces.size()) model.pieces.resize(id + 1, {{}, 0, TokenKind::unused});
    model.pieces[id] = {added.content, 0,
                        added.special ? TokenKind::control : TokenKind::user_defined};
  }
}

// Those that are listed by id, or else counted.
std::vector<AddedFact> added_to(const Model& model, const TokenizerFacts& facts) {
  std::vector<AddedFact> added = facts.added;
  const auto n_pieces = static_cast<int64_t>(model.pieces.size());
  const bool listed =
      std::ranges::any_of(added, [&](const AddedFact& one) { return one.id >= n_pieces; });
  for (int64_t i = 0; !listed && i < facts.n_sentinels; ++i) {
    const int64_t id = n_pieces + facts.n_sentinels - 1 - i;
    added.push_back({static_cast<TokenId>(id), fmt::format("<extra_id_{}>", i)});
  }
  return added;
}

TokenId role(const Model& model, int64_t id, size_t rows) {
  if (id >= 0 && static_cast<size_t>(id) >= model.pieces.size()) {
    refuse(fmt::format("a role is given to {}, no piece of {}", id, model.pieces.size()));
  }
  return id >= 0 && static_cast<size_t>(id) < rows ? static_cast<TokenId>(id) : -1;
}

// Spellings, behind them the scores, all in one string.
Vocabulary store(const Model& model, size_t rows) {
  Vocabulary vocabulary;
  auto storage = std::make_shared<std::string>();
  size_t total = rows * sizeof(float);
  for (const Piece& piece : model.pieces) total += piece.text.size();
  storage->reserve(total);  // so that it never moves
  for (const Piece& piece : model.pieces) {
    const size_t begin = storage->size();
    storage->append(piece.text);
    vocabulary.tokens.push_back(std::string_view(*storage).substr(begin));
    vocabulary.kinds.push_back(piece.kind);
    vocabulary.longest_token = std::max(vocabulary.longest_token, piece.text.size());
  }
  vocabulary.tokens.resize(rows);
  vocabulary.kinds.resize(rows, TokenKind::unused);
  const size_t scores = storage->size();
  for (size_t i = 0; i < rows; ++i) {
    const float score = i < model.pieces.size() ? model.pieces[i].score : 0;
    storage->append(reinterpret_cast<const char*>(&score), sizeof score);
  }
  vocabulary.score_bytes = std::as_bytes(std::span(*storage).subspan(scores));
  vocabulary.storage = std::move(storage);
  return vocabulary;
}

Vocabulary make_vocabulary(const Model& model, const TokenizerFacts& facts, int32_t n_vocab) {
  if (n_vocab > 0 && static_cast<size_t>(n_vocab) < model.pieces.size()) {
    refuse(fmt::format("{} pieces, but the model has {} rows", model.pieces.size(), n_vocab));
  }
  Vocabulary vocabulary =
      store(model, std::max(model.pieces.size(), static_cast<size_t>(std::max(n_vocab, 0))));
  index_byte_tokens(vocabulary, kFile);
  vocabulary.table = TokenTable(vocabulary.tokens);
  const size_t rows = vocabulary.size();
  const auto named = [&](std::string_view spelling, TokenId id, int64_t own) {
    if (!spelling.empty()) return vocabulary.table.find(spelling);
    return id >= 0 && static_cast<size_t>(id) < rows ? id : role(model, own, rows);
  };
  vocabulary.ids.bos = named(facts.bos_token, facts.bos, model.bos_id);
  vocabulary.ids.eos = named(facts.eos_token, facts.eos, model.eos_id);
  vocabulary.ids.unknown = role(model, model.unk_id, rows);
  vocabulary.add_space_prefix = model.add_dummy_prefix;
  vocabulary.add_bos = facts.add_bos.value_or(vocabulary.ids.bos >= 0);
  vocabulary.add_eos = facts.add_eos.value_or(model.type == kUnigram && vocabulary.ids.eos >= 0);
  for (const TokenId id : facts.end_ids) {
    if (id >= 0 && static_cast<size_t>(id) < rows) vocabulary.end_ids.push_back(id);
  }
  assign_roles_by_name(vocabulary, NamedTokens::control_only);
  return vocabulary;
}

}  // namespace

SentenceModel read_sentencepiece(std::string_view bytes, const TokenizerFacts& facts,
                                 int32_t n_vocab) {
  if (n_vocab < 0 || static_cast<size_t>(n_vocab) > kMaxVocabulary) {
    throw Error(Code::invalid_argument,
                fmt::format("a vocabulary of {} tokens, the limit is {}", n_vocab, kMaxVocabulary));
  }
  Model model = read_model(bytes);
  if (facts.fairseq_order) take_fairseq_order(model, n_vocab);
  const std::vector<AddedFact> added = added_to(model, facts);  // which pieces point into
  add_tokens(added, n_vocab, model);
  const TokenId separator = facts.fairseq_order ? static_cast<TokenId>(model.eos_id) : -1;
  return {make_vocabulary(model, facts, n_vocab),
          {.charsmap = model.charsmap,
           .merge_spaces = model.remove_extra_whitespaces,
           .merges_by_score = model.type == kBpe,
           .separator = separator,
           .byte_fallback = model.byte_fallback,
           .as_library = true}};
}

std::shared_ptr<const Tokenizer> tokenizer_from_sentencepiece(std::string_view bytes,
                                                              const TokenizerFacts& facts,
                                                              int32_t n_vocab) {
  SentenceModel model = read_sentencepiece(bytes, facts, n_vocab);
  return make_pipeline_tokenizer(std::move(model.vocabulary), [&](const Vocabulary& vocabulary) {
    return make_sentence_pipeline(vocabulary, model.rules);
  });
}

}  // namespace strata::models
