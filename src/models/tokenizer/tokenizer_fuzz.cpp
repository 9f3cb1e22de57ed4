// Fuzzes encoding and decoding on tiny vocabularies of each kind, with any text and ranges, and
// opening vocabularies from any GGUF file.
#include <algorithm>
#include <cstdlib>

#include "core/error.h"
#include "core/utf8.h"
#include "models/format/gguf.h"
#include "models/tokenizer/pre_tokenizer.h"
#include "models/tokenizer/testing/tiny_vocabularies.h"

namespace strata::models {
namespace {

struct Subject {
  std::shared_ptr<const Tokenizer> tokenizer;
  bool exact = false;  // valid text comes back as it was
};

std::vector<Subject> make_subjects() {
  std::vector<Subject> all = {{testing::open(testing::tiny_sentencepiece()), false}};
  for (const PreTokenizerSpec& spec : pre_tokenizer_table()) {
    auto builder = testing::tiny_bpe();
    builder.set_text("tokenizer.ggml.pre", *spec.names.begin());
    all.push_back({testing::open(builder), spec.byte_level});
  }
  return all;
}

void require(bool condition) {
  if (!condition) std::abort();
}

void encode_and_decode(const Subject& subject, std::string_view text, size_t cut) {
  const Tokenizer& tokenizer = *subject.tokenizer;
  cut = std::min(cut, text.size());
  const auto mixed = tokenizer.encode({std::string(text), {{0, cut / 2}, {cut, text.size()}}});
  tokenizer.decode(mixed, true);
  const auto plain = tokenizer.encode_text(text);
  for (const TokenId id : plain) require(tokenizer.kind(id) != TokenKind::control);
  if (subject.exact) require(tokenizer.decode(plain) == repair_utf8(text));
}

void open_file(std::span<const std::byte> bytes, std::string_view text) {
  try {
    const auto tokenizer = Tokenizer::from_gguf(parse_gguf(bytes));
    const auto ids = tokenizer->encode_trusted(text);
    tokenizer->decode(ids, true);
  } catch (const Error&) {
  }
}

}  // namespace
}  // namespace strata::models

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace strata::models;
  static const auto subjects = make_subjects();
  if (size < 2) return 0;
  const std::string_view text(reinterpret_cast<const char*>(data) + 2, size - 2);
  if (text.starts_with("GGUF")) {
    open_file(std::as_bytes(std::span(text)), "hello <s> w\xFF");
  } else {
    encode_and_decode(subjects[data[0] % subjects.size()], text, data[1]);
  }
  return 0;
}
