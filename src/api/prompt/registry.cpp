#include "api/prompt/registry.h"

#include <algorithm>
#include <array>
#include <charconv>

#include "core/ascii.h"
#include "core/error.h"
#include "core/hash.h"
#include "core/os.h"
#include "core/similar.h"
#include "core/utf8.h"

namespace strata::api {
namespace {

constexpr size_t kMaxNoteBytes = 1000;
constexpr std::string_view kDefaultLabel = "production";

constexpr std::array<std::string_view, 2> kMigrations{
    "CREATE TABLE prompt_version (name TEXT NOT NULL, number INTEGER NOT NULL, hash TEXT NOT NULL,"
    " note TEXT NOT NULL, author TEXT NOT NULL, created INTEGER NOT NULL, content TEXT NOT NULL,"
    " PRIMARY KEY (name, number), UNIQUE (name, hash))",
    "CREATE TABLE prompt_label (name TEXT NOT NULL, label TEXT NOT NULL, version INTEGER NOT NULL,"
    " trial INTEGER, trial_percent INTEGER NOT NULL, previous INTEGER, changed INTEGER NOT NULL,"
    " PRIMARY KEY (name, label))"};

constexpr std::string_view kVersionColumns = "name, number, hash, note, author, created, content";
constexpr std::string_view kLabelColumns =
    "label, version, trial, trial_percent, previous, changed";

bool is_name(std::string_view text) {
  const auto fits = [](char c) { return is_ascii_alnum(c) || c == '-' || c == '_' || c == '.'; };
  return !text.empty() && text.size() <= kMaxPromptNameBytes && text.front() != '.' &&
         text.front() != '-' && std::ranges::all_of(text, fits);
}

void check_name(std::string_view what, std::string_view text) {
  if (is_name(text)) return;
  throw Error(Code::invalid_argument,
              fmt::format("'{}' is no {}: it has 1 to {} letters, digits, '-', '_' or '.'",
                          text.substr(0, kMaxPromptNameBytes), what, kMaxPromptNameBytes));
}

std::optional<int64_t> as_number(std::string_view text) {
  int64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return number;
}

void check_label(const std::string& label) {
  check_name("label", label);
  if (label != "latest" && !as_number(label)) return;
  throw Error(Code::invalid_argument, fmt::format("'{}' cannot be a label", label),
              "latest is always the newest version, and a number is that version");
}

std::optional<int64_t> optional_integer(const Statement& row, int column) {
  if (row.is_null(column)) return std::nullopt;
  return row.integer(column);
}

void bind_optional(Statement& statement, int parameter, std::optional<int64_t> value) {
  if (value) {
    statement.bind(parameter, *value);
  } else {
    statement.bind_null(parameter);
  }
}

PromptVersion version_of(const Statement& row) {
  return {.name = row.text(0),
          .number = row.integer(1),
          .hash = row.text(2),
          .note = row.text(3),
          .author = row.text(4),
          .created = row.integer(5),
          .content = parse_prompt(parse_json(row.text(6)))};
}

PromptLabel label_of(const Statement& row) {
  return {.label = row.text(0),
          .version = row.integer(1),
          .trial = optional_integer(row, 2),
          .trial_percent = static_cast<int32_t>(row.integer(3)),
          .previous = optional_integer(row, 4),
          .changed = row.integer(5)};
}

Database open_database(const std::filesystem::path& path) {
  if (path.has_parent_path()) make_directories(path.parent_path());
  Database database = Database::open(path);
  database.migrate("prompt", kMigrations);
  return database;
}

}  // namespace

bool takes_trial(std::string_view name, std::string_view label, std::string_view caller,
                 int32_t percent) {
  const std::string hash = sha256_hex(fmt::format("{}\n{}\n{}", name, label, caller));
  uint32_t draw = 0;
  std::from_chars(hash.data(), hash.data() + 8, draw, 16);
  return static_cast<int32_t>(draw % 100) < percent;
}

PromptRegistry::PromptRegistry(const std::filesystem::path& database)
    : database_(open_database(database)) {}

PromptVersion PromptRegistry::put(const std::string& name, const PromptContent& content,
                                  const PromptNotes& notes, int64_t now_s) {
  check_name("prompt's name", name);
  if (notes.note.size() > kMaxNoteBytes || !is_valid_utf8(notes.note)) {
    throw Error(Code::invalid_argument,
                fmt::format("the note must be at most {} bytes of text", kMaxNoteBytes));
  }
  const std::string hash = content_hash(content);
  const std::lock_guard lock(mutex_);
  Transaction transaction(database_);
  auto same = database_.prepare("SELECT number FROM prompt_version WHERE name = ? AND hash = ?");
  same.bind(1, name).bind(2, hash);
  if (same.step()) return read_version(name, same.integer(0));
  const int64_t number = latest(name) + 1;
  if (number > kMaxPromptVersions) {
    throw Error(Code::invalid_argument,
                fmt::format("{} has {} versions, which is the limit", name, kMaxPromptVersions),
                "go on under another name");
  }
  auto insert = database_.prepare(
      fmt::format("INSERT INTO prompt_version ({}) VALUES (?, ?, ?, ?, ?, ?, ?)", kVersionColumns));
  insert.bind(1, name).bind(2, number).bind(3, hash).bind(4, notes.note).bind(5, notes.author);
  insert.bind(6, now_s).bind(7, to_json(to_json_object(content)));
  insert.run();
  transaction.commit();
  return read_version(name, number);
}

std::vector<PromptInfo> PromptRegistry::list() const {
  const std::lock_guard lock(mutex_);
  auto select = database_.prepare(
      "SELECT name, MAX(number), MIN(created), MAX(created) FROM prompt_version GROUP BY name"
      " ORDER BY name");
  std::vector<PromptInfo> prompts;
  while (select.step()) {
    prompts.push_back({.name = select.text(0),
                       .latest = select.integer(1),
                       .created = select.integer(2),
                       .changed = select.integer(3),
                       .labels = labels(select.text(0))});
  }
  return prompts;
}

PromptInfo PromptRegistry::info(const std::string& name) const {
  for (PromptInfo& prompt : list()) {
    if (prompt.name == name) return std::move(prompt);
  }
  throw Error(Code::not_found, fmt::format("there is no prompt '{}'", name.substr(0, 100)),
              nearest(name));
}

std::string PromptRegistry::nearest(const std::string& name) const {
  std::vector<std::string> names;
  for (const PromptInfo& prompt : list()) names.push_back(prompt.name);
  const std::string near = did_you_mean(name, names);
  return near.empty() ? "strata prompt list shows those that there are" : near;
}

std::vector<PromptVersion> PromptRegistry::versions(const std::string& name) const {
  info(name);
  const std::lock_guard lock(mutex_);
  auto select = database_.prepare(fmt::format(
      "SELECT {} FROM prompt_version WHERE name = ? ORDER BY number DESC", kVersionColumns));
  select.bind(1, name);
  std::vector<PromptVersion> versions;
  while (select.step()) versions.push_back(version_of(select));
  return versions;
}

int64_t PromptRegistry::latest(const std::string& name) const {
  auto select = database_.prepare("SELECT MAX(number) FROM prompt_version WHERE name = ?");
  select.bind(1, name);
  return select.step() && !select.is_null(0) ? select.integer(0) : 0;
}

std::vector<PromptLabel> PromptRegistry::labels(const std::string& name) const {
  auto select = database_.prepare(
      fmt::format("SELECT {} FROM prompt_label WHERE name = ? ORDER BY label", kLabelColumns));
  select.bind(1, name);
  std::vector<PromptLabel> found;
  while (select.step()) found.push_back(label_of(select));
  return found;
}

PromptVersion PromptRegistry::read_version(const std::string& name, int64_t number) const {
  auto select = database_.prepare(
      fmt::format("SELECT {} FROM prompt_version WHERE name = ? AND number = ?", kVersionColumns));
  select.bind(1, name).bind(2, number);
  if (select.step()) return version_of(select);
  throw Error(Code::not_found, fmt::format("prompt {} has no version {}, the newest is {}", name,
                                           number, latest(name)));
}

PromptVersion PromptRegistry::get(const std::string& name, const std::string& selector,
                                  std::string_view caller) const {
  const std::lock_guard lock(mutex_);
  const PromptInfo prompt = info(name);
  if (const auto number = as_number(selector)) return read_version(name, *number);
  if (selector == "latest") return read_version(name, prompt.latest);
  const std::string wanted(selector.empty() ? kDefaultLabel : std::string_view(selector));
  const auto label = std::ranges::find(prompt.labels, wanted, &PromptLabel::label);
  if (label != prompt.labels.end()) {
    const bool trial = label->trial && takes_trial(name, wanted, caller, label->trial_percent);
    return read_version(name, trial ? *label->trial : label->version);
  }
  if (selector.empty()) return read_version(name, prompt.latest);
  throw Error(Code::not_found,
              fmt::format("prompt {} has no label '{}'", name, selector.substr(0, 100)),
              fmt::format("set it with: strata prompt label {} {} VERSION", name, wanted));
}

PromptLabel PromptRegistry::set_label(const std::string& name, const std::string& label,
                                      int64_t version, std::optional<int64_t> trial,
                                      int32_t trial_percent, int64_t now_s) {
  check_label(label);
  if (trial_percent < 0 || trial_percent > 100 || (!trial && trial_percent != 0)) {
    throw Error(Code::invalid_argument,
                fmt::format("a trial takes 0 to 100 percent of the callers and needs its version, "
                            "{} percent were given",
                            trial_percent));
  }
  const std::lock_guard lock(mutex_);
  Transaction transaction(database_);
  info(name);
  read_version(name, version);
  if (trial) read_version(name, *trial);
  std::optional<int64_t> previous;
  for (const PromptLabel& each : labels(name)) {
    if (each.label == label) previous = each.version == version ? each.previous : each.version;
  }
  auto upsert = database_.prepare(
      "INSERT INTO prompt_label (name, label, version, trial, trial_percent, previous, changed)"
      " VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (name, label) DO UPDATE SET"
      " version = excluded.version, trial = excluded.trial,"
      " trial_percent = excluded.trial_percent, previous = excluded.previous,"
      " changed = excluded.changed");
  upsert.bind(1, name).bind(2, label).bind(3, version);
  bind_optional(upsert, 4, trial);
  upsert.bind(5, int64_t{trial_percent});
  bind_optional(upsert, 6, previous);
  upsert.bind(7, now_s);
  upsert.run();
  transaction.commit();
  return {label, version, trial, trial_percent, previous, now_s};
}

void PromptRegistry::remove_label(const std::string& name, const std::string& label) {
  const std::lock_guard lock(mutex_);
  info(name);
  database_.prepare("DELETE FROM prompt_label WHERE name = ? AND label = ?")
      .bind(1, name)
      .bind(2, label)
      .run();
  if (database_.changes() == 0) {
    throw Error(Code::not_found, fmt::format("prompt {} has no label '{}'", name, label));
  }
}

void PromptRegistry::remove(const std::string& name) {
  const std::lock_guard lock(mutex_);
  Transaction transaction(database_);
  info(name);
  for (const std::string_view table : {"prompt_label", "prompt_version"}) {
    database_.prepare(fmt::format("DELETE FROM {} WHERE name = ?", table)).bind(1, name).run();
  }
  transaction.commit();
}

}  // namespace strata::api
