// strata push PLACE
#include "models/hub/push.h"

#include "api/library_facts.h"
#include "app/cli/command.h"
#include "app/cli/load_config.h"
#include "app/cli/output.h"
#include "app/cli/pull_progress.h"
#include "models/model.h"

namespace strata::app {
namespace {

class Push : public Command {
 public:
  const CommandSpec& spec() const override {
    static const CommandSpec spec{
        .name = "push",
        .summary = "send a model to a registry",
        .description =
            "To an OCI registry, in the layers that Ollama pulls. Who you are there is what\n"
            "docker login or podman login has kept. What is there whole is not sent again.",
        .arguments = {{"PLACE",
                       "HOST/NAMESPACE/NAME:TAG; the rest is the model's name here, of the\n"
                       "namespace library without it"}},
        .options = {{"insecure", "", "over plain http"}, {"quiet", "", "show no progress", 'q'}},
        .examples = {{"strata push registry.example.org/me/helper:v1",
                      "behind strata cp smollm2:135m me/helper:v1"}}};
    return spec;
  }

  int run(const Arguments& arguments) const override {
    const Config config = load_config(arguments);
    const std::string& place = arguments.words()[0];
    const auto name = models::parse_registry_name(place);
    const models::Store store;
    const auto manifest = store.find(name.local().full());
    const auto file = models::open_model_file(store.model_path(manifest));
    models::PullOptions pull = pull_options(config);
    // Whoever types the name of a registry in his own house means it.
    pull.policy.private_hosts.insert(models::registry_url(name).host);
    models::PushResult result;
    with_pull_progress(pull, arguments.has("quiet"), [&](const models::PullOptions& shown) {
      result = models::push(store, place,
                            {.policy = shown.policy,
                             .insecure = arguments.has("insecure"),
                             .parameter_size = api::parameter_size(api::count_weights(*file)),
                             .quantization = api::quantization(*file),
                             .progress = shown.progress,
                             .keep_going = shown.keep_going});
    });
    for (const std::string& line : result.left_out) complain("note: left out " + line);
    complain(fmt::format("{} is at {}", result.manifest.name, place));
    return 0;
  }
};

const Registered<Command> registered{std::make_unique<Push>()};

}  // namespace
}  // namespace strata::app
