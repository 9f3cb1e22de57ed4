// What several commands ask of a model: opening it by name or file, its licence.
#pragma once

#include <memory>
#include <string>

#include "models/hub/store.h"
#include "models/model.h"

namespace strata::app {

// A path that ends in ".gguf", or a folder with config.json; else it is a name in the store.
bool is_model_path(const std::string& name_or_path);

// Of another path ("./model"): Error{not_found} with what is missing there. A name passes.
void refuse_no_model(const std::string& name_or_path);
// Where only names are taken: Error{invalid_argument} for a path ("./model"), with the way to one.
void refuse_path(const std::string& name_or_path);
// Error{not_found} for what is no model's name, but a file or folder here: how to write its path.
void refuse_bare_path(const std::string& name);

// A name or such a path. Errors: those of Store::find and load_model, refuse_no_model.
std::shared_ptr<const models::Model> open_named_model(const std::string& name_or_file);

// models::licence_of() that opens the file only where the manifest does not say it.
std::string licence_of(const models::Store& store, const models::Manifest& manifest);
// One line of it: a short name, or the beginning of a long text.
std::string short_licence(const std::string& licence);

}  // namespace strata::app
