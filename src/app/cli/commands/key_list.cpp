// strata key list
#include "app/cli/command.h"
#include "app/cli/keys.h"
#include "app/cli/output.h"
#include "core/os.h"

namespace strata::app {
namespace {

class KeyList : public Command {
 public:
  const CommandSpec& spec() const override {
    static const CommandSpec spec{
        .name = "key list",
        .summary = "list the server's keys, never the secrets",
        .description =
            "REQUESTS counts those for which a model was asked, TOKENS those of prompts and "
            "answers "
            "together.\nA running server writes both with the key's last use, to the minute, and "
            "when it ends.",
        .options = {{"all", "", "revoked and expired ones too"}, {"json", "", "print JSON"}},
        .examples = {{"strata key list", "the keys that open the server now"},
                     {"strata key list --all --json", "every key that ever was"}}};
    return spec;
  }

  int run(const Arguments& arguments) const override {
    const int64_t now = unix_seconds();
    auto keys = open_keys().list();
    if (!arguments.has("all")) {
      std::erase_if(keys, [&](const auto& key) { return api::state_of(key, now) != "live"; });
    }
    if (arguments.has("json")) {
      json::array rows;
      for (const auto& key : keys) rows.emplace_back(as_json(key, now));
      print_json(json::object{{"keys", rows}});
      return 0;
    }
    std::vector<std::vector<std::string>> rows;
    for (const auto& key : keys) {
      rows.push_back({key.id, key.name, "…" + key.tail, api::to_text(key.scopes),
                      std::string(api::state_of(key, now)), human_age(now - key.created),
                      key.expires ? human_age(now - *key.expires) : "never",
                      key.last_used ? human_age(now - *key.last_used) : "never",
                      std::to_string(key.use.requests),
                      std::to_string(key.use.prompt_tokens + key.use.completion_tokens)});
    }
    print_table({"ID", "NAME", "KEY", "SCOPES", "STATE", "CREATED", "EXPIRES", "LAST USED",
                 "REQUESTS", "TOKENS"},
                rows);
    if (rows.empty()) complain("hint: make one: strata key create NAME");
    return 0;
  }
};

const Registered<Command> registered{std::make_unique<KeyList>()};

}  // namespace
}  // namespace strata::app
