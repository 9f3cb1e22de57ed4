// Reads a JSON object field by field, typed and with ranges, and remembers which fields were read:
// what nobody read is refused or named, never passed over in silence.
#pragma once

#include <cstdint>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/error.h"
#include "core/json.h"

namespace strata::api {

// Error{invalid_argument} that knows the field at fault ("messages[2].role").
class FieldError : public Error {
 public:
  FieldError(std::string field, std::string message, std::string hint = {});
  const std::string& field() const { return field_; }

 private:
  std::string field_;
};

// Of a document as a whole, whatever it asks: true refuses what would be passed over otherwise.
constexpr std::string_view kStrict = "strict";

// A view: the value must outlive it. null counts as absent.
class Fields {
 public:
  // FieldError when the value is no object. `path` stands before the names in errors.
  explicit Fields(const json::value& value, std::string path = {});

  bool has(std::string_view key) const;  // without reading it
  const json::value* get(std::string_view key);
  std::optional<bool> boolean(std::string_view key);
  std::optional<int64_t> integer(std::string_view key, int64_t low, int64_t high);
  std::optional<double> number(std::string_view key, double low, double high);
  std::optional<float> real(std::string_view key, double low, double high);
  std::optional<std::string> text(std::string_view key);
  std::string required_text(std::string_view key);
  // Empty when absent.
  std::span<const json::value> array(std::string_view key, size_t max_count);
  std::optional<Fields> object(std::string_view key);
  Fields object_or_empty(std::string_view key);  // for know()
  // One string or an array of strings.
  std::optional<std::vector<std::string>> texts(std::string_view key, size_t max_count,
                                                size_t max_bytes);

  // What was read of a member, whose names clients of other interfaces write beside it: a hint
  // says where they belong.
  void know(const Fields& member);

  std::string path(std::string_view key) const;
  [[noreturn]] void fail(std::string_view key, std::string_view what, std::string hint = {}) const;

  // Present, not null, not read; but not whether a whole document is to be read strictly.
  std::vector<std::string> unread() const;
  void refuse_unread() const;
  // Adds unread fields on the list to `ignored`, refuses the others.
  void ignore_unread(std::span<const std::string_view> ignorable,
                     std::vector<std::string>& ignored);

 private:
  [[noreturn]] void refuse(std::string_view key) const;
  std::string synonym_of(std::string_view key) const;
  std::string own_name_of(std::string_view key) const;

  const json::object* object_;
  std::string path_;
  std::set<std::string, std::less<>> read_;
  std::vector<std::pair<std::string, std::string>> inside_;  // name and path, of what is not there
};

}  // namespace strata::api
