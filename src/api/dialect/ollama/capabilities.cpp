// What /api/show says that a model can do: what the server does with it, by the same rules.
#include "api/dialect/ollama/ollama.h"
#include "core/log.h"
#include "models/chat/output/output_format.h"
#include "models/chat/output/think_tags.h"
#include "models/chat/template_variables.h"
#include "models/model.h"

namespace strata::api::ollama {
namespace {

constexpr size_t kMaxKnownVocabularies = 1000;

Vocabularies::Facts read_facts(const models::Store& store, const models::Manifest& manifest) {
  const auto model = models::open_model(store.model_path(manifest));
  const models::SpecialIds& ids = model->tokenizer->special_ids();
  return {.fills_in = ids.fill_prefix >= 0 && ids.fill_suffix >= 0 && ids.fill_middle >= 0,
          .thinks = !models::find_think_tags("", model->tokenizer.get()).open.empty()};
}

// A template that knows no tools is told of them in words; one that does may write its calls in a
// format that is not known here, and these stay text.
bool calls_tools(std::string_view chat_template, const models::OutputFormat* format) {
  return format != nullptr || !models::names_of_template(chat_template).contains("tools");
}

}  // namespace

Vocabularies::Facts Vocabularies::of(const models::Store& store, const models::Manifest& manifest) {
  const std::string digest = manifest.digest();
  {
    const std::lock_guard lock(mutex_);
    if (const auto known = known_.find(digest); known != known_.end()) return known->second;
  }
  Facts facts;
  try {
    facts = read_facts(store, manifest);
  } catch (const Error& error) {  // once: it stays so while the files are these
    log_warn("{}: {}", manifest.name, error.what());
  }
  const std::lock_guard lock(mutex_);
  if (known_.size() >= kMaxKnownVocabularies) known_.clear();
  return known_.insert_or_assign(digest, facts).first->second;
}

json::array capabilities_of(const ModelTraits& traits,
                            const std::optional<std::string>& chat_template,
                            const Vocabularies::Facts& facts) {
  if (!traits.generates) return {"embedding"};
  json::array can{"completion"};
  if (facts.fills_in) can.push_back("insert");
  if (!traits.has_template) return can;
  const std::string source = chat_template.value_or("");
  const models::OutputFormat* format = models::find_output_format(source);
  if (calls_tools(source, format)) can.push_back("tools");
  const bool has_tags = !models::find_think_tags(source, nullptr).open.empty();
  const bool has_channels = format != nullptr && format->reads_whole();
  if (facts.thinks || has_tags || has_channels) can.push_back("thinking");
  return can;
}

}  // namespace strata::api::ollama
