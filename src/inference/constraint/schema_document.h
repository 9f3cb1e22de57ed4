// A JSON Schema document: what its references mean, and where in it something stands.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <unordered_map>

#include "core/json.h"

namespace strata::inference {

class SchemaDocument {
 public:
  // `root` must outlive it. Errors: invalid_argument (too large or too deep).
  explicit SchemaDocument(const json::value& root);

  const json::value& root() const { return root_; }
  // What a reference of `from` means, which stands behind the keyword. Errors: invalid_argument (no
  // such place, or in another document).
  const json::value& resolve(const json::value& from, std::string_view reference,
                             std::string_view keyword = "$ref") const;
  // What a $dynamicRef of it means, whatever the way that led there. Errors: the same; several
  // schemas have its $dynamicAnchor, and the root's document none.
  const json::value& resolve_dynamic(const json::value& from, std::string_view reference) const;
  // A copy of what stands behind a keyword, which means the same outside of the document: its
  // references name their $id.
  json::value copy(std::string_view keyword, const json::value& value) const;
  // "#/properties/a"; "#" also for what does not stand in the document.
  std::string pointer_to(const json::value& value) const;
  // Error{invalid_argument} whose message begins with the pointer to `schema`, and its keyword.
  [[noreturn]] void refuse(const json::value& schema, std::string_view keyword,
                           std::string_view what, std::string hint = {}) const;

 private:
  void read(const json::value& value, int depth, const std::string& base);
  // Writes down what an object is called; the base of what stands in it, a key of names_.
  const std::string& read_names(const json::value& schema, const std::string& outer);
  void set_base(const json::value& data, const std::string& base);
  // The nearest $id around.
  std::string_view base_of(const json::value& object) const;
  json::value absolute(const json::value& schema) const;

  const json::value& root_;
  std::map<std::string, const json::value*, std::less<>> names_;      // $id, and $id#anchor
  std::unordered_map<const json::value*, const std::string*> bases_;  // of objects, but for ""
};

}  // namespace strata::inference
