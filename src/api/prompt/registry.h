// The prompt registry: immutable numbered versions, labels that point at them and can be moved, and
// a share of callers for whom a label points elsewhere. Kept in the store's database.
#pragma once

#include <cstdint>
#include <filesystem>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "api/prompt/prompt.h"
#include "core/db.h"

namespace strata::api {

struct PromptVersion {
  std::string name;
  int64_t number = 0;   // from 1, in the order in which they were put
  std::string hash;     // content_hash()
  std::string note;     // why it was made
  std::string author;   // the key that put it; "": without one
  int64_t created = 0;  // seconds since 1970
  PromptContent content;
};

struct PromptLabel {
  std::string label;
  int64_t version = 0;
  std::optional<int64_t> trial;     // the version that `trial_percent` of the callers get instead
  int32_t trial_percent = 0;        // 0 to 100
  std::optional<int64_t> previous;  // what the label pointed at before
  int64_t changed = 0;
};

struct PromptInfo {
  std::string name;
  int64_t latest = 0;
  int64_t created = 0, changed = 0;  // of the first and the last version
  std::vector<PromptLabel> labels;
};

struct PromptNotes {
  std::string note, author;
};

// Safe to use from several threads and processes.
class PromptRegistry {
 public:
  explicit PromptRegistry(const std::filesystem::path& database);

  // The same content as a version that is there is that version; otherwise the next number.
  // Error{invalid_argument}: a name that is none, kMaxPromptVersions.
  PromptVersion put(const std::string& name, const PromptContent& content, const PromptNotes& notes,
                    int64_t now_s);
  std::vector<PromptInfo> list() const;            // by name
  PromptInfo info(const std::string& name) const;  // Error{not_found}, with the nearest name
  std::vector<PromptVersion> versions(const std::string& name) const;  // newest first
  // `selector`: a number, a label, "latest"; "": the label production, without one the latest.
  // `caller` decides whether a label's trial is meant: the same caller gets the same version.
  // Error{not_found}.
  PromptVersion get(const std::string& name, const std::string& selector,
                    std::string_view caller = {}) const;
  // Error{not_found}: no such version; invalid_argument: a label that is none.
  PromptLabel set_label(const std::string& name, const std::string& label, int64_t version,
                        std::optional<int64_t> trial, int32_t trial_percent, int64_t now_s);
  void remove_label(const std::string& name, const std::string& label);  // Error{not_found}
  void remove(const std::string& name);  // with all its versions. Error{not_found}

 private:
  PromptVersion read_version(const std::string& name, int64_t number) const;
  int64_t latest(const std::string& name) const;
  std::vector<PromptLabel> labels(const std::string& name) const;
  std::string nearest(const std::string& name) const;

  mutable std::recursive_mutex mutex_;
  mutable Database database_;
};

constexpr int64_t kMaxPromptVersions = 10'000;  // of one prompt

// In the share of a hundred that the trial takes: a hash of the three, so that a label's share
// stays with the same callers, and another label's is another.
bool takes_trial(std::string_view name, std::string_view label, std::string_view caller,
                 int32_t percent);

// What changed from one text to the other: lines with "  ", "- " or "+ " in front. Texts of which
// more than kMaxDiffLines lines differ are shown as one taken out and the other put in.
std::string line_diff(std::string_view from, std::string_view to);
constexpr size_t kMaxDiffLines = 2000;

}  // namespace strata::api
