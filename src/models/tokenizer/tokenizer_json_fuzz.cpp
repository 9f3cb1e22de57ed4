// Fuzzes reading tokenizer.json: any bytes as the file, and texts on what was accepted. The file
// ends at the first byte 0xFF, which JSON cannot hold; behind it stands the text.
#include <cstdlib>

#include "core/error.h"
#include "models/tokenizer/tokenizer_json.h"

namespace strata::models {
namespace {

void require(bool condition) {
  if (!condition) std::abort();
}

void encode_and_decode(const Tokenizer& tokenizer, std::string_view text) {
  const auto plain = tokenizer.encode_text(text);
  for (const TokenId id : plain) {
    require(id >= 0 && id < tokenizer.n_vocab());
  }
  tokenizer.decode(plain);
  const size_t cut = text.size() / 2;
  const auto mixed = tokenizer.encode({std::string(text), {{0, cut / 2}, {cut, text.size()}}});
  tokenizer.decode(tokenizer.with_bos_eos(mixed), true);
  for (const TokenId id : mixed) tokenizer.piece(id, true);
}

}  // namespace
}  // namespace strata::models

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace strata::models;
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  const size_t end = std::min(input.find('\xFF'), input.size());
  try {
    const auto tokenizer = tokenizer_from_json(input.substr(0, end), {}, 0);
    const auto text = end < size ? input.substr(end + 1) : std::string_view("hello <s> w\xC3\xA9");
    encode_and_decode(*tokenizer, text);
  } catch (const strata::Error&) {
  }
  return 0;
}
