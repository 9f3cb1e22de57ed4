// The task fill-mask, as transformers' pipeline of that name answers it.
#include "api/dialect/embed_answer.h"
#include "api/dialect/huggingface/huggingface.h"
#include "api/limits.h"

namespace strata::api::huggingface {
namespace {

MaskWish read_wish(Fields& parameters) {
  MaskWish wish;
  if (const auto top = parameters.integer("top_k", 1, INT32_MAX)) {
    wish.top_k = static_cast<int32_t>(*top);
  }
  if (auto targets = parameters.texts("targets", kMaxMaskTargets, kMaxBodyBytes)) {
    if (targets->empty()) parameters.fail("targets", "is empty");
    wish.targets = std::move(*targets);
  }
  return wish;
}

json::array guesses_json(const EmbeddingAnswer& answer, size_t text, size_t mask) {
  json::array list;
  for (const inference::Guess& guess : answer.embeddings[text].guesses[mask]) {
    const FilledMask filled = answer.masked->filled(text, mask, guess.token);
    list.push_back(json::object{{"score", guess.probability},
                                {"token", guess.token},
                                {"token_str", filled.token},
                                {"sequence", filled.sequence}});
  }
  return list;
}

// Of a text with one mask its guesses, of one with several a list for each.
json::array text_json(const EmbeddingAnswer& answer, size_t text) {
  const size_t n_masks = answer.embeddings[text].guesses.size();
  if (n_masks == 1) return guesses_json(answer, text, 0);
  json::array lists;
  for (size_t mask = 0; mask < n_masks; ++mask) lists.push_back(guesses_json(answer, text, mask));
  return lists;
}

// A list of one text is answered as the text is.
json::array answer_json(const EmbeddingAnswer& answer) {
  if (answer.embeddings.size() == 1) return text_json(answer, 0);
  json::array texts;
  for (size_t i = 0; i < answer.embeddings.size(); ++i) texts.push_back(text_json(answer, i));
  return texts;
}

}  // namespace

void fill_masks(const std::shared_ptr<Exchange>& exchange, const Services& services,
                const Dialect& dialect, const json::value& body, const Asked& asked) {
  Fields fields(body);
  EmbeddingRequest request;
  std::vector<std::string> ignored;
  request.model = read_task_model(fields, asked);
  request.inputs = read_texts(fields, "inputs");
  request.masks.emplace();
  if (auto parameters = fields.object("parameters")) {
    request.masks = read_wish(*parameters);
    parameters->refuse_unread();
  }
  read_options(fields, ignored);
  fields.refuse_unread();
  tell_ignored(*exchange, ignored);
  answer_embedding(exchange, services, dialect, std::move(request), answer_json);
}

}  // namespace strata::api::huggingface
