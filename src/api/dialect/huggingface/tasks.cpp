// Tasks that vectors and scores answer: feature-extraction, sentence-similarity,
// text-classification.
#include <algorithm>
#include <cmath>
#include <numeric>

#include "api/dialect/dialect_common.h"
#include "api/dialect/embed_answer.h"
#include "api/dialect/huggingface/huggingface.h"
#include "api/limits.h"

namespace strata::api::huggingface {
namespace {

// These stand beside "inputs", or in "parameters".
void read_embedding(Fields& fields, EmbeddingRequest& request) {
  request.normalized = fields.boolean("normalize").value_or(request.normalized);
  request.truncate = fields.boolean("truncate").value_or(request.truncate);
  if (auto name = fields.text("prompt_name")) request.prompt_name = std::move(name);
  const auto direction = fields.text("truncation_direction");
  if (direction && *direction != "right" && *direction != "Right") {
    fields.fail("truncation_direction", "must be right: a text's end is what is cut");
  }
}

struct Probability {
  std::string label;
  double score = 0;
};

enum class Transform { automatic, sigmoid, softmax, none };

Transform read_transform(Fields& parameters) {
  const std::string name = parameters.text("function_to_apply").value_or("");
  if (name.empty()) return Transform::automatic;
  if (name == "sigmoid") return Transform::sigmoid;
  if (name == "softmax") return Transform::softmax;
  if (name == "none") return Transform::none;
  parameters.fail("function_to_apply", "must be sigmoid, softmax or none");
}

// Of one label a sigmoid, of several their shares, unless the request says otherwise.
std::vector<double> transformed(const std::vector<float>& scores, Transform how) {
  std::vector<double> out(scores.begin(), scores.end());
  if (how == Transform::automatic) {
    how = scores.size() == 1 ? Transform::sigmoid : Transform::softmax;
  }
  if (how == Transform::sigmoid) {
    for (double& each : out) each = 1 / (1 + std::exp(-each));
  } else if (how == Transform::softmax) {
    const double top = *std::ranges::max_element(out);
    for (double& each : out) each = std::exp(each - top);
    const double total = std::accumulate(out.begin(), out.end(), 0.0);
    for (double& each : out) each /= total;
  }
  return out;
}

json::array labels_json(const EmbeddingAnswer& answer, const std::vector<float>& scores,
                        Transform how, size_t most) {
  const std::vector<double> values = transformed(scores, how);
  std::vector<Probability> labels;
  for (size_t i = 0; i < values.size(); ++i) {
    const bool named = answer.labels.size() == values.size();
    labels.push_back({named ? answer.labels[i] : fmt::format("LABEL_{}", i), values[i]});
  }
  std::ranges::stable_sort(labels, std::greater{}, &Probability::score);
  json::array list;
  for (size_t i = 0; i < std::min(most, labels.size()); ++i) {
    list.push_back(json::object{{"label", labels[i].label}, {"score", labels[i].score}});
  }
  return list;
}

}  // namespace

std::string read_task_model(Fields& fields, const Asked& asked) {
  return fields.has("model") ? read_model_name(fields, "model") : asked.model;
}

std::vector<EmbeddingText> read_texts(Fields& fields, std::string_view key) {
  const auto texts = fields.texts(key, kMaxEmbeddingInputs, kMaxBodyBytes);
  if (!texts) fields.fail(key, "is missing");
  if (texts->empty()) fields.fail(key, "is empty");
  std::vector<EmbeddingText> inputs;
  for (const std::string& text : *texts) inputs.push_back({text});
  return inputs;
}

void extract_features(const std::shared_ptr<Exchange>& exchange, const Services& services,
                      const Dialect& dialect, const json::value& body, const Asked& asked) {
  Fields fields(body);
  EmbeddingRequest request;
  std::vector<std::string> ignored;
  request.model = read_task_model(fields, asked);
  request.inputs = read_texts(fields, "inputs");
  read_embedding(fields, request);
  if (auto parameters = fields.object("parameters")) {
    read_embedding(*parameters, request);
    parameters->refuse_unread();
  }
  read_options(fields, ignored);
  fields.refuse_unread();
  tell_ignored(*exchange, ignored);
  answer_embedding(exchange, services, dialect, std::move(request),
                   [](const EmbeddingAnswer& answer) {
                     json::array vectors;
                     for (const auto& each : answer.embeddings) {
                       vectors.push_back(to_json_array(each.vector));
                     }
                     return vectors;
                   });
}

void compare_sentences(const std::shared_ptr<Exchange>& exchange, const Services& services,
                       const Dialect& dialect, const json::value& body, const Asked& asked) {
  Fields fields(body);
  EmbeddingRequest request;
  std::vector<std::string> ignored;
  request.model = read_task_model(fields, asked);
  auto inputs = fields.object("inputs");
  if (!inputs) fields.fail("inputs", "is missing");
  request.inputs.push_back({inputs->required_text("source_sentence")});
  for (EmbeddingText& text : read_texts(*inputs, "sentences")) {
    request.inputs.push_back(std::move(text));
  }
  inputs->refuse_unread();
  if (auto parameters = fields.object("parameters")) {
    read_embedding(*parameters, request);
    parameters->refuse_unread();
  }
  request.normalized = true;
  read_options(fields, ignored);
  fields.refuse_unread();
  tell_ignored(*exchange, ignored);
  answer_embedding(
      exchange, services, dialect, std::move(request), [](const EmbeddingAnswer& answer) {
        const std::vector<float>& source = answer.embeddings.front().vector;
        json::array cosines;
        for (size_t i = 1; i < answer.embeddings.size(); ++i) {
          const std::vector<float>& other = answer.embeddings[i].vector;
          cosines.push_back(std::inner_product(source.begin(), source.end(), other.begin(), 0.0));
        }
        return cosines;
      });
}

void classify(const std::shared_ptr<Exchange>& exchange, const Services& services,
              const Dialect& dialect, const json::value& body, const Asked& asked) {
  Fields fields(body);
  EmbeddingRequest request;
  std::vector<std::string> ignored;
  request.model = read_task_model(fields, asked);
  request.inputs = read_texts(fields, "inputs");
  Transform how = Transform::automatic;
  size_t most = SIZE_MAX;
  if (auto parameters = fields.object("parameters")) {
    how = read_transform(*parameters);
    if (const auto top = parameters->integer("top_k", 1, INT32_MAX)) {
      most = static_cast<size_t>(*top);
    }
    read_embedding(*parameters, request);
    parameters->refuse_unread();
  }
  read_options(fields, ignored);
  fields.refuse_unread();
  tell_ignored(*exchange, ignored);
  const std::string model = request.model;
  answer_embedding(exchange, services, dialect, std::move(request),
                   [how, most, model](const EmbeddingAnswer& answer) {
                     json::array lists;
                     for (const auto& each : answer.embeddings) {
                       if (each.scores.empty()) {
                         throw Error(Code::failed_precondition,
                                     fmt::format("{} has no head that classifies texts", model),
                                     "choose a model for text classification");
                       }
                       lists.push_back(labels_json(answer, each.scores, how, most));
                     }
                     return lists;
                   });
}

}  // namespace strata::api::huggingface
