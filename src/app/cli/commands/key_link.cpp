// strata key link NAME
#include "app/assembly.h"
#include "app/cli/command.h"
#include "app/cli/keys.h"
#include "app/cli/load_config.h"
#include "app/cli/output.h"
#include "core/error.h"
#include "core/net.h"
#include "core/os.h"

namespace strata::app {
namespace {

// Without user, path and query: the app stands at the root of its server.
std::string checked_address(const std::string& text) {
  const Url url = parse_url(text);
  if (url.path != "/" || url.text.find('?') != std::string::npos) {
    throw Error(Code::invalid_argument, fmt::format("--address '{}' has a path or a query", text),
                "write for example https://ai.example.org");
  }
  return url.text;
}

// Where the server of these keys listened last; before it ever did, where it would.
std::string address_of(const api::KeyStore& keys, const Config& config) {
  const std::string known = keys.address();
  return known.empty() ? browser_url(config.text("server.host")) : known;
}

class KeyLink : public Command {
 public:
  const CommandSpec& spec() const override {
    static const CommandSpec spec{
        .name = "key link",
        .summary = "print a link that makes a key and signs a browser in, once",
        .description =
            "For a server that runs with --require-key. Whoever opens the link first gets a new "
            "key of\n"
            "this name and scopes, shown to him once, and his browser is signed in. A link works "
            "once and\n"
            "for an hour; until then it is as good as the key. Scopes are those of strata key "
            "create.",
        .arguments = {{"NAME", "who it is for"}},
        .options = {{"scopes", "LIST", "separated by commas; inference without it"},
                    {"address", "URL",
                     "of the server, or of a proxy before it; where it listens "
                     "without it"},
                    {"json", "", "print JSON"}},
        .examples = {{"strata key link anna", "for a colleague"},
                     {"strata key link chief --scopes admin", "for who looks after the server"},
                     {"strata key link anna --address https://ai.example.org",
                      "where a proxy stands before the server"}}};
    return spec;
  }

  int run(const Arguments& arguments) const override {
    const Config config = load_config(arguments);
    const auto scopes = api::parse_scopes(arguments.value("scopes").value_or("inference"));
    const std::string& name = arguments.words()[0];
    const auto wanted = arguments.value("address");
    auto keys = open_keys();
    const std::string url = wanted ? checked_address(*wanted) : address_of(keys, config);
    const api::Invitation invitation = keys.invite(name, scopes, unix_seconds());
    const std::string link = invitation_link(url, invitation.code);
    const std::string until = utc_timestamp(invitation.expires);
    if (arguments.has("json")) {
      print_json({{"link", link}, {"name", name}, {"expires", until}});
      return 0;
    }
    print(link + "\n");
    complain(
        fmt::format("makes the key '{}' ({}), once, before {}", name, api::to_text(scopes), until));
    return 0;
  }
};

const Registered<Command> registered{std::make_unique<KeyLink>()};

}  // namespace
}  // namespace strata::app
