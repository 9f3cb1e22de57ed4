// The merges of a tokenizer.json's BPE model.
#pragma once

#include "models/tokenizer/merge_table.h"
#include "models/tokenizer/pipeline/json_place.h"

namespace strata::models {

// ["a b", …] or [["a", "b"], …]
class JsonMerges final : public MergeSource {
 public:
  explicit JsonMerges(const JsonPlace& place) : place_(place), merges_(&place.array()) {}

  size_t size() const override { return merges_->size(); }
  std::string_view name() const override { return place_.path(); }
  Parts at(size_t index) const override {
    const json::value& merge = (*merges_)[index];
    if (merge.is_string()) return of_text(merge.get_string(), index);
    const bool pair = merge.is_array() && merge.get_array().size() == 2 &&
                      merge.get_array()[0].is_string() && merge.get_array()[1].is_string();
    if (!pair) place_.item(index).refuse("is not two tokens");
    const json::array& both = merge.get_array();
    return {view(both[0].get_string()), view(both[1].get_string())};
  }

 private:
  static std::string_view view(const json::string& text) { return {text.data(), text.size()}; }
  Parts of_text(const json::string& text, size_t index) const {
    const std::string_view both = view(text);
    const size_t space = both.find(' ');
    if (space == std::string_view::npos || both.find(' ', space + 1) != std::string_view::npos) {
      place_.item(index).refuse("is not two tokens with a space between");
    }
    return {both.substr(0, space), both.substr(space + 1)};
  }

  JsonPlace place_;
  const json::array* merges_;
};

}  // namespace strata::models
