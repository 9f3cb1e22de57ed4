// The tiny models of src/inference/testdata that are folders, one thing changed, for tests of what
// is read of a folder and refused.
#pragma once

#include <filesystem>
#include <fstream>
#include <memory>
#include <string>

#include "core/error.h"
#include "core/os.h"
#include "core/testing/temp_folder.h"
#include "models/family/family.h"
#include "models/family/hf_model.h"
#include "models/testing/hf_model.h"

namespace strata::models {

class FixtureFolder {
 public:
  // src/inference/testdata/NAME.json
  explicit FixtureFolder(const std::string& name) {
    const json::value fixture =
        parse_json(read_file(STRATA_SOURCE_DIR "/src/inference/testdata/" + name + ".json"));
    config = fixture.at("config").as_object();
    const json::value* own = fixture.as_object().if_contains("hf_tensors");
    tensors = (own != nullptr ? *own : fixture.at("tensors")).as_object();
  }

  void add(const std::string& file, const std::string& text) const {
    std::filesystem::create_directories((folder_.path() / file).parent_path());
    std::ofstream(folder_.path() / file) << text;
  }
  std::shared_ptr<MadeFile> open(MaskHeads masks = MaskHeads::read) const {
    write_hf_folder(folder_.path(), config, tensors);
    return translate(std::make_shared<HfFolder>(folder_.path()), {}, masks);
  }
  // Of the folder, or of the model that is in it; empty when there is none.
  std::string refusal() const {
    try {
      describe_model(*open());
    } catch (const Error& error) {
      return error.message();
    }
    return "";
  }

  json::object config, tensors;

 private:
  strata::testing::TempFolder folder_;
};

}  // namespace strata::models
