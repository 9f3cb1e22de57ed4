// strata key create NAME
#include "app/cli/command.h"
#include "app/cli/keys.h"
#include "app/cli/output.h"
#include "core/duration.h"
#include "core/error.h"
#include "core/os.h"
#include "models/hub/store.h"

namespace strata::app {
namespace {

std::optional<int64_t> expiry(const Arguments& arguments, int64_t now_s) {
  const auto text = arguments.value("expires");
  if (!text || *text == "never") return std::nullopt;
  const int64_t ms = parse_duration_ms(*text);
  if (ms < 1000) {
    throw Error(Code::invalid_argument, fmt::format("--expires is '{}': in the past", *text),
                "write for example 30d, 12h, or never");
  }
  return now_s + ms / 1000;
}

// TEXT, or @FILE for what stands in a file.
std::string text_or_file(const std::string& value) {
  return value.starts_with('@') ? read_file(value.substr(1)) : value;
}

api::KeySettings settings_of(const Arguments& arguments) {
  api::KeySettings settings;
  settings.system = text_or_file(arguments.value("system").value_or(""));
  for (const std::string& pair : arguments.values("set")) {
    const size_t at = pair.find('=');
    if (at == std::string::npos) {
      throw Error(Code::invalid_argument, fmt::format("--set '{}' has no value", pair),
                  "write for example --set temperature=0.2");
    }
    settings.parameters.emplace(pair.substr(0, at), pair.substr(at + 1));
  }
  const models::Store store;
  for (const std::string& model : arguments.values("model")) {
    const auto here = store.try_find(model);
    settings.models.push_back(here ? here->name : model);
  }
  if (const auto most = arguments.integer("max-tokens")) {
    if (*most < 1 || *most > INT32_MAX) {
      throw Error(Code::invalid_argument,
                  fmt::format("--max-tokens is {}, it must be 1 or more", *most));
    }
    settings.max_tokens = static_cast<int32_t>(*most);
  }
  return settings;
}

class KeyCreate : public Command {
 public:
  const CommandSpec& spec() const override {
    static const CommandSpec spec{
        .name = "key create",
        .summary = "make a key that callers of the server send",
        .description =
            "The key is printed once and stored only as a hash. Callers send it as\n"
            "'Authorization: Bearer KEY'. Scopes: inference (ask models, list them), metrics "
            "(read the\n"
            "counters), models (pull, create, copy, delete), admin (everything). The server asks "
            "for keys\n"
            "when it is started with --require-key.\n\n"
            "A key may carry a system text, which stands before that of every request, settings by "
            "their\n"
            "PARAMETER names for what a request does not say, the models that it may ask, and the "
            "most\n"
            "tokens that an answer of it has.",
        .arguments = {{"NAME", "who it is for"}},
        .options = {{"scopes", "LIST", "separated by commas; inference without it"},
                    {"expires", "TIME", "how long it is good for, 30d or 12h; never without it"},
                    {"system", "TEXT", "system text of its requests; @FILE reads it from a file"},
                    {.name = "set",
                     .value = "NAME=VALUE",
                     .help = "a setting where a request says nothing; may be given several times",
                     .repeated = true},
                    {.name = "model",
                     .value = "MODEL",
                     .help = "a model that it may ask; several times; all without it",
                     .repeated = true},
                    {"max-tokens", "N", "of an answer, whatever a request asks"},
                    {"json", "", "print JSON"}},
        .examples = {{"strata key create laptop", "may ask models and list them"},
                     {"strata key create ci --scopes inference,models --expires 30d",
                      "for a month, may pull models too"},
                     {"strata key create kiosk --system @house.txt --model smollm2:135m",
                      "one model, with the rules of the house"}}};
    return spec;
  }

  int run(const Arguments& arguments) const override {
    const int64_t now = unix_seconds();
    const auto scopes = api::parse_scopes(arguments.value("scopes").value_or("inference"));
    auto keys = open_keys();
    const auto key = keys.create(arguments.words()[0], scopes, expiry(arguments, now), now,
                                 settings_of(arguments));
    if (arguments.has("json")) {
      json::object out = as_json(key.info, now);
      out["key"] = key.secret;
      print_json(out);
      return 0;
    }
    print(key.secret + "\n");
    complain(fmt::format(
        "key {} for {}: {}, {}", key.info.id, key.info.name, api::to_text(key.info.scopes),
        key.info.expires ? "expires " + human_age(now - *key.info.expires) : "does not expire"));
    complain("keep it now: it cannot be shown again");
    return 0;
  }
};

const Registered<Command> registered{std::make_unique<KeyCreate>()};

}  // namespace
}  // namespace strata::app
