#include "models/tokenizer/tokenizer_ranks.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "core/error.h"
#include "models/format/gguf_part.h"
#include "models/tokenizer/pipeline/base64.h"
#include "models/tokenizer/pipeline/json_place.h"
#include "models/tokenizer/pipeline/pipeline_tokenizer.h"
#include "models/tokenizer/pipeline/sentence_pipeline.h"
#include "models/tokenizer/pre_tokenizer.h"
#include "models/tokenizer/scored_bpe.h"
#include "models/tokenizer/tokenizer_limits.h"

namespace strata::models {
namespace {

// A token of a vocabulary that is being read.
struct Entry {
  std::string bytes;
  TokenKind kind = TokenKind::unused;
};

class Entries {
 public:
  Entries(std::string_view file, int32_t n_vocab) : file_(file) {
    limit_ = n_vocab > 0 ? static_cast<size_t>(n_vocab) : kMaxVocabulary;
    if (n_vocab < 0 || limit_ > kMaxVocabulary) {
      refuse(fmt::format("a vocabulary of {} tokens, the limit is {}", n_vocab, kMaxVocabulary));
    }
    if (n_vocab > 0) entries_.resize(limit_);
  }

  [[noreturn]] void refuse(std::string_view why) const {
    throw Error(Code::invalid_argument, fmt::format("{}: {}", file_, why));
  }

  // Ids come nearly in order, so that no file of few tokens asks for much memory.
  void put(int64_t id, std::string bytes, TokenKind kind) {
    const size_t reach = std::min(limit_, std::max(entries_.size(), 2 * count_ + 65536));
    if (id < 0 || static_cast<uint64_t>(id) >= reach) {
      refuse(fmt::format("token {} of {} that may be", id, reach));
    }
    if (bytes.empty() || bytes.size() > kMaxTokenBytes) {
      refuse(
          fmt::format("token {} has {} bytes, 1 to {} may be", id, bytes.size(), kMaxTokenBytes));
    }
    const auto index = static_cast<size_t>(id);
    if (index >= entries_.size()) entries_.resize(index + 1);
    if (entries_[index].kind != TokenKind::unused) refuse(fmt::format("token {} twice", id));
    entries_[index] = {std::move(bytes), kind};
    ++count_;
  }

  Vocabulary vocabulary() const {
    if (count_ == 0) refuse("it has no tokens");
    Vocabulary out;
    auto storage = std::make_shared<std::string>();
    size_t total = 0;
    for (const Entry& entry : entries_) total += entry.bytes.size();
    storage->reserve(total);  // so that it never moves
    for (const Entry& entry : entries_) {
      const size_t begin = storage->size();
      storage->append(entry.bytes);
      out.tokens.push_back(std::string_view(*storage).substr(begin));
      out.kinds.push_back(entry.kind);
      out.longest_token = std::max(out.longest_token, entry.bytes.size());
    }
    out.storage = std::move(storage);
    out.byte_ids.fill(-1);
    out.table = TokenTable(out.tokens);
    return out;
  }

 private:
  std::string_view file_;
  size_t limit_ = 0;
  size_t count_ = 0;
  std::vector<Entry> entries_;
};

// Joins the bytes of tokens as they are.
class PlainBytes final : public DecoderStep {
 public:
  void apply(std::vector<Spelled>&, Decoding&) const override {}
};

Pipeline make_parts(const Vocabulary& vocabulary, std::string_view pattern) {
  Pipeline parts;
  parts.added = added_tokens(vocabulary);
  parts.splitters.push_back(make_match_splitter(pattern));
  ScoredBpeRules rules;
  rules.byte_symbols = true;
  rules.whole_words = true;
  for (size_t i = 0; i < vocabulary.size(); ++i) {
    rules.priorities.push_back(static_cast<uint32_t>(i));
  }
  parts.model = std::make_unique<ScoredBpeModel>(vocabulary, std::move(rules));
  parts.wrap = wrap_of(vocabulary);
  std::vector<std::unique_ptr<const DecoderStep>> steps;
  steps.push_back(std::make_unique<PlainBytes>());
  parts.decoder = Decoder(std::move(steps));
  return parts;
}

// Roles that other files give.
void apply_facts(const TokenizerFacts& facts, Vocabulary& vocabulary) {
  const auto named = [&](std::string_view spelling, TokenId id, TokenId own) {
    if (!spelling.empty()) return vocabulary.table.find(spelling);
    return id >= 0 && id < static_cast<TokenId>(vocabulary.size()) ? id : own;
  };
  vocabulary.ids.bos = named(facts.bos_token, facts.bos, vocabulary.ids.bos);
  vocabulary.ids.eos = named(facts.eos_token, facts.eos, vocabulary.ids.eos);
  vocabulary.add_bos = facts.add_bos.value_or(vocabulary.add_bos);
  vocabulary.add_eos = facts.add_eos.value_or(false);
  for (const TokenId id : facts.end_ids) {
    if (id >= 0 && id < static_cast<TokenId>(vocabulary.size())) vocabulary.end_ids.push_back(id);
  }
  assign_roles_by_name(vocabulary, NamedTokens::control_only);
}

std::shared_ptr<const Tokenizer> finish(Vocabulary vocabulary, std::string_view pattern) {
  return make_pipeline_tokenizer(std::move(vocabulary), [pattern](const Vocabulary& read) {
    return make_parts(read, pattern);
  });
}

// What tekken.json held before it listed them: the first special tokens by id.
constexpr std::string_view kFirstTekken[] = {"<unk>",
                                             "<s>",
                                             "</s>",
                                             "[INST]",
                                             "[/INST]",
                                             "[AVAILABLE_TOOLS]",
                                             "[/AVAILABLE_TOOLS]",
                                             "[TOOL_RESULTS]",
                                             "[/TOOL_RESULTS]",
                                             "[TOOL_CALLS]",
                                             "[IMG]",
                                             "<pad>",
                                             "[IMG_BREAK]",
                                             "[IMG_END]",
                                             "[PREFIX]",
                                             "[MIDDLE]",
                                             "[SUFFIX]",
                                             "[SYSTEM_PROMPT]",
                                             "[/SYSTEM_PROMPT]",
                                             "[TOOL_CONTENT]"};

void put_tekken_specials(const JsonPlace& root, int64_t count, Entries& entries) {
  std::vector<bool> named(static_cast<size_t>(count));
  const auto put = [&](int64_t id, std::string_view content) {
    if (id < 0 || id >= count) {
      entries.refuse(fmt::format("special token {} of {}", id, count));
    }
    named[static_cast<size_t>(id)] = true;
    entries.put(id, std::string(content), TokenKind::control);
  };
  if (const auto list = root.find("special_tokens")) {
    for (size_t i = 0; i < list->array().size(); ++i) {
      const JsonPlace token = list->item(i);
      put(token["rank"].integer(), token["token_str"].text());
    }
  } else {
    for (size_t i = 0; i < std::size(kFirstTekken) && static_cast<int64_t>(i) < count; ++i) {
      put(static_cast<int64_t>(i), kFirstTekken[i]);
    }
  }
  for (int64_t id = 0; id < count; ++id) {
    if (!named[static_cast<size_t>(id)]) {
      entries.put(id, fmt::format("<SPECIAL_{}>", id), TokenKind::control);
    }
  }
}

constexpr std::string_view kTiktokenPattern =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+)"
    R"([\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";

// A line's token and rank.
std::optional<std::pair<std::string, int64_t>> read_rank(std::string_view line) {
  if (line.ends_with('\r')) line.remove_suffix(1);
  const size_t space = std::min(line.find(' '), line.size());
  int64_t rank = -1;
  const char* end = line.data() + line.size();
  const auto [stop, error] =
      std::from_chars(line.data() + std::min(space + 1, line.size()), end, rank);
  auto bytes = from_base64(line.substr(0, space));
  if (error != std::errc() || stop != end || rank < 0 || !bytes) return std::nullopt;
  return std::pair(std::move(*bytes), rank);
}

std::string_view take_line(std::string_view& text) {
  const size_t end = std::min(text.find('\n'), text.size());
  const std::string_view line = text.substr(0, end);
  text.remove_prefix(std::min(end + 1, text.size()));
  return line;
}

// Those of `facts` at their ids from `n_ranks` on, the places between them reserved; behind them
// what is only listed.
void put_specials(const TokenizerFacts& facts, int64_t n_ranks, Entries& entries) {
  std::map<int64_t, std::string> placed;
  std::set<std::string, std::less<>> names;
  for (const auto& [id, content, special] : facts.added) {
    if (id >= n_ranks) placed.emplace(id, content);
    names.insert(content);
  }
  int64_t next = placed.empty() ? n_ranks : placed.rbegin()->first + 1;
  for (int64_t id = n_ranks; id < next; ++id) {
    const auto found = placed.find(id);
    entries.put(id,
                found != placed.end() ? found->second : fmt::format("<|reserved_token_{}|>", id),
                TokenKind::control);
  }
  for (const std::string& content : facts.extra) {
    if (names.insert(content).second) entries.put(next++, content, TokenKind::control);
  }
}

}  // namespace

namespace {

// Where a folder brings a program of its own, the pattern stands in it.
std::string tiktoken_pattern(std::string_view program) {
  constexpr std::array<std::string_view, 2> kOfHan{"tokenization_kimi.", "tokenization_moonshot."};
  if (program.empty()) return std::string(kTiktokenPattern);
  for (const std::string_view file : kOfHan) {
    if (program.find(file) == std::string_view::npos) continue;
    return pattern_of(*find_pre_tokenizer("kimi-k2").steps.begin());
  }
  throw Error(Code::unimplemented,
              fmt::format("tiktoken's file: the pattern that cuts words stands in the folder's "
                          "program '{}', which is not run",
                          printable(program)),
              "make tokenizer.json of it with transformers");
}

}  // namespace

bool is_tiktoken(std::string_view text) {
  const auto first = read_rank(take_line(text));
  return first && !first->first.empty();
}

RankedModel read_tiktoken(std::string_view text, const TokenizerFacts& facts, int32_t n_vocab) {
  Entries entries("tiktoken's file", n_vocab);
  int64_t n_ranks = 0;
  for (int64_t line = 1; !text.empty(); ++line) {
    const std::string_view said = take_line(text);
    if (said.empty() || said == "\r") continue;
    auto token = read_rank(said);
    if (!token) entries.refuse(fmt::format("line {} is no token in base64 and its rank", line));
    n_ranks = std::max(n_ranks, token->second + 1);
    entries.put(token->second, std::move(token->first), TokenKind::normal);
  }
  put_specials(facts, n_ranks, entries);
  Vocabulary vocabulary = entries.vocabulary();
  apply_facts(facts, vocabulary);
  return {std::move(vocabulary), tiktoken_pattern(facts.program)};
}

std::shared_ptr<const Tokenizer> tokenizer_from_tiktoken(std::string_view text,
                                                         const TokenizerFacts& facts,
                                                         int32_t n_vocab) {
  RankedModel model = read_tiktoken(text, facts, n_vocab);
  return finish(std::move(model.vocabulary), model.pattern);
}

RankedModel read_tekken(std::string_view tekken_json, const TokenizerFacts& facts,
                        int32_t n_vocab) {
  const json::value document =
      parse_json(tekken_json, {.max_bytes = kMaxTokenizerJsonBytes, .max_depth = 32});
  const JsonPlace root(document, "tekken.json");
  const JsonPlace config = root["config"], vocab = root["vocab"];
  const int64_t size = config["default_vocab_size"].integer();
  const int64_t specials = config["default_num_special_tokens"].integer();
  if (specials < 0 || size <= specials || static_cast<uint64_t>(size) > kMaxVocabulary) {
    config.refuse(fmt::format("asks for {} tokens, {} of them special", size, specials));
  }
  Entries entries("tekken.json", n_vocab);
  put_tekken_specials(root, specials, entries);
  const auto count = std::min(vocab.array().size(), static_cast<size_t>(size - specials));
  for (size_t i = 0; i < count; ++i) {
    const JsonPlace token = vocab.item(i);
    const auto bytes = from_base64(token["token_bytes"].text());
    if (!bytes) token.refuse("has bytes that are not base64");
    entries.put(token["rank"].integer() + specials, *bytes, TokenKind::normal);
  }
  Vocabulary vocabulary = entries.vocabulary();
  vocabulary.ids.bos = vocabulary.table.find("<s>");
  vocabulary.ids.eos = vocabulary.table.find("</s>");
  vocabulary.ids.unknown = vocabulary.table.find("<unk>");
  vocabulary.add_bos = vocabulary.ids.bos >= 0;
  apply_facts(facts, vocabulary);
  return {std::move(vocabulary), std::string(config["pattern"].text())};
}

std::shared_ptr<const Tokenizer> tokenizer_from_tekken(std::string_view tekken_json,
                                                       const TokenizerFacts& facts,
                                                       int32_t n_vocab) {
  RankedModel model = read_tekken(tekken_json, facts, n_vocab);
  return finish(std::move(model.vocabulary), model.pattern);
}

}  // namespace strata::models
