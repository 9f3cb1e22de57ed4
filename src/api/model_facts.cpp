#include "api/model_facts.h"

#include <algorithm>

#include "api/store_errors.h"
#include "inference/memory.h"
#include "models/family/experts.h"
#include "models/family/family.h"

namespace strata::api {
namespace {

ModelFacts::Runs runs_of(const models::ModelFile& file, int64_t n_weights, uint64_t context) {
  const models::ModelSpec spec = models::describe_model(file);
  ModelFacts::Runs runs;
  runs.n_context = spec.n_context;
  runs.n_layers = static_cast<int32_t>(spec.layers.size());
  runs.n_vocab = spec.n_vocab;
  const uint64_t positions = std::min(context, static_cast<uint64_t>(spec.n_context));
  const auto need = inference::foretell_memory(spec, file, static_cast<int64_t>(positions),
                                               tensor::KvFormat::bf16);
  runs.need = {positions, static_cast<uint64_t>(need.weight_bytes),
               static_cast<uint64_t>(need.kv_bytes), static_cast<uint64_t>(need.work_bytes)};
  const auto all = static_cast<double>(std::max<int64_t>(n_weights, 1));
  const auto idle = static_cast<double>(models::expert_facts(spec).n_idle_weights);
  runs.weight_bytes_a_token = static_cast<double>(need.weight_bytes) * (all - idle) / all;
  return runs;
}

}  // namespace

ModelFacts facts_of(const ModelLibrary& library, std::string_view name, uint64_t context) {
  const models::Store& store = library.store();
  ModelFacts facts;
  facts.manifest = telling_no_paths(store.root(), [&] { return store.find(name); });
  std::shared_ptr<const models::ModelFile> file;
  try {
    file = models::open_model_file(store.model_path(facts.manifest));
  } catch (const Error& error) {
    throw unreadable_model(error, facts.manifest, store.root());
  }
  facts.licence = models::licence_of(facts.manifest, *file);
  facts.architecture = file->text("general.architecture").value_or("");
  facts.quantization = quantization(*file);
  facts.n_weights = count_weights(*file);
  facts.shares = weight_shares(*file);
  facts.bits_per_weight = 8.0 * static_cast<double>(file->file_bytes()) /
                          static_cast<double>(std::max<int64_t>(facts.n_weights, 1));
  try {
    facts.runs = runs_of(*file, facts.n_weights, context);
  } catch (const Error& error) {
    facts.why_not = without_paths(error, store.root()).message();
  }
  return facts;
}

}  // namespace strata::api
