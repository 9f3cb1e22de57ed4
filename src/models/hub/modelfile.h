// Modelfile: a small recipe for a model (FROM, PARAMETER, SYSTEM, TEMPLATE, MESSAGE, LICENSE).
// The text format is Ollama's, except that a TEMPLATE is Jinja, as in the model's own file.
#pragma once

#include <filesystem>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "models/hub/pull.h"
#include "models/hub/store.h"

namespace strata::models {

constexpr size_t kMaxModelfileBytes = 8u << 20;

struct Modelfile {
  std::string from;  // a name, a GGUF file's path, or a source's reference
  ModelOverrides overrides;
  std::vector<std::string> licences;
  bool no_system = false;  // SYSTEM "": the text of the model in FROM is not inherited
};

// Error{invalid_argument} with the line: an unknown instruction or role, a missing FROM, an open
// """, a PARAMETER that models/parameters.h does not take, a Go template (with the way out),
// ADAPTER and REQUIRES (not supported).
Modelfile parse_modelfile(std::string_view text);
// parse_modelfile() of this gives the same Modelfile.
std::string to_text(const Modelfile& modelfile);
// The Modelfile that would make this manifest again (`show --modelfile`).
Modelfile to_modelfile(const Manifest& manifest, std::string from);

// FROM this is a file of the machine that reads it: a path, or a file: reference.
bool names_a_file(std::string_view from);

// A template in Go's text/template language rather than Jinja.
bool is_go_template(std::string_view text);

// Adds `name` to the store. FROM a name that is not there is pulled first (with `pull_options`);
// FROM a source is fetched unless it was pulled before.
// A relative path in FROM counts from `folder`. What the Modelfile does not set is inherited.
// Parameters without an effect here are named in the log and in the progress, which is as in
// PullOptions. Errors: those of read_parameters() and ChatTemplate::parse, before anything is
// fetched; those of pull().
Manifest create_model(const Store& store, std::string_view name, const Modelfile& modelfile,
                      const std::filesystem::path& folder, const PullOptions& options = {});

// The part of create_model() before the manifest is written: brings the files into the store and
// returns the manifest that create_model() would write. To be called in a store_model().
Manifest assemble_model(const Store& store, std::string_view name, const Modelfile& modelfile,
                        const std::filesystem::path& folder, const PullOptions& options = {});

}  // namespace strata::models
