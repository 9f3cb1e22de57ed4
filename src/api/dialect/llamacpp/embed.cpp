// /embedding and /embeddings in llama.cpp's own shape.
#include <algorithm>
#include <cmath>

#include "api/dialect/dialect_common.h"
#include "api/dialect/embed_answer.h"
#include "api/dialect/llamacpp/llamacpp.h"
#include "api/dialect/pick_model.h"
#include "api/limits.h"

namespace strata::api::llamacpp {
namespace {

constexpr int32_t kEuclidean = 2;
constexpr double kLargest = 32760;  // of "max absolute": as if for integers of 16 bits

EmbeddingText read_text(const json::value& value, Fields& fields, std::string_view key) {
  if (value.is_string()) return {std::string(value.get_string())};
  if (value.is_array()) return {"", read_ids(value.get_array(), fields, key)};
  fields.fail(key, "must be a text, token ids, or an array of these");
}

std::vector<EmbeddingText> read_texts(Fields& fields) {
  const std::string_view key = fields.has("content") ? "content" : "input";
  const json::value* value = fields.get(key);
  if (value == nullptr) fields.fail("content", "is missing");
  std::vector<EmbeddingText> texts;
  const json::array* items = value->if_array();
  const bool one = items == nullptr || std::ranges::any_of(*items, [](const json::value& item) {
                     return item.is_number();
                   });
  if (one) return {read_text(*value, fields, key)};
  for (const json::value& item : fields.array(key, kMaxEmbeddingInputs)) {
    texts.push_back(read_text(item, fields, key));
  }
  if (texts.empty()) fields.fail(key, "is empty");
  return texts;
}

// -1: as it is, 0: the largest is kLargest, else divided by the norm of that order.
void normalize(std::vector<float>& vector, int32_t order) {
  if (order < 0) return;
  if (order == kEuclidean) return inference::normalize(vector);
  double length = 0;
  for (const float x : vector) {
    const double size = std::fabs(double{x});
    length = order == 0 ? std::max(length, size / kLargest) : length + std::pow(size, order);
  }
  if (order > 0) length = std::pow(length, 1.0 / order);
  if (length <= 0) return;
  for (float& x : vector) x = static_cast<float>(double{x} / length);
}

}  // namespace

void embed(const std::shared_ptr<Exchange>& exchange, const Services& services,
           const Dialect& dialect) {
  const json::value body = read_body(exchange->request().body);
  Fields fields(body);
  EmbeddingRequest request;
  request.model = read_model_or_pick(fields, services, exchange->request().owner, Purpose::vectors);
  request.inputs = read_texts(fields);
  request.normalized = false;
  const auto order = fields.integer("embd_normalize", -1, 64).value_or(kEuclidean);
  const std::string format = fields.text("encoding_format").value_or("float");
  if (format != "float" && format != "base64") {
    fields.fail("encoding_format", "must be float or base64");
  }
  fields.refuse_unread();
  answer_embedding(
      exchange, services, dialect, std::move(request),
      [order = static_cast<int32_t>(order),
       base64 = format == "base64"](const EmbeddingAnswer& answer) {
        json::array list;
        for (const auto& each : answer.embeddings) {
          std::vector<float> vector = each.vector;
          normalize(vector, order);
          json::value told = base64 ? json::value(base64_of(vector))
                                    : json::value(json::array{to_json_array(vector)});
          list.push_back(json::object{{"index", list.size()}, {"embedding", std::move(told)}});
        }
        return list;
      });
}

}  // namespace strata::api::llamacpp
