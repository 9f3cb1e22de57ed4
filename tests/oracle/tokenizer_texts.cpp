// Prints the texts of src/models/tokenizer/testing/strings.cpp for oracles in Python, each behind
// its length in bytes:  tokenizer_texts COUNT
#include <cstdio>
#include <cstdlib>
#include <string>

#include "models/tokenizer/testing/strings.h"

int main(int argc, char** argv) {
  if (argc != 2) return 2;
  const auto count = static_cast<uint32_t>(std::atoi(argv[1]));
  for (uint32_t i = 0; i < count; ++i) {
    const std::string text = strata::models::testing::varied_text(i);
    std::printf("%zu\n", text.size());
    std::fwrite(text.data(), 1, text.size(), stdout);
  }
  return 0;
}
