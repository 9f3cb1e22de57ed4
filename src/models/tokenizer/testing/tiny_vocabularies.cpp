#include "models/tokenizer/testing/tiny_vocabularies.h"

#include <utility>

#include "models/format/gguf.h"
#include "models/tokenizer/byte_alphabet.h"

namespace strata::models::testing {
namespace {

struct Token {
  std::string text;
  TokenKind kind = TokenKind::normal;
  float score = 0;
};

void set_tokens(GgufBuilder& builder, const std::vector<Token>& tokens) {
  std::vector<std::string> texts;
  std::vector<int32_t> kinds;
  std::vector<float> scores;
  for (const Token& token : tokens) {
    texts.push_back(token.text);
    kinds.push_back(static_cast<int32_t>(token.kind));
    scores.push_back(token.score);
  }
  builder.set_texts("tokenizer.ggml.tokens", texts);
  builder.set_i32s("tokenizer.ggml.token_type", kinds);
  builder.set_f32s("tokenizer.ggml.scores", scores);
}

}  // namespace

GgufBuilder tiny_bpe() {
  std::vector<Token> tokens;
  for (const std::string& character : byte_alphabet()) tokens.push_back({character});
  for (const char* text : {"he", "ll", "hell", "hello", "Ġw"}) tokens.push_back({text});
  tokens.push_back({"[TOOL]", TokenKind::user_defined});
  tokens.push_back({"<|start|>", TokenKind::control});
  tokens.push_back({"<|im_end|>", TokenKind::control});
  GgufBuilder builder;
  builder.set_text("tokenizer.ggml.model", "gpt2");
  builder.set_text("tokenizer.ggml.pre", "gpt-2");
  set_tokens(builder, tokens);
  builder.set_texts("tokenizer.ggml.merges", {"h e", "l l", "he ll", "hell o", "Ġ w"});
  builder.set_u32("tokenizer.ggml.bos_token_id", 262);
  builder.set_u32("tokenizer.ggml.eos_token_id", 263);
  builder.remove("tokenizer.ggml.scores");
  return builder;
}

GgufBuilder tiny_sentencepiece() {
  std::vector<Token> tokens = {
      {"<unk>", TokenKind::unknown}, {"<s>", TokenKind::control}, {"</s>", TokenKind::control}};
  constexpr std::string_view kHex = "0123456789ABCDEF";
  for (size_t byte = 0; byte < 256; ++byte) {
    const std::string text = std::string("<0x") + kHex[byte >> 4] + kHex[byte & 15] + ">";
    tokens.push_back({text, TokenKind::byte});
  }
  tokens.push_back({"▁", TokenKind::normal, -10});
  for (char c = 'a'; c <= 'z'; ++c) tokens.push_back({std::string(1, c), TokenKind::normal, -20});
  tokens.push_back({"▁a", TokenKind::normal, -3});
  tokens.push_back({"ab", TokenKind::normal, -1});
  tokens.push_back({"▁ab", TokenKind::normal, -4});
  tokens.push_back({"abc", TokenKind::normal, -5});
  GgufBuilder builder;
  builder.set_text("tokenizer.ggml.model", "llama");
  set_tokens(builder, tokens);
  builder.set_u32("tokenizer.ggml.bos_token_id", 1);
  builder.set_u32("tokenizer.ggml.eos_token_id", 2);
  return builder;
}

std::shared_ptr<const Tokenizer> open(const GgufBuilder& builder) {
  struct Holder {
    std::vector<std::byte> bytes;
    std::shared_ptr<const ModelFile> file;
  };
  auto holder = std::make_shared<Holder>();
  holder->bytes = builder.build();
  holder->file = parse_gguf(holder->bytes);
  return Tokenizer::from_gguf(std::shared_ptr<const ModelFile>(holder, holder->file.get()));
}

}  // namespace strata::models::testing
