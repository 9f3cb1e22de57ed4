// strata read-document: the process that the server starts for a document, in a sandbox.
#include "api/document/document.h"
#include "app/cli/command.h"
#include "app/cli/output.h"
#include "core/error.h"

namespace strata::app {
namespace {

class ReadDocument : public Command {
 public:
  const CommandSpec& spec() const override {
    static const CommandSpec spec{
        .name = "read-document",
        .summary = "print the text of the document at the standard input, from within a sandbox",
        .arguments = {{.name = "KIND", .help = "pdf or docx"}},
        .hidden = true};
    return spec;
  }

  int run(const Arguments& arguments) const override {
    const std::string& wanted = arguments.words().at(0);
    for (const auto kind : {api::DocumentKind::pdf, api::DocumentKind::docx}) {
      if (wanted != api::name(kind)) continue;
      print(api::read_caged(kind));
      return 0;
    }
    throw Error(Code::invalid_argument, "there is no reader of " + wanted, "pdf or docx");
  }
};

const Registered<Command> registered{std::make_unique<ReadDocument>()};

}  // namespace
}  // namespace strata::app
