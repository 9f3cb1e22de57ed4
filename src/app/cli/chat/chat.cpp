#include "app/cli/chat/chat.h"

#include "app/cli/chat/save.h"
#include "app/cli/chat/slash.h"
#include "app/cli/command.h"
#include "app/cli/line_editor.h"
#include "app/cli/model_file.h"
#include "app/cli/output.h"
#include "app/cli/pull_progress.h"
#include "core/error.h"
#include "core/os.h"
#include "models/hub/source.h"
#include "models/hub/store.h"

namespace strata::app {
namespace {

int run_named(const char* command, const std::vector<std::string>& words) {
  const Command* found = find_command({command}).first;
  return found->run(parse_arguments(found->spec(), words));
}

SlashActions slash_actions(ChatSession& session, api::Backend& backend, const Config& config,
                           LineEditor& editor) {
  return {
      .load = [&](const std::string& name) { open_model(session, backend, config, name); },
      .save =
          [&](const std::string& name, bool force) {
            complain("saved as " + save_session(session, models::Store(), name, force));
          },
      .show =
          [&](const std::string& what) {
            std::vector<std::string> words{session.model};
            if (what != "info") words.push_back("--" + what);
            run_named("show", words);
          },
      .list = [] { run_named("list", {}); },
      .history = [&](bool enabled) { editor.set_history_enabled(enabled); },
  };
}

// A reference that is no name of a model in a store leads to one by its source only.
bool can_be_a_name(const std::string& text) {
  return text.starts_with("hf:") || !models::is_source_reference(text);
}

api::ModelTraits find_or_fetch(api::Backend& backend, const Config& config,
                               const std::string& name) {
  if (can_be_a_name(name)) {
    if (auto known = backend.traits(name)) return *std::move(known);
  }
  refuse_bare_path(name);
  std::string fetched;
  with_pull_progress(pull_options(config), false, [&](const models::PullOptions& options) {
    fetched = backend.fetch(name, options);
  });
  if (auto traits = backend.traits(fetched)) return *std::move(traits);
  throw Error(
      Code::not_found,
      fmt::format("the server does not see {}, which is here: it keeps its models elsewhere",
                  fetched),
      "run it in this process: --local");
}

void complain_about(const Error& error) {
  complain("error: " + error.message());
  if (!error.hint().empty()) complain("hint: " + error.hint());
}

}  // namespace

void open_model(ChatSession& session, api::Backend& backend, const Config& config,
                const std::string& name) {
  const api::ModelTraits traits = find_or_fetch(backend, config, models::as_reference(name));
  if (!traits.generates && traits.scores) {
    throw Error(Code::failed_precondition,
                fmt::format("{} scores texts for a query, it generates none", traits.name),
                "strata serve answers POST /v1/rerank; or choose another model");
  }
  if (!traits.generates) {
    throw Error(Code::failed_precondition,
                fmt::format("{} makes vectors of text, it generates none", traits.name),
                fmt::format("strata embed {} TEXT, or choose another model", traits.name));
  }
  session.model = traits.name;
  session.base_model = !traits.has_template;
  session.model_context = traits.context;
  session.model_max_tokens = traits.max_tokens;
  session.messages = {};
  session.model_messages = true;
  session.own_names = {traits.name};
  if (session.base_model) {
    complain(fmt::format("note: {} has no chat template: it gets your text as it is", traits.name));
  }
}

int chat(ChatSession& session, api::Backend& backend, const Config& config, bool keep_typed) {
  LineEditor editor(directories().state / "history");
  editor.set_history_enabled(keep_typed);
  editor.set_placeholder("Send a message (/? for help)");
  const SlashActions actions = slash_actions(session, backend, config, editor);
  while (true) {
    const auto input = editor.read(">>> ");
    if (input.end == LineEditor::End::closed) return 0;
    if (input.end == LineEditor::End::interrupted) {
      if (input.text.empty()) complain("to leave: /bye or Ctrl-D");
      continue;
    }
    if (input.text.find_first_not_of(" \t\n") == std::string::npos) continue;
    try {
      if (input.text[0] != '/')
        ask(session, backend, input.text);
      else if (run_slash(input.text, session, actions) == SlashResult::leave)
        return 0;
    } catch (const Error& error) {
      complain_about(error);
    }
  }
}

}  // namespace strata::app
