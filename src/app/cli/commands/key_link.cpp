// strata key link [NAME]
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

class KeyLink : public Command {
 public:
  const CommandSpec& spec() const override {
    static const CommandSpec spec{
        .name = "key link",
        .summary = "print a link that signs a browser in once and makes its key",
        .description =
            "For a server that runs with --require-key. Whoever opens the link first gets a new "
            "key of\n"
            "the name and scopes that are given here, shown to him once, and his browser is signed "
            "in.\n"
            "A link works once and for an hour. Scopes are those of strata key create.",
        .arguments = {{"NAME", "of the key; admin without it", false}},
        .options = {{"scopes", "LIST", "separated by commas; admin without it"},
                    {"address", "URL",
                     "where the browser finds the server; server.host without it"},
                    {"json", "", "print JSON"}},
        .examples = {{"strata key link", "for whoever runs the server"},
                     {"strata key link anna --scopes inference", "for a colleague"},
                     {"strata key link anna --address https://ai.example.org",
                      "where a proxy stands before the server"}}};
    return spec;
  }

  int run(const Arguments& arguments) const override {
    const int64_t now = unix_seconds();
    const Config config = load_config(arguments);
    const auto scopes = api::parse_scopes(arguments.value("scopes").value_or("admin"));
    const std::string name = arguments.words().empty() ? "admin" : arguments.words()[0];
    const auto address = arguments.value("address");
    const std::string url =
        address ? parse_url(*address).text : browser_url(config.text("server.host"));
    const std::string link = invitation_link(url, open_keys().invite(name, scopes, now));
    const std::string until = utc_timestamp(now + api::kInvitationS);
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
