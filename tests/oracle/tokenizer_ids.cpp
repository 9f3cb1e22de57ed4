// Asks llama.cpp for the ids of the texts of src/models/tokenizer/testing/strings.cpp.
//   tokenizer_ids MODEL.gguf COUNT [PRE]
// PRE replaces tokenizer.ggml.pre. Prints one line a text: the hash of its ids with control tokens
// spelled out, and with them recognised; every 100th text with its ids. See tests/oracle/tokenizer.
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

#include "llama.h"
#include "models/tokenizer/testing/strings.h"

using namespace strata::models::testing;

static std::vector<int32_t> ids_of(const llama_vocab* vocab, const std::string& text, bool special) {
  std::vector<int32_t> ids(text.size() + 16);
  const auto size = static_cast<int32_t>(text.size());
  int n = llama_tokenize(vocab, text.data(), size, ids.data(), (int32_t)ids.size(), false, special);
  if (n < 0) {
    ids.resize(static_cast<size_t>(-n));
    n = llama_tokenize(vocab, text.data(), size, ids.data(), (int32_t)ids.size(), false, special);
  }
  ids.resize(static_cast<size_t>(n));
  return ids;
}

static void print_ids(const char* name, const std::vector<int32_t>& ids) {
  std::printf(" %s", name);
  for (const int32_t id : ids) std::printf(" %d", id);
}

int main(int argc, char** argv) {
  if (argc < 3) return 2;
  llama_log_set([](ggml_log_level, const char*, void*) {}, nullptr);
  llama_backend_init();
  llama_model_kv_override overrides[2];
  std::memset(overrides, 0, sizeof overrides);
  llama_model_params params = llama_model_default_params();
  params.vocab_only = true;
  if (argc > 3) {
    overrides[0].tag = LLAMA_KV_OVERRIDE_TYPE_STR;
    std::strcpy(overrides[0].key, "tokenizer.ggml.pre");
    std::strncpy(overrides[0].val_str, argv[3], 127);
    params.kv_overrides = overrides;
  }
  llama_model* model = llama_model_load_from_file(argv[1], params);
  if (model == nullptr) return 1;
  const llama_vocab* vocab = llama_model_get_vocab(model);
  std::printf("bos %d eos %d add_bos %d add_eos %d end", llama_vocab_bos(vocab),
              llama_vocab_eos(vocab), llama_vocab_get_add_bos(vocab),
              llama_vocab_get_add_eos(vocab));
  for (int32_t id = 0; id < llama_vocab_n_tokens(vocab); ++id) {
    if (llama_vocab_is_eog(vocab, id)) std::printf(" %d", id);
  }
  std::printf("\n");
  const auto count = static_cast<uint32_t>(std::atoi(argv[2]));
  for (uint32_t i = 0; i < count; ++i) {
    const std::string text = varied_text(i);
    const auto plain = ids_of(vocab, text, false), special = ids_of(vocab, text, true);
    std::printf("%08x %08x", hash_ids(plain), hash_ids(special));
    if (i % 100 == 0) print_ids("plain", plain), print_ids("special", special);
    std::printf("\n");
  }
  std::fflush(stdout);
  std::_Exit(0);
}
