// Ranking documents for a query, in the shape that Cohere and Jina share, or in that of Text
// Embeddings Inference: which one is meant is known by the field that has the texts.
#include <algorithm>
#include <array>
#include <cmath>
#include <numeric>
#include <optional>

#include "api/dialect/answer.h"
#include "api/dialect/dialect_common.h"
#include "api/dialect/embed_answer.h"
#include "api/dialect/pick_model.h"
#include "api/limits.h"

namespace strata::api {
namespace {

// The last two are llama.cpp's.
constexpr std::array<std::string_view, 5> kPaths{"/v1/rerank", "/v2/rerank", "/rerank",
                                                 "/v1/reranking", "/reranking"};
constexpr std::array<std::string_view, 2> kIgnored{"user", "priority"};

struct Parsed {
  EmbeddingRequest request;
  std::string model;
  json::array documents;  // as they were given
  size_t top_n = 0;
  bool return_documents = false;
  bool of_tei = false;      // whose shape the answer has
  bool raw_scores = false;  // of that shape: not as probabilities
  std::vector<std::string> ignored;
};

// A string, or an object with a text.
std::string text_of(const json::value& document, size_t index, const Fields& fields,
                    std::string_view key) {
  if (document.is_string()) return std::string(document.get_string());
  if (document.is_object()) {
    const json::value* text = document.get_object().if_contains("text");
    if (text != nullptr && text->is_string()) return std::string(text->get_string());
  }
  fields.fail(key, fmt::format("has an entry (number {}) that is neither a string nor an object "
                               "with a text",
                               index));
}

void read_documents(Fields& fields, std::string_view key, Parsed& parsed) {
  const auto documents = fields.array(key, kMaxDocuments);
  if (documents.empty()) fields.fail(key, "is missing or empty");
  for (size_t i = 0; i < documents.size(); ++i) {
    parsed.request.inputs.push_back({text_of(documents[i], i, fields, key)});
    parsed.documents.push_back(documents[i]);
  }
}

void read_tei(Fields& fields, Parsed& parsed) {
  parsed.of_tei = true;
  read_documents(fields, "texts", parsed);
  parsed.return_documents = fields.boolean("return_text").value_or(false);
  parsed.raw_scores = fields.boolean("raw_scores").value_or(false);
  const std::string side = fields.text("truncation_direction").value_or("right");
  if (side != "right" && side != "Right") {
    fields.fail("truncation_direction", "must be right: a text that is too long loses its end");
  }
}

bool is_of_tei(const json::value& body) {
  return body.is_object() && Fields(body).has("texts");
}

Parsed parse(const json::value& body, const Services& services, const std::string& caller) {
  Fields fields(body);
  Parsed parsed;
  parsed.request.model = read_model_or_pick(fields, services, caller, Purpose::scores);
  parsed.request.query = fields.required_text("query");
  if (is_of_tei(body)) {
    read_tei(fields, parsed);
  } else {
    read_documents(fields, "documents", parsed);
    parsed.return_documents = fields.boolean("return_documents").value_or(false);
  }
  const auto most = static_cast<int64_t>(kMaxDocuments);
  parsed.top_n = static_cast<size_t>(fields.integer("top_n", 1, most).value_or(most));
  // A document that is longer than the model reads is cut, as its readers expect.
  parsed.request.truncate = fields.boolean("truncate").value_or(true);
  if (const auto limit = fields.integer("max_tokens_per_doc", 1, INT32_MAX)) {
    parsed.request.most_tokens = static_cast<int32_t>(*limit);
  }
  fields.ignore_unread(kIgnored, parsed.ignored);
  return parsed;
}

// The probabilities that scores stand for: of a single one by itself, of several labels each.
std::vector<double> probabilities(const std::vector<float>& scores) {
  if (scores.size() == 1) return {1 / (1 + std::exp(-double{scores[0]}))};
  const double top = double{*std::ranges::max_element(scores)};
  std::vector<double> out;
  double total = 0;
  for (const float score : scores) total += out.emplace_back(std::exp(double{score} - top));
  for (double& each : out) each /= total;
  return out;
}

// Each label's, where the model has a name for each.
std::optional<json::object> labels_json(const std::vector<std::string>& labels,
                                        const std::vector<double>& all) {
  if (labels.empty() || labels.size() != all.size()) return std::nullopt;
  json::object out;
  for (size_t i = 0; i < all.size(); ++i) out[labels[i]] = all[i];
  return out;
}

// Of several labels the last one's.
std::vector<double> scores_of(const EmbeddingAnswer& answer, bool raw) {
  std::vector<double> scores;
  for (const auto& each : answer.embeddings) {
    scores.push_back(raw ? double{each.scores.back()} : probabilities(each.scores).back());
  }
  return scores;
}

// The documents' places, the best first.
std::vector<size_t> ranked(const std::vector<double>& scores, size_t most) {
  std::vector<size_t> order(scores.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::ranges::stable_sort(order, [&](size_t a, size_t b) { return scores[a] > scores[b]; });
  order.resize(std::min(order.size(), most));
  return order;
}

json::value tei_json(const EmbeddingAnswer& answer, const Parsed& parsed) {
  const std::vector<double> scores = scores_of(answer, parsed.raw_scores);
  json::array results;
  for (const size_t index : ranked(scores, parsed.top_n)) {
    json::object result{{"index", index}, {"score", scores[index]}};
    const json::value& given = parsed.documents[index];
    if (parsed.return_documents) result["text"] = given.is_string() ? given : given.at("text");
    results.push_back(std::move(result));
  }
  return results;
}

json::value results_json(const EmbeddingAnswer& answer, const Parsed& parsed,
                         const std::string& id) {
  const std::vector<double> scores = scores_of(answer, false);
  json::array results;
  for (const size_t index : ranked(scores, parsed.top_n)) {
    json::object result{{"index", index}, {"relevance_score", scores[index]}};
    const auto all = probabilities(answer.embeddings[index].scores);
    if (auto labels = labels_json(answer.labels, all)) result["labels"] = std::move(*labels);
    if (parsed.return_documents) {
      const json::value& given = parsed.documents[index];
      result["document"] = given.is_string() ? json::value(json::object{{"text", given}}) : given;
    }
    results.push_back(std::move(result));
  }
  return json::object{{"id", id},
                      {"model", parsed.model},
                      {"results", std::move(results)},
                      {"usage", json::object{{"total_tokens", answer.n_tokens},
                                             {"prompt_tokens", answer.n_tokens}}}};
}

// Text Embeddings Inference says an error as Hugging Face's other servers do.
const Dialect& form_of_tei() {
  const auto& all = Registry<Dialect>::all();
  return **std::ranges::find(all, "huggingface", [](const auto& each) { return each->name(); });
}

class Rerank final : public Dialect {
 public:
  std::string_view name() const override { return "rerank"; }
  bool owns(std::string_view path) const override {
    return path.starts_with("/v2/") || std::ranges::find(kPaths, path) != kPaths.end();
  }

  Response error(const Error& error) const override {
    Response response;
    response.body =
        to_json(json::object{{"message", full_text(error)}, {"code", strata::name(error.code())}});
    return response;
  }

  void add_routes(RouteTable& table, const Services& services) const override {
    for (const std::string_view path : kPaths) {
      table.add({"POST", std::string(path), Scope::inference, kMaxBodyBytes,
                 [this, &services](const auto& exchange) { rank(exchange, services); },
                 std::string(name()), Lane::prompts});
    }
  }

 private:
  void rank(const std::shared_ptr<Exchange>& exchange, const Services& services) const {
    const json::value body = read_body(exchange->request().body);
    const Dialect& form = is_of_tei(body) ? form_of_tei() : *this;
    try {
      rank(exchange, services, form, body);
    } catch (const Error& error) {
      exchange->respond(error_response(form, error));
    }
  }

  static void rank(const std::shared_ptr<Exchange>& exchange, const Services& services,
                   const Dialect& form, const json::value& body) {
    const auto parsed = std::make_shared<Parsed>(parse(body, services, exchange->request().owner));
    tell_ignored(*exchange, parsed->ignored);
    parsed->model = parsed->request.model;
    answer_embedding(exchange, services, form, std::move(parsed->request),
                     [parsed, id = exchange->request().id](const EmbeddingAnswer& answer) {
                       return parsed->of_tei ? tei_json(answer, *parsed)
                                             : results_json(answer, *parsed, id);
                     });
  }
};

const Registered<Dialect> rerank{std::make_unique<Rerank>()};

}  // namespace
}  // namespace strata::api
