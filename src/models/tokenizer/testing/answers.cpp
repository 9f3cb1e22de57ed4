#include "models/tokenizer/testing/answers.h"

#include <fstream>
#include <iterator>
#include <sstream>

#include "core/error.h"

namespace strata::models::testing {
namespace {

Answer parse_answer(const std::string& line, size_t n_hashes) {
  std::istringstream in(line);
  Answer answer;
  answer.hashes.resize(n_hashes);
  for (uint32_t& hash : answer.hashes) in >> std::hex >> hash >> std::dec;
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

}  // namespace

std::vector<Answer> read_answers(const std::filesystem::path& path, size_t hashes_a_line) {
  std::ifstream in(path);
  std::string line;
  std::getline(in, line);
  std::vector<Answer> answers;
  while (std::getline(in, line)) answers.push_back(parse_answer(line, hashes_a_line));
  if (answers.size() * kBlock != kTexts) {
    throw Error(Code::not_found, fmt::format("{}: {} lines of answers, {} are wanted",
                                             path.string(), answers.size(), kTexts / kBlock));
  }
  return answers;
}

std::string read_file(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  if (!in.good()) throw Error(Code::not_found, fmt::format("{} cannot be read", path.string()));
  return {std::istreambuf_iterator<char>(in), {}};
}

}  // namespace strata::models::testing
