// strata serve
#include "app/assembly.h"
#include "app/cli/command.h"
#include "app/cli/ignored.h"
#include "app/cli/interrupt.h"
#include "app/cli/keys.h"
#include "app/cli/load_config.h"
#include "app/cli/output.h"
#include "app/in_range.h"
#include "core/config.h"
#include "core/os.h"

namespace strata::app {
namespace {

// To the terminal, and into a journal where there is none: it is good once.
void invite_first(api::KeyStore& keys, const std::string& url) {
  const auto invitation = keys.invite_first(unix_seconds());
  if (!invitation) return;
  complain(
      fmt::format("no key can be used yet; open this in a browser, once and before {}, to make "
                  "the first:\n  {}",
                  utc_timestamp(invitation->expires), invitation_link(url, invitation->code)));
}

void greet(const RunningServer& server, const std::string& wanted_model, bool with_key) {
  complain(fmt::format("serving on {}", server.address()));
  complain(fmt::format("models and keys live in {}", models::Store().root().string()));
  const std::string url = browser_url(server.address());
  if (const auto model = server.example_model(wanted_model)) {
    complain("try: " + example_call(url, *model, with_key));
  } else {
    complain("no model is here yet; get one: strata pull " + wanted_model);
  }
  if (!with_key) return;
  auto keys = open_keys();
  keys.set_address(url);
  invite_first(keys, url);
}

class Serve : public Command {
 public:
  const CommandSpec& spec() const override {
    static const CommandSpec spec{
        .name = "serve",
        .summary = "answer over HTTP: six programs' interfaces",
        .description =
            "Clients of OpenAI, Ollama, Anthropic, Gemini, llama.cpp and Hugging Face can ask it.\n"
            "Listens on this machine only unless told otherwise. Requests load their model; an "
            "idle\n"
            "model is unloaded after its keep-alive time. Ctrl-C lets running answers end, then "
            "stops.",
        .options = {{"host", "ADDRESS:PORT", "where to listen; 127.0.0.1:11434 without it"},
                    {"port", "N", "another port; 0: any free one"},
                    {"require-key", "",
                     "every request needs a key; where none exists, a link makes one"},
                    {"allow-unprotected", "", "listen beyond this machine without keys"},
                    {"allow-origin", "ORIGIN", "a web page's origin that may call", 0, true},
                    {"allow-host", "NAME", "a further Host name to answer to", 0, true},
                    {"keep-alive", "TIME", "how long idle models stay loaded"},
                    {"context", "N", "positions a request may use"},
                    {"threads", "N", "threads that compute"},
                    {"kv", "FORMAT", "keep keys and values as bf16, int8 or int4"},
                    {"scripted", "FILE", "answer from a script instead of models; \"-\": echo"}},
        .examples = {{"strata serve", "on 127.0.0.1:11434"},
                     {"strata serve --port 0", "on any free port; the address is printed"},
                     {"strata serve --host 0.0.0.0:11434 --require-key", "for other machines"}},
        .aliases = {"start"}};
    return spec;
  }

  int run(const Arguments& arguments) const override {
    Config config = load_config(arguments);
    for (const auto& [option, key] : {std::pair{"host", "server.host"},
                                      {"keep-alive", "server.keep_alive"},
                                      {"context", "engine.context"},
                                      {"threads", "engine.threads"},
                                      {"kv", "engine.kv"}}) {
      if (const auto value = arguments.value(option))
        config.set(key, *value, std::string("--") + option);
    }
    name_ignored_variables();

    ServeOptions options;
    if (arguments.has("port")) options.port = option_in_range(arguments, "port", {0, 65535}, 0);
    options.require_key = arguments.has("require-key");
    options.allow_unprotected = arguments.has("allow-unprotected");
    options.origins = arguments.values("allow-origin");
    options.hosts = arguments.values("allow-host");
    options.script = arguments.value("scripted");
    const Interrupts interrupts;
    const auto server = start_server(config, options);
    greet(*server, config.text("model"), options.require_key);
    interrupts.wait();
    complain("stopping: running answers may end");
    server->stop();
    return 0;
  }
};

const Registered<Command> registered{std::make_unique<Serve>()};

}  // namespace
}  // namespace strata::app
