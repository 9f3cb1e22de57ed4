// OpenAI's /v1/embeddings: texts, lists of texts, token ids, lists of token ids.
#include <algorithm>

#include "api/dialect/dialect_common.h"
#include "api/dialect/embed_answer.h"
#include "api/dialect/openai/openai.h"
#include "api/dialect/pick_model.h"
#include "api/limits.h"

namespace strata::api::openai {
namespace {

constexpr std::string_view kKinds = "must be a string, an array of strings, or token ids";
constexpr int64_t kMostDimensions = 1 << 20;
// Nothing in an id says whose it is.
constexpr std::string_view kIdsHint =
    "ids of another tokenizer, as LangChain's OpenAIEmbeddings sends by default, need "
    "check_embedding_ctx_length=False";

struct Wanted {
  EmbeddingRequest request;
  bool base64 = false;
};

std::vector<EmbeddingText> read_inputs(Fields& fields) {
  const json::value* value = fields.get("input");
  if (value == nullptr) fields.fail("input", "is missing");
  std::vector<EmbeddingText> inputs;
  if (value->is_string()) {
    inputs.push_back({std::string(value->get_string())});
    return inputs;
  }
  if (!value->is_array() || value->get_array().empty()) fields.fail("input", kKinds);
  const json::array& items = value->get_array();
  if (items.front().is_number()) {
    inputs.push_back({.text = {}, .ids = read_ids(items, fields, "input")});
    return inputs;
  }
  if (items.size() > kMaxEmbeddingInputs) {
    fields.fail("input",
                fmt::format("has {} entries, the limit is {}", items.size(), kMaxEmbeddingInputs));
  }
  for (const json::value& item : items) {
    if (item.is_string()) {
      inputs.push_back({std::string(item.get_string())});
    } else if (item.is_array() && !item.get_array().empty()) {
      inputs.push_back({.text = {}, .ids = read_ids(item.get_array(), fields, "input")});
    } else {
      fields.fail("input", kKinds);
    }
  }
  return inputs;
}

// Ollama's word, and vLLM's with a number: -1 is what the model takes. Both keep a text's
// beginning.
void read_truncation(Fields& fields, EmbeddingRequest& request) {
  const auto truncate = fields.boolean("truncate");
  const auto most = fields.integer("truncate_prompt_tokens", -1, INT32_MAX);
  if (most == 0) fields.fail("truncate_prompt_tokens", "is 0, it must be -1 or at least 1");
  if (most && truncate == false) {
    fields.fail("truncate_prompt_tokens", "cuts, and truncate is false", "send one of them");
  }
  request.truncate = truncate.value_or(most.has_value());
  if (most && *most > 0) request.most_read = static_cast<int32_t>(*most);
}

Wanted parse(const std::string& body) {
  const json::value document = read_body(body);
  Fields fields(document);
  Wanted wanted;
  if (fields.has("model")) wanted.request.model = read_model_name(fields, "model");
  wanted.request.inputs = read_inputs(fields);
  for (size_t i = 0; i < wanted.request.inputs.size(); ++i) {
    const EmbeddingText& input = wanted.request.inputs[i];
    if (input.text.empty() && input.ids.empty()) {
      fields.fail("input", fmt::format("has an empty text (number {})", i));
    }
  }
  const std::string format = fields.text("encoding_format").value_or("float");
  if (format != "float" && format != "base64") {
    fields.fail("encoding_format", "must be float or base64");
  }
  wanted.base64 = format == "base64";
  if (const auto dimensions = fields.integer("dimensions", 1, kMostDimensions)) {
    wanted.request.dimensions = static_cast<int32_t>(*dimensions);
  }
  read_truncation(fields, wanted.request);
  wanted.request.prompt_name = read_prompt_name(fields);
  wanted.request.ids_hint = kIdsHint;
  wanted.request.end_user = read_end_user(fields);
  fields.refuse_unread();
  return wanted;
}

json::value embeddings_json(const EmbeddingAnswer& answer, const std::string& model, bool base64) {
  json::array data;
  for (size_t i = 0; i < answer.embeddings.size(); ++i) {
    const auto& vector = answer.embeddings[i].vector;
    json::value embedding = nullptr;
    if (base64) {
      embedding = json::string(base64_of(vector));
    } else {
      embedding = to_json_array(vector);
    }
    data.push_back(
        json::object{{"object", "embedding"}, {"index", i}, {"embedding", std::move(embedding)}});
  }
  return json::object{{"object", "list"},
                      {"data", std::move(data)},
                      {"model", model},
                      {"usage", json::object{{"prompt_tokens", answer.n_tokens},
                                             {"total_tokens", answer.n_tokens}}}};
}

}  // namespace

void embed(const std::shared_ptr<Exchange>& exchange, const Services& services,
           const Dialect& dialect) {
  Wanted wanted = parse(exchange->request().body);
  log_end_user(*exchange, wanted.request.end_user);
  const bool of_ids = std::ranges::any_of(wanted.request.inputs,
                                          [](const auto& each) { return !each.ids.empty(); });
  if (of_ids) {
    exchange->add_header(
        "x-strata-notice",
        fmt::format("input is token ids: they are read as ids of this model's own vocabulary; {}",
                    kIdsHint));
  }
  const std::string model = settle_model(std::move(wanted.request.model), services,
                                         exchange->request().owner, Purpose::vectors);
  wanted.request.model = model;
  answer_embedding(exchange, services, dialect, std::move(wanted.request),
                   [model, base64 = wanted.base64](const EmbeddingAnswer& answer) {
                     return embeddings_json(answer, model, base64);
                   });
}

}  // namespace strata::api::openai
