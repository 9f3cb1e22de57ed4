#include "api/library.h"

#include <algorithm>
#include <atomic>

#include "api/library_facts.h"
#include "api/store_errors.h"
#include "core/log.h"
#include "core/os.h"
#include "inference/defaults.h"
#include "inference/model_caches.h"
#include "models/hub/push.h"
#include "models/hub/source.h"
#include "modify/quantize_stored.h"

namespace strata::api {
namespace {

// What a caller on the network may name: a model, or a source that is no file of this machine.
void check_reference(const std::string& text) {
  if (models::names_a_file(text)) {
    throw Error(Code::permission_denied, "the server opens no files that a request names",
                "use the command line on that machine: strata create, or strata pull file:…");
  }
  if (!models::is_source_reference(text)) models::parse_model_name(text);
}

// Not of a moment when the machine had no memory or no file descriptors left.
bool is_about_the_file(Code code) {
  return code == Code::invalid_argument || code == Code::data_loss || code == Code::unimplemented;
}

// Of a split model, the part that was written last.
std::filesystem::file_time_type last_written(const models::Manifest& manifest,
                                             const models::Store& store) {
  auto last = std::filesystem::file_time_type::min();
  for (const auto& part : manifest.model) {
    std::error_code missing;
    last = std::max(last, std::filesystem::last_write_time(store.blob_path(part.sha256), missing));
  }
  return last;
}

// The files that are quantised have no name of their own, and go with the next collection unless
// they are another model's.
models::Manifest create_quantized(const models::Store& store, const std::string& name,
                                  const models::Modelfile& modelfile, const modify::Mix& mix,
                                  const models::PullOptions& options) {
  return models::store_model(store, options.keep_going, [&] {
    auto manifest = models::assemble_model(store, name, modelfile, store.root(), options);
    lower_priority();  // the threads that it starts inherit it
    return modify::quantize_files(store, std::move(manifest), mix,
                                  {.progress = options.progress, .keep_going = options.keep_going});
  });
}

}  // namespace

struct ModelLibrary::JobState {
  std::atomic<bool> cancelled = false;
  std::atomic<bool> ended = false;
};

class ModelLibrary::JobHandle : public ModelLibrary::Job {
 public:
  explicit JobHandle(std::shared_ptr<JobState> state) : state_(std::move(state)) {}
  ~JobHandle() override { state_->cancelled = true; }

 private:
  std::shared_ptr<JobState> state_;
};

ModelLibrary::ModelLibrary(const std::filesystem::path& store, NetPolicy policy)
    : store_((store.empty() ? models::Store() : models::Store(store)).waiting_while([this] {
        return !stopping_;
      })),
      policy_(std::move(policy)) {}

ModelLibrary::~ModelLibrary() {
  stop();
  for (auto& worker : workers_) worker.thread.join();
}

void ModelLibrary::stop() {
  const std::lock_guard lock(mutex_);
  stopping_ = true;
  for (auto& worker : workers_) worker.state->cancelled = true;
}

Error ModelLibrary::told(const Error& error) const {
  if (error.code() == Code::cancelled && stopping_) {
    return Error(Code::unavailable, "the server is stopping", "try again when it is back");
  }
  return without_paths(error, store_.root());
}

template <typename Action>
auto ModelLibrary::telling(Action&& action) const {
  try {
    return action();
  } catch (const Error& error) {
    throw told(error);
  }
}

std::vector<ModelCard> ModelLibrary::list() const {
  std::vector<ModelCard> cards;
  for (const auto& manifest : store_.list()) cards.push_back(card_of(manifest));
  return cards;
}

// Empty for a file that cannot be read: one damaged file must not hide the others; show() says what
// is wrong with it.
ModelLibrary::FileFacts ModelLibrary::facts_of(const models::Manifest& manifest) const {
  const auto written = last_written(manifest, store_);
  {
    const std::lock_guard lock(mutex_);
    const auto known = facts_.find(manifest.digest());
    if (known != facts_.end() && known->second.unreadable_since.value_or(written) == written) {
      return known->second;
    }
  }
  FileFacts facts;
  try {
    const auto file = models::open_model_file(store_.model_path(manifest));
    facts.family = file->text("general.architecture").value_or("");
    facts.parameter_size = parameter_size(count_weights(*file));
    facts.quantization = quantization(*file);
    facts.has_template = file->text("tokenizer.chat_template").has_value();
  } catch (const Error& error) {
    log_warn("{}: {}", manifest.name, error.what());
    if (!is_about_the_file(error.code())) return FileFacts();
    facts = FileFacts();
    facts.unreadable_since = written;
  }
  const std::lock_guard lock(mutex_);
  return facts_.insert_or_assign(manifest.digest(), std::move(facts)).first->second;
}

ModelCard ModelLibrary::card_of(const models::Manifest& manifest) const {
  ModelCard card;
  card.name = manifest.name;
  card.size_bytes = static_cast<int64_t>(manifest.size_bytes());
  card.digest = manifest.digest();
  card.modified = manifest.created;
  card.format = "gguf";
  const FileFacts facts = facts_of(manifest);
  card.kind = manifest.kind;
  if (card.kind.empty() && facts.has_template) card.kind = "chat";
  card.family = facts.family;
  card.parameter_size = facts.parameter_size;
  card.quantization = facts.quantization;
  return card;
}

std::shared_ptr<const models::ModelFile> ModelLibrary::open(
    const models::Manifest& manifest) const {
  try {
    return models::open_model_file(store_.model_path(manifest));
  } catch (const Error& error) {
    if (error.code() == Code::cancelled) throw told(error);
    throw unreadable_model(error, manifest, store_.root());
  }
}

// A setting of the file that is none makes the model as unreadable as its weights would.
models::Parameters ModelLibrary::settings_of(const models::Manifest& manifest,
                                             const models::ModelFile& file) const {
  try {
    return inference::own_parameters(file, manifest.overrides.parameters);
  } catch (const Error& error) {
    throw unreadable_model(error, manifest, store_.root());
  }
}

ModelDetails ModelLibrary::show(std::string_view name, bool everything) const {
  ModelDetails details;
  details.manifest = telling([&] { return store_.find(name); });
  const auto file = open(details.manifest);
  details.card = card_of(details.manifest);
  details.licence = models::licence_of(details.manifest, *file);
  details.settings = settings_of(details.manifest, *file);
  details.info = file_info(*file, everything ? SIZE_MAX : kMaxShownItems);
  if (everything) details.tensors = tensor_list(*file);
  details.n_weights = count_weights(*file);
  details.chat_template = details.manifest.overrides.chat_template.value_or(
      std::string(file->text("tokenizer.chat_template").value_or("")));
  details.modelfile = models::to_text(models::to_modelfile(
      details.manifest,
      details.manifest.parent.empty() ? details.manifest.name : details.manifest.parent));
  return details;
}

void ModelLibrary::copy(std::string_view from, std::string_view to) const {
  telling([&] { store_.copy(from, to); });
}

void ModelLibrary::remove(std::string_view name) const {
  telling([&] {
    const std::string full = store_.resolve(name).full();
    const inference::ModelCaches caches(store_, full);
    store_.remove(name);
    caches.remove();
  });
}

std::unique_ptr<ModelLibrary::Job> ModelLibrary::pull(const std::string& name, bool refresh,
                                                      Progress progress, Done done) {
  check_reference(name);
  return start(
      [this, name, refresh](models::PullOptions options) {
        options.refresh = refresh;
        return models::pull(store_, name, options).manifest;
      },
      std::move(progress), std::move(done));
}

std::unique_ptr<ModelLibrary::Job> ModelLibrary::push(const std::string& place, bool insecure,
                                                      Progress progress, Done done) {
  const std::string model = models::parse_registry_name(place).local().full();
  return start(
      [this, place, model, insecure](const models::PullOptions& options) {
        const ModelCard card = card_of(store_.find(model));
        auto pushed = models::push(store_, place,
                                   {.policy = options.policy,
                                    .insecure = insecure,
                                    .parameter_size = card.parameter_size,
                                    .quantization = card.quantization,
                                    .progress = options.progress,
                                    .keep_going = options.keep_going});
        for (const std::string& line : pushed.left_out) {
          options.progress({.stage = "left out: " + line, .file = {}});
        }
        return std::move(pushed.manifest);
      },
      std::move(progress), std::move(done));
}

std::unique_ptr<ModelLibrary::Job> ModelLibrary::create(const std::string& name,
                                                        models::Modelfile modelfile,
                                                        const modify::Mix* mix, Progress progress,
                                                        Done done) {
  models::parse_model_name(name);
  check_reference(modelfile.from);
  inference::parse_parameters(modelfile.overrides.parameters);
  if (const auto& source = modelfile.overrides.chat_template) {
    if (models::is_go_template(*source)) {
      throw Error(Code::invalid_argument, "the template is in Go's language, Strata reads Jinja",
                  "leave the template out: the model's file carries its own");
    }
    models::ChatTemplate::parse(*source, "", "");
  }
  return start(
      [this, name, modelfile = std::move(modelfile), mix](const models::PullOptions& options) {
        if (mix) return create_quantized(store_, name, modelfile, *mix, options);
        return models::create_model(store_, name, modelfile, store_.root(), options);
      },
      std::move(progress), std::move(done));
}

std::unique_ptr<ModelLibrary::Job> ModelLibrary::quantize(const std::string& model,
                                                          const std::string& type,
                                                          const std::string& name,
                                                          Progress progress, Done done) {
  const modify::Mix& mix = modify::find_mix(type);
  telling([&] {
    store_.find(model);
    modify::refuse_name_in_use(store_, name);
  });
  return start(
      [this, model, &mix, name](const models::PullOptions& options) {
        lower_priority();  // the threads that it starts inherit it
        return modify::quantize_stored(
            store_, model, mix, name,
            {.progress = options.progress, .keep_going = options.keep_going});
      },
      std::move(progress), std::move(done));
}

std::unique_ptr<ModelLibrary::Job> ModelLibrary::start(Work work, Progress progress, Done done) {
  auto state = std::make_shared<JobState>();
  models::PullOptions options;
  options.policy = policy_;
  options.progress = std::move(progress);
  options.keep_going = [state] { return !state->cancelled; };
  const auto run = [this, state, work = std::move(work), done = std::move(done),
                    options = std::move(options)] {
    std::optional<models::Manifest> manifest;
    std::optional<Error> error;
    try {
      manifest = work(options);
    } catch (const Error& caught) {
      error = told(caught);
    } catch (const std::exception& caught) {
      error = told(Error(Code::internal, caught.what()));
    }
    done(manifest ? &*manifest : nullptr, error ? &*error : nullptr);
    state->ended = true;
  };
  const std::lock_guard lock(mutex_);
  for (auto it = workers_.begin(); it != workers_.end();) {
    if (!it->state->ended) {
      ++it;
      continue;
    }
    it->thread.join();
    it = workers_.erase(it);
  }
  if (stopping_ || workers_.size() >= kMaxLibraryJobs) {
    throw Error(Code::unavailable,
                stopping_ ? std::string("the server is stopping")
                          : fmt::format("{} jobs on the store are at work", workers_.size()),
                "try again when one of them has ended");
  }
  workers_.push_back({state, std::thread(run)});
  return std::make_unique<JobHandle>(std::move(state));
}

}  // namespace strata::api
