// strata cache list
#include "app/cli/command.h"
#include "app/cli/output.h"
#include "core/os.h"
#include "core/progress.h"
#include "inference/packed_disk.h"
#include "inference/prefix_folder.h"
#include "models/hub/store.h"

namespace strata::app {
namespace {

using Prefixes = inference::PrefixFolder::Entry;
using Weights = inference::PackedFolder::Entry;

json::object as_json(const Weights& entry) {
  return {{"model", entry.model},
          {"size_bytes", entry.bytes},
          {"last_used", utc_timestamp(entry.last_use_s)}};
}
json::object as_json(const Prefixes& entry) {
  return {{"model", entry.model},
          {"tokens", entry.n_tokens},
          {"size_bytes", entry.bytes},
          {"last_used", utc_timestamp(entry.last_use_s)}};
}

template <class Entry>
json::array as_json(const std::vector<Entry>& entries) {
  json::array rows;
  for (const Entry& entry : entries) rows.emplace_back(as_json(entry));
  return rows;
}

template <class Entry>
std::vector<Entry> without_damage(std::vector<Entry> entries) {
  for (const Entry& entry : entries) {
    if (!entry.damage.empty()) complain("warning: not used: " + entry.damage);
  }
  std::erase_if(entries, [](const Entry& entry) { return !entry.damage.empty(); });
  return entries;
}

template <class Entry>
std::vector<std::string> row_of(const Entry& entry, std::string what) {
  return {entry.model, std::move(what), format_bytes(entry.bytes),
          human_age(unix_seconds() - entry.last_use_s)};
}

class CacheList : public Command {
 public:
  const CommandSpec& spec() const override {
    static const CommandSpec spec{
        .name = "cache list",
        .summary = "list what is kept on disk of prompts, answers and packed weights",
        .description =
            "With the setting cache.disk (\"4GB\") a model that is unloaded leaves there what it "
            "had\n"
            "computed, so that a later request with the same beginning need not compute it again.\n"
            "Whoever can read these files can read the prompts. With cache.packed (\"2GB\" unless "
            "set) a model\n"
            "leaves its weights as they are computed with, and the next start maps them.",
        .options = {{"json", "", "print JSON"}},
        .examples = {{"strata cache list", "models, tokens, sizes, ages"},
                     {"strata cache list --json", "for programs"}}};
    return spec;
  }

  int run(const Arguments& arguments) const override {
    const models::Store store;
    const auto prefixes = without_damage(inference::PrefixFolder(store).list());
    const auto weights = without_damage(inference::PackedFolder(store).list());
    if (arguments.has("json")) {
      print_json(json::object{{"prefixes", as_json(prefixes)}, {"weights", as_json(weights)}});
      return 0;
    }
    std::vector<std::vector<std::string>> rows;
    for (const auto& entry : prefixes) {
      rows.push_back(row_of(entry, fmt::format("{} tokens of prompts", entry.n_tokens)));
    }
    for (const auto& entry : weights) rows.push_back(row_of(entry, "weights"));
    print_table({"MODEL", "WHAT", "SIZE", "LAST USED"}, rows);
    if (prefixes.empty()) {
      complain("hint: of prompts nothing is kept unless cache.disk says how much may be");
    }
    return 0;
  }
};

const Registered<Command> registered{std::make_unique<CacheList>()};

}  // namespace
}  // namespace strata::app
