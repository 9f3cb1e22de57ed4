// embedContent and batchEmbedContents.
#include "api/dialect/dialect_common.h"
#include "api/dialect/embed_answer.h"
#include "api/dialect/gemini/gemini.h"
#include "api/limits.h"

namespace strata::api::gemini {
namespace {

constexpr int64_t kMostDimensions = 1 << 20;

// One text, with the wishes that all texts of an EmbeddingRequest have in common.
struct One {
  std::string text;
  std::optional<int32_t> dimensions;
  std::optional<std::string> prompt_name;
};

// The model's own prompt that a task stands for; its other tasks have none here.
std::optional<std::string> prompt_of(Fields& fields, std::vector<std::string>& ignored) {
  const auto task = fields.text("taskType");
  if (!task || *task == "TASK_TYPE_UNSPECIFIED") return std::nullopt;
  if (*task == "RETRIEVAL_QUERY") return "query";
  if (*task == "RETRIEVAL_DOCUMENT") return "document";
  ignored.push_back(fields.path("taskType"));
  return std::nullopt;
}

One read_one(Fields fields, const std::string& model, std::vector<std::string>& ignored) {
  One one;
  check_model(fields, model);
  auto content = fields.object("content");
  if (!content) fields.fail("content", "is missing");
  one.text = read_text_content(*content, ignored);
  if (one.text.empty()) fields.fail("content", "has no text");
  if (const auto n = fields.integer("outputDimensionality", 1, kMostDimensions)) {
    one.dimensions = static_cast<int32_t>(*n);
  }
  one.prompt_name = prompt_of(fields, ignored);
  if (const auto title = fields.text("title")) one.text = *title + "\n" + one.text;
  fields.refuse_unread();
  return one;
}

void add(EmbeddingRequest& request, One one, const Fields& fields) {
  if (request.inputs.empty()) {
    request.dimensions = one.dimensions;
    request.prompt_name = one.prompt_name;
  } else if (request.dimensions != one.dimensions || request.prompt_name != one.prompt_name) {
    fields.fail("requests", "differ in taskType or outputDimensionality",
                "send those that differ in requests of their own");
  }
  request.inputs.push_back({std::move(one.text)});
}

json::object values_json(const inference::Embedding& embedding) {
  return {{"values", to_json_array(embedding.vector)}};
}

}  // namespace

void embed(const std::shared_ptr<Exchange>& exchange, const Services& services,
           const Dialect& dialect, const std::string& model, bool batch) {
  const json::value document = read_camel_body(exchange->request().body);
  Fields fields(document);
  EmbeddingRequest request;
  request.model = model;
  std::vector<std::string> ignored;
  if (batch) {
    const auto requests = fields.array("requests", kMaxEmbeddingInputs);
    if (requests.empty()) fields.fail("requests", "must have at least one request");
    for (size_t i = 0; i < requests.size(); ++i) {
      add(request, read_one(Fields(requests[i], fmt::format("requests[{}]", i)), model, ignored),
          fields);
    }
    fields.refuse_unread();
  } else {
    add(request, read_one(std::move(fields), model, ignored), Fields(document));
  }
  tell_ignored(*exchange, ignored);
  answer_embedding(exchange, services, dialect, std::move(request),
                   [batch](const EmbeddingAnswer& answer) -> json::value {
                     if (!batch) {
                       return json::object{{"embedding", values_json(answer.embeddings.front())}};
                     }
                     json::array embeddings;
                     for (const auto& each : answer.embeddings) {
                       embeddings.push_back(values_json(each));
                     }
                     return json::object{{"embeddings", std::move(embeddings)}};
                   });
}

}  // namespace strata::api::gemini
