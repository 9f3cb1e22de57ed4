// strata show MODEL
#include <algorithm>

#include "api/library_facts.h"
#include "app/cli/command.h"
#include "app/cli/load_config.h"
#include "app/cli/model_file.h"
#include "app/cli/output.h"
#include "app/in_range.h"
#include "core/config.h"
#include "core/error.h"
#include "core/progress.h"
#include "inference/defaults.h"
#include "inference/memory.h"
#include "models/family/experts.h"
#include "models/family/family.h"
#include "models/hub/modelfile.h"
#include "models/hub/store.h"
#include "models/quantized/weight_storage.h"

namespace strata::app {
namespace {

using models::Manifest;
using models::ModelFile;

struct Facts {
  Manifest manifest;
  std::shared_ptr<const ModelFile> file;
  models::ModelSpec spec;
  tensor::KvFormat kv = tensor::KvFormat::bf16;  // that keys and values will have
};

Facts read_facts(const models::Store& store, const std::string& name) {
  Facts facts;
  facts.manifest = store.find(name);
  facts.file = models::open_model_file(store.model_path(facts.manifest));
  facts.spec = models::describe_model(*facts.file);
  return facts;
}

std::string template_of(const Facts& facts) {
  if (facts.manifest.overrides.chat_template) return *facts.manifest.overrides.chat_template;
  return std::string(facts.file->text("tokenizer.chat_template").value_or(""));
}

models::Parameters settings_of(const Facts& facts) {
  return inference::own_parameters(*facts.file, facts.manifest.overrides.parameters);
}

// "Q4_K_M (Q4_K 61 %, Q6_K 38 %, F32 under 1 %)": a mixture's name does not say what is in it.
std::string quantisation_of(const ModelFile& file) {
  std::string parts;
  for (const auto& [type, share] : api::weight_shares(file)) {
    parts += fmt::format("{}{} ", parts.empty() ? "" : ", ", type);
    parts += share < 0.005 ? std::string("under 1 %") : fmt::format("{:.0f} %", 100 * share);
  }
  return fmt::format("{} ({})", api::quantization(file), parts);
}

// How a folder's weights are stored, where its config.json says that they are quantised.
std::string storage_of(const ModelFile& file) {
  return std::string(file.text(models::kStorageKey).value_or(""));
}

std::string storage_note_of(const ModelFile& file) {
  return std::string(file.text(models::kStorageNoteKey).value_or(""));
}

// Of the files, with all that is in them.
double bits_per_weight(const Facts& facts) {
  return 8.0 * static_cast<double>(facts.file->file_bytes()) /
         static_cast<double>(std::max<int64_t>(api::count_weights(*facts.file), 1));
}

json::object shares_of(const ModelFile& file) {
  json::object shares;
  for (const auto& [type, share] : api::weight_shares(file)) shares[type] = share;
  return shares;
}

std::vector<int64_t> contexts_of(const Facts& facts, const Arguments& arguments) {
  if (const auto given = arguments.integer("context")) {
    if (*given < 1)
      throw Error(Code::invalid_argument,
                  fmt::format("--context is {}, it must be 1 or more", *given));
    return {*given};
  }
  std::vector<int64_t> contexts{2048, facts.spec.n_context};
  if (contexts[1] <= contexts[0]) contexts.erase(contexts.begin());
  return contexts;
}

int64_t parameters_a_token(const Facts& facts) {
  return api::count_weights(*facts.file) - models::expert_facts(facts.spec).n_idle_weights;
}

std::string_view made_of_texts(const models::ModelSpec& spec) {
  if (spec.scores) return "scores of texts for a query (POST /v1/rerank), no text";
  if (spec.masks) return "guesses for masks (fill-mask), vectors of text (strata embed), no text";
  return "vectors of text (strata embed), no text";
}

std::string_view kv_format_of(const Facts& facts) {
  return tensor::kv_format_name(inference::kv_format_held(facts.spec, facts.kv));
}

json::object as_json(const Facts& facts, const Arguments& arguments) {
  json::object parameters;
  for (const auto& [key, value] : settings_of(facts)) parameters[key] = value;
  json::array memory;
  for (const int64_t context : contexts_of(facts, arguments)) {
    const auto need = inference::foretell_memory(facts.spec, *facts.file, context, facts.kv);
    memory.emplace_back(json::object{{"context", context},
                                     {"bytes", need.total()},
                                     {"weights_bytes", need.weight_bytes},
                                     {"kv_bytes", need.kv_bytes},
                                     {"kv", kv_format_of(facts)}});
  }
  const models::ExpertFacts experts = models::expert_facts(facts.spec);
  return {{"name", facts.manifest.name},
          {"architecture", facts.file->text("general.architecture").value_or("")},
          {"parameters", api::count_weights(*facts.file)},
          {"quantisation", api::quantization(*facts.file)},
          {"quantisation_shares", shares_of(*facts.file)},
          {"quantised_as", storage_of(*facts.file)},
          {"quantisation_note", storage_note_of(*facts.file)},
          {"bits_per_weight", bits_per_weight(facts)},
          {"context", facts.spec.n_context},
          {"embedding", facts.spec.n_embd},
          {"layers", facts.spec.layers.size()},
          {"vocabulary", facts.spec.n_vocab},
          {"experts", experts.n_experts},
          {"experts_used", experts.n_used},
          {"parameters_a_token", parameters_a_token(facts)},
          {"size_bytes", facts.manifest.size_bytes()},
          {"digest", facts.manifest.digest()},
          {"source", facts.manifest.source},
          {"licence", licence_of(facts.manifest, *facts.file)},
          {"has_template", !template_of(facts).empty()},
          {"system", facts.manifest.overrides.system},
          {"settings", parameters},
          {"memory", memory}};
}

void print_facts(const Facts& facts, const Arguments& arguments) {
  const auto row = [](std::string_view key, const std::string& value) {
    print(fmt::format("  {:<16}{}\n", key, value));
  };
  print(facts.manifest.name + "\n");
  row("architecture", std::string(facts.file->text("general.architecture").value_or("")));
  row("parameters", api::parameter_size(api::count_weights(*facts.file)));
  row("quantisation", quantisation_of(*facts.file));
  if (const std::string storage = storage_of(*facts.file); !storage.empty()) {
    row("quantised as", storage);
  }
  if (const std::string note = storage_note_of(*facts.file); !note.empty()) row("note", note);
  row("context", fmt::format("{}", facts.spec.n_context));
  row("shape", fmt::format("{} layers of {}, vocabulary {}", facts.spec.layers.size(),
                           facts.spec.n_embd, facts.spec.n_vocab));
  if (const auto experts = models::expert_facts(facts.spec); experts.n_experts > 0) {
    row("experts",
        fmt::format("{} a layer, {} used: {} of the parameters a token", experts.n_experts,
                    experts.n_used, api::parameter_size(parameters_a_token(facts))));
  }
  row("file",
      fmt::format("{}, {:.2f} bits a weight, sha256 {}", format_bytes(facts.manifest.size_bytes()),
                  bits_per_weight(facts), facts.manifest.digest()));
  const std::string& parent = facts.manifest.parent;
  row("source", parent.empty() ? facts.manifest.source : "made from " + parent);
  row("licence", short_licence(licence_of(facts.manifest, *facts.file)));
  if (!models::generates(facts.spec)) {
    row("makes", std::string(made_of_texts(facts.spec)));
  } else {
    const char* none = facts.spec.encoder ? "none: it reads a text and writes an answer"
                                          : "none: a base model, it completes text";
    row("template", template_of(facts).empty() ? none : "Jinja");
  }
  for (const int64_t context : contexts_of(facts, arguments)) {
    const auto need = inference::foretell_memory(facts.spec, *facts.file, context, facts.kv);
    row("memory",
        fmt::format("{} at {} positions (weights {}, keys and values {} as {})",
                    format_bytes(static_cast<uint64_t>(need.total())), context,
                    format_bytes(static_cast<uint64_t>(need.weight_bytes)),
                    format_bytes(static_cast<uint64_t>(need.kv_bytes)), kv_format_of(facts)));
  }
  for (const auto& [key, value] : settings_of(facts)) row(key, value);
  const std::string& system = facts.manifest.overrides.system;
  if (!system.empty()) row("system", system.substr(0, system.find('\n')));
  if (const size_t n = facts.manifest.overrides.messages.size(); n > 0) {
    row("messages", fmt::format("{} that come before (--modelfile shows them)", n));
  }
}

std::string shape_of(const models::TensorInfo& tensor) {
  std::string shape;
  for (uint32_t i = 0; i < tensor.n_dims; ++i) {
    shape += (i == 0 ? "" : " x ") + std::to_string(tensor.shape[i]);
  }
  return shape;
}

void print_tensors(const ModelFile& file, bool as_json) {
  json::array array;
  std::vector<std::vector<std::string>> rows;
  for (const auto& tensor : file.tensors()) {
    const std::string type(tensor::dtype_info(tensor.type).name);
    if (as_json) {
      json::array shape;
      for (uint32_t i = 0; i < tensor.n_dims; ++i) shape.emplace_back(tensor.shape[i]);
      array.emplace_back(json::object{{"name", tensor.name},
                                      {"type", type},
                                      {"shape", shape},
                                      {"size_bytes", tensor.size_bytes()}});
    } else {
      rows.push_back(
          {std::string(tensor.name), type, shape_of(tensor), format_bytes(tensor.size_bytes())});
    }
  }
  if (as_json)
    print_json(json::object{{"tensors", array}});
  else
    print_table({"TENSOR", "TYPE", "SHAPE", "SIZE"}, rows);
}

// One part of a model, printed alone.
struct Part {
  std::string_view option;
  std::string_view help;
  std::string (*text)(const models::Store&, const Facts&);
};

std::string parameters_text(const models::Store&, const Facts& facts) {
  std::string out;
  for (const auto& [key, value] : settings_of(facts)) {
    out += fmt::format("  {:<20}{}\n", key, value);
  }
  return out;
}

constexpr Part kParts[]{
    {"template", "print the chat template",
     [](const models::Store&, const Facts& f) { return template_of(f) + "\n"; }},
    {"system", "print the system message",
     [](const models::Store&, const Facts& f) { return f.manifest.overrides.system + "\n"; }},
    {"parameters", "print the settings that the model brings", parameters_text},
    {"licence", "print the licence (also --license)",
     [](const models::Store&, const Facts& f) {
       const std::string licence = licence_of(f.manifest, *f.file);
       return (licence.empty() ? "not stated" : licence) + "\n";
     }},
    {"modelfile", "print the Modelfile that makes this model again",
     [](const models::Store& store, const Facts& f) {
       return to_text(models::to_modelfile(f.manifest, store.model_path(f.manifest).string()));
     }}};

// The part that is asked for alone; null: everything. Error{invalid_argument} for two of them.
const Part* wanted_part(const Arguments& arguments) {
  const Part* wanted = nullptr;
  for (const auto& part : kParts) {
    const bool asked =
        arguments.has(part.option) || (part.option == "licence" && arguments.has("license"));
    if (!asked) continue;
    if (wanted != nullptr) {
      throw Error(Code::invalid_argument,
                  fmt::format("--{} and --{} cannot be shown at once", wanted->option, part.option),
                  "ask for one at a time");
    }
    wanted = &part;
  }
  return wanted;
}

CommandSpec make_spec() {
  CommandSpec spec{
      .name = "show",
      .summary = "say what a model is and what it needs",
      .arguments = {{"MODEL", "a name from strata list", true, false, ArgumentSpec::Kind::model}},
      .options =
          {{"context", "N", "foretell the memory for so many positions"},
           {"kv", "FORMAT",
            "with keys and values as bf16, int8 or int4; engine.kv of the settings without it"},
           {"tensors", "", "list every tensor with type and shape"}},
      .examples = {{"strata show smollm2:135m", "what it is"},
                   {"strata show smollm2:135m --context 4096", "the memory at that context"},
                   {"strata show smollm2:135m --modelfile > Modelfile", "a start for your own"}}};
  for (const auto& part : kParts) spec.options.push_back({part.option, "", part.help});
  spec.options.push_back({.name = "license", .help = {}, .hidden = true});
  spec.options.push_back({"json", "", "print JSON"});
  return spec;
}

class Show : public Command {
 public:
  const CommandSpec& spec() const override {
    static const CommandSpec spec = make_spec();
    return spec;
  }

  int run(const Arguments& arguments) const override {
    const models::Store store;
    const Part* part = wanted_part(arguments);
    refuse_path(arguments.words()[0]);
    Facts facts = read_facts(store, arguments.words()[0]);
    if (part == nullptr) facts.kv = kv_from(arguments, load_config(arguments));
    const bool wants_json = arguments.has("json");
    if (arguments.has("tensors"))
      print_tensors(*facts.file, wants_json);
    else if (part != nullptr && wants_json)
      print_json(json::object{{part->option, part->text(store, facts)}});
    else if (part != nullptr)
      print(part->text(store, facts));
    else if (wants_json)
      print_json(as_json(facts, arguments));
    else
      print_facts(facts, arguments);
    return 0;
  }
};

const Registered<Command> registered{std::make_unique<Show>()};

}  // namespace
}  // namespace strata::app
