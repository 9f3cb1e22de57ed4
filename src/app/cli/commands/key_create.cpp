// strata key create NAME
#include "app/cli/command.h"
#include "app/cli/keys.h"
#include "app/cli/output.h"
#include "core/duration.h"
#include "core/error.h"
#include "core/os.h"

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
            "when it is started with --require-key.",
        .arguments = {{"NAME", "who it is for"}},
        .options = {{"scopes", "LIST", "separated by commas; inference without it"},
                    {"expires", "TIME", "how long it is good for, 30d or 12h; never without it"},
                    {"json", "", "print JSON"}},
        .examples = {{"strata key create laptop", "may ask models and list them"},
                     {"strata key create ci --scopes inference,models --expires 30d",
                      "for a month, may pull models too"}}};
    return spec;
  }

  int run(const Arguments& arguments) const override {
    const int64_t now = unix_seconds();
    const auto scopes = api::parse_scopes(arguments.value("scopes").value_or("inference"));
    auto keys = open_keys();
    const auto key = keys.create(arguments.words()[0], scopes, expiry(arguments, now), now);
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
