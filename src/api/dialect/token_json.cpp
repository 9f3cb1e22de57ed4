#include "api/dialect/token_json.h"

namespace strata::api {
namespace {

json::array byte_array(const std::string& bytes) {
  json::array array;
  for (const char c : bytes) array.push_back(static_cast<int64_t>(static_cast<unsigned char>(c)));
  return array;
}

json::object entry_json(const std::string& bytes, float logprob) {
  return {
      {"token", bytes}, {"logprob", static_cast<double>(logprob)}, {"bytes", byte_array(bytes)}};
}

}  // namespace

json::array logprob_array(const std::vector<inference::GeneratedToken>& tokens) {
  json::array array;
  for (const auto& token : tokens) {
    json::object entry = entry_json(token.bytes, token.logprob);
    json::array top;
    for (const auto& other : token.alternatives) {
      top.push_back(entry_json(other.bytes, other.logprob));
    }
    entry["top_logprobs"] = std::move(top);
    array.push_back(std::move(entry));
  }
  return array;
}

}  // namespace strata::api
