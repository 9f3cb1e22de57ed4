#include "api/access/keys.h"

#include <algorithm>
#include <array>

#include "core/error.h"
#include "core/hash.h"
#include "core/log.h"
#include "core/os.h"
#include "core/random.h"
#include "core/utf8.h"

namespace strata::api {
namespace {

constexpr size_t kSecretBytes = 32;
constexpr size_t kMaxNameBytes = 100;
constexpr int64_t kLastUsedStepS = 60;  // a busy key is written at most so often

constexpr std::array<std::string_view, 5> kMigrations{
    "CREATE TABLE api_key (id TEXT PRIMARY KEY, hash TEXT NOT NULL UNIQUE, name TEXT NOT NULL,"
    " tail TEXT NOT NULL, scopes TEXT NOT NULL, created INTEGER NOT NULL, expires INTEGER,"
    " last_used INTEGER, revoked INTEGER)",
    "CREATE TABLE api_session (hash TEXT PRIMARY KEY, key TEXT NOT NULL, expires INTEGER NOT "
    "NULL)",
    "ALTER TABLE api_key ADD COLUMN requests INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE api_key ADD COLUMN prompt_tokens INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE api_key ADD COLUMN completion_tokens INTEGER NOT NULL DEFAULT 0",
    "ALTER TABLE api_key ADD COLUMN settings TEXT NOT NULL DEFAULT '{}'",
    "CREATE TABLE api_invitation (hash TEXT PRIMARY KEY, name TEXT NOT NULL, scopes TEXT NOT NULL,"
    " expires INTEGER NOT NULL, first INTEGER NOT NULL);"
    "CREATE TABLE api_address (url TEXT NOT NULL)"};

// RFC 4648, section 5, without padding.
std::string base64url(const std::vector<unsigned char>& bytes) {
  constexpr std::string_view kDigits =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
  std::string out;
  uint32_t held = 0;
  int n_held = 0;  // bits
  for (const unsigned char byte : bytes) {
    held = (held << 8) | byte;
    for (n_held += 8; n_held >= 6; n_held -= 6) out += kDigits[(held >> (n_held - 6)) & 63];
  }
  if (n_held > 0) out += kDigits[(held << (6 - n_held)) & 63];
  return out;
}

std::optional<int64_t> optional_integer(const Statement& row, int column) {
  if (row.is_null(column)) return std::nullopt;
  return row.integer(column);
}

constexpr std::string_view kColumns =
    "id, name, tail, scopes, created, expires, last_used, revoked, requests, prompt_tokens, "
    "completion_tokens, settings";

KeySettings parse_settings(const std::string& text) {
  const json::value value = parse_json(text);
  Fields fields(value);
  return read_key_settings(fields);
}

KeyInfo read_row(const Statement& row) {
  return {.id = row.text(0),
          .name = row.text(1),
          .tail = row.text(2),
          .scopes = parse_scopes(row.text(3)),
          .created = row.integer(4),
          .expires = optional_integer(row, 5),
          .last_used = optional_integer(row, 6),
          .revoked = optional_integer(row, 7),
          .use = {row.integer(8), row.integer(9), row.integer(10)},
          .settings = parse_settings(row.text(11))};
}

void check_new_key(const std::string& name, const std::vector<Scope>& scopes,
                   std::optional<int64_t> expires, int64_t now_s) {
  if (name.empty() || name.size() > kMaxNameBytes || !is_valid_utf8(name)) {
    throw Error(Code::invalid_argument,
                fmt::format("a key's name has 1 to {} bytes of text, this one {}", kMaxNameBytes,
                            name.size()));
  }
  if (std::ranges::any_of(name, [](unsigned char c) { return c < 0x20 || c == 0x7f; })) {
    throw Error(Code::invalid_argument, "a key's name has no control characters");
  }
  if (scopes.empty()) throw Error(Code::invalid_argument, "a key needs at least one scope");
  if (expires && *expires <= now_s) {
    throw Error(Code::invalid_argument, "the key would have expired already");
  }
}

std::string new_secret(std::string_view prefix) {
  return std::string(prefix) + base64url(random_bytes(kSecretBytes));
}

NewKey new_key(const std::string& name, const std::vector<Scope>& scopes,
               std::optional<int64_t> expires, int64_t now_s, KeySettings settings) {
  NewKey key;
  key.secret = new_secret(kKeyPrefix);
  key.info = {.id = random_hex(4),
              .name = name,
              .tail = key.secret.substr(key.secret.size() - 4),
              .scopes = scopes,
              .created = now_s,
              .expires = expires,
              .last_used = std::nullopt,
              .revoked = std::nullopt,
              .settings = std::move(settings)};
  return key;
}

Database open_database(const std::filesystem::path& path) {
  try {
    // On a new machine the server may be what makes the store's folder.
    if (path.has_parent_path()) make_directories(path.parent_path());
    Database database = Database::open(path);
    database.migrate("api_key", kMigrations);
    return database;
  } catch (const Error& error) {
    if (error.code() != Code::permission_denied) throw;
    throw Error(error.code(),
                fmt::format("{} cannot be written: {}", path.string(), error.message()),
                "give this user write permission there, or set STRATA_HOME to a folder that can be "
                "written");
  }
}

// Adds to what is counted already, of all keys or of none.
void add_use(Database& database, const std::map<std::string, CallerUse>& unwritten) {
  Transaction transaction(database);
  auto update = database.prepare(
      "UPDATE api_key SET requests = requests + ?, prompt_tokens = prompt_tokens + ?,"
      " completion_tokens = completion_tokens + ? WHERE id = ?");
  for (const auto& [id, use] : unwritten) {
    update.bind(1, use.requests).bind(2, use.prompt_tokens).bind(3, use.completion_tokens);
    update.bind(4, id).run();
  }
  transaction.commit();
}

}  // namespace

std::string_view state_of(const KeyInfo& key, int64_t now_s) {
  if (key.revoked) return "revoked";
  return key.expires && *key.expires <= now_s ? "expired" : "live";
}

KeyStore::KeyStore(const std::filesystem::path& database) : database_(open_database(database)) {}

KeyStore::~KeyStore() {
  try {
    const std::lock_guard lock(mutex_);
    write_use();
  } catch (const Error& error) {
    log_warn("what keys have used is not written: {}", error.message());
  }
}

NewKey KeyStore::create(const std::string& name, const std::vector<Scope>& scopes,
                        std::optional<int64_t> expires, int64_t now_s, KeySettings settings) {
  check_new_key(name, scopes, expires, now_s);
  strata::api::check(settings);
  const NewKey key = new_key(name, scopes, expires, now_s, std::move(settings));
  const std::lock_guard lock(mutex_);
  insert(key);
  return key;
}

void KeyStore::insert(const NewKey& key) {
  auto insert = database_.prepare(
      "INSERT INTO api_key (id, hash, name, tail, scopes, created, expires, settings)"
      " VALUES (?, ?, ?, ?, ?, ?, ?, ?)");
  insert.bind(1, key.info.id).bind(2, sha256_hex(key.secret)).bind(3, key.info.name);
  insert.bind(4, key.info.tail).bind(5, to_text(key.info.scopes)).bind(6, key.info.created);
  if (key.info.expires)
    insert.bind(7, *key.info.expires);
  else
    insert.bind_null(7);
  insert.bind(8, to_json(as_json(key.info.settings))).run();
}

std::vector<KeyInfo> KeyStore::list() const {
  const std::lock_guard lock(mutex_);
  write_use();
  auto select =
      database_.prepare(fmt::format("SELECT {} FROM api_key ORDER BY created, id", kColumns));
  std::vector<KeyInfo> keys;
  while (select.step()) keys.push_back(read_row(select));
  return keys;
}

KeyInfo KeyStore::get(const std::string& id) const {
  const std::lock_guard lock(mutex_);
  write_use();
  return find(id);
}

bool KeyStore::is_live(const std::string& id, int64_t now_s) const {
  const std::lock_guard lock(mutex_);
  auto select = database_.prepare("SELECT revoked, expires FROM api_key WHERE id = ?");
  if (!select.bind(1, id).step() || !select.is_null(0)) return false;
  return select.is_null(1) || select.integer(1) > now_s;
}

KeyInfo KeyStore::find(const std::string& id) const {
  auto select = database_.prepare(fmt::format("SELECT {} FROM api_key WHERE id = ?", kColumns));
  if (!select.bind(1, id).step()) {
    throw Error(Code::not_found, fmt::format("there is no key '{}'", id.substr(0, 80)));
  }
  return read_row(select);
}

void KeyStore::revoke(const std::string& id_or_name, int64_t now_s) {
  std::string id;
  int matches = 0;
  for (const auto& key : list()) {
    if (key.revoked) continue;
    if (key.id == id_or_name) {
      id = key.id;
      matches = 1;
      break;
    }
    if (key.name != id_or_name) continue;
    id = key.id;
    ++matches;
  }
  if (matches != 1) {
    throw Error(Code::not_found,
                matches == 0 ? fmt::format("there is no live key '{}'", id_or_name)
                             : fmt::format("{} live keys are named '{}'", matches, id_or_name),
                "use an id from: strata key list");
  }
  const std::lock_guard lock(mutex_);
  database_.prepare("UPDATE api_key SET revoked = ? WHERE id = ?").bind(1, now_s).bind(2, id).run();
}

// The look-up is by hash: how long it takes says nothing about the secret.
std::optional<Principal> KeyStore::check(std::string_view secret, int64_t now_s) {
  const std::lock_guard lock(mutex_);
  const bool session = secret.starts_with(kSessionPrefix);
  auto select = database_.prepare(fmt::format(
      "SELECT {} FROM api_key WHERE {}", kColumns,
      session ? "id = (SELECT key FROM api_session WHERE hash = ? AND expires > ?)" : "hash = ?"));
  select.bind(1, sha256_hex(secret));
  if (session) select.bind(2, now_s);
  if (!select.step()) return std::nullopt;
  const KeyInfo key = read_row(select);
  select.reset();  // an open one would hold up what is written below
  if (state_of(key, now_s) != "live") return std::nullopt;
  if (!key.last_used || now_s - *key.last_used >= kLastUsedStepS) {
    auto update = database_.prepare("UPDATE api_key SET last_used = ? WHERE id = ?");
    update.bind(1, now_s).bind(2, key.id).run();
    write_use();
  }
  return Principal{.name = key.name, .scopes = key.scopes, .key_id = key.id};
}

std::string KeyStore::open_session(std::string_view secret, int64_t now_s) {
  const auto principal = secret.starts_with(kKeyPrefix) ? check(secret, now_s) : std::nullopt;
  if (!principal) {
    throw Error(Code::unauthenticated, "the key is not known, was revoked, or has expired",
                "make a new one with: strata key create");
  }
  const std::lock_guard lock(mutex_);
  return insert_session(principal->key_id, now_s);
}

std::string KeyStore::insert_session(const std::string& key_id, int64_t now_s) {
  const std::string session = new_secret(kSessionPrefix);
  database_.prepare("DELETE FROM api_session WHERE expires <= ?").bind(1, now_s).run();
  auto insert = database_.prepare("INSERT INTO api_session (hash, key, expires) VALUES (?, ?, ?)");
  insert.bind(1, sha256_hex(session)).bind(2, key_id).bind(3, now_s + kSessionS).run();
  return session;
}

void KeyStore::close_session(std::string_view session) {
  const std::lock_guard lock(mutex_);
  database_.prepare("DELETE FROM api_session WHERE hash = ?").bind(1, sha256_hex(session)).run();
}

Invitation KeyStore::invite(const std::string& name, const std::vector<Scope>& scopes,
                            int64_t now_s) {
  check_new_key(name, scopes, std::nullopt, now_s);
  const std::lock_guard lock(mutex_);
  return insert_invitation(name, scopes, false, now_s);
}

std::optional<Invitation> KeyStore::invite_first(int64_t now_s) {
  const std::lock_guard lock(mutex_);
  Transaction transaction(database_);
  if (any_live(now_s)) return std::nullopt;
  database_.prepare("DELETE FROM api_invitation WHERE first").run();
  const Invitation invitation = insert_invitation("admin", {Scope::admin}, true, now_s);
  transaction.commit();
  return invitation;
}

Invitation KeyStore::insert_invitation(const std::string& name, const std::vector<Scope>& scopes,
                                       bool first, int64_t now_s) {
  const Invitation invitation{new_secret(kInvitationPrefix), now_s + kInvitationS};
  database_.prepare("DELETE FROM api_invitation WHERE expires <= ?").bind(1, now_s).run();
  auto insert = database_.prepare(
      "INSERT INTO api_invitation (hash, name, scopes, expires, first) VALUES (?, ?, ?, ?, ?)");
  insert.bind(1, sha256_hex(invitation.code)).bind(2, name).bind(3, to_text(scopes));
  insert.bind(4, invitation.expires).bind(5, int64_t{first}).run();
  return invitation;
}

bool KeyStore::any_live(int64_t now_s) {
  auto select = database_.prepare(
      "SELECT 1 FROM api_key WHERE revoked IS NULL AND (expires IS NULL OR expires > ?)");
  return select.bind(1, now_s).step();
}

// Anybody may ask, so that what is no invitation only reads: it must not wait for who writes.
// Whoever takes the row away is the first: of two that ask at once, in whatever processes, one.
Accepted KeyStore::accept(std::string_view invitation, int64_t now_s) {
  const auto refuse = [] {
    throw Error(Code::unauthenticated, "the link is not known, was used, or is over",
                "a link works once and for an hour; who runs the server makes another one with: "
                "strata key link NAME");
  };
  const std::string hash = sha256_hex(invitation);
  const std::lock_guard lock(mutex_);
  if (!database_.prepare("SELECT 1 FROM api_invitation WHERE hash = ?").bind(1, hash).step()) {
    refuse();
  }
  Transaction transaction(database_);
  auto take = database_.prepare(
      "DELETE FROM api_invitation WHERE hash = ? AND expires > ? RETURNING name, scopes, first");
  if (!take.bind(1, hash).bind(2, now_s).step()) refuse();
  const NewKey key =
      new_key(take.text(0), parse_scopes(take.text(1)), std::nullopt, now_s, KeySettings{});
  const bool first = take.integer(2) != 0;
  take.reset();
  if (first && any_live(now_s)) refuse();
  insert(key);
  Accepted accepted{key, insert_session(key.info.id, now_s)};
  transaction.commit();
  return accepted;
}

int64_t KeyStore::end_invitations() {
  const std::lock_guard lock(mutex_);
  auto remove = database_.prepare("DELETE FROM api_invitation RETURNING 1");
  int64_t n = 0;
  while (remove.step()) ++n;
  return n;
}

void KeyStore::set_address(const std::string& url) {
  const std::lock_guard lock(mutex_);
  Transaction transaction(database_);
  database_.prepare("DELETE FROM api_address").run();
  database_.prepare("INSERT INTO api_address (url) VALUES (?)").bind(1, url).run();
  transaction.commit();
}

std::string KeyStore::address() const {
  const std::lock_guard lock(mutex_);
  auto select = database_.prepare("SELECT url FROM api_address");
  return select.step() ? select.text(0) : "";
}

std::vector<std::string> KeyStore::prepare(ChatRequest& request) {
  const KeyInfo key = [&] {
    const std::lock_guard lock(mutex_);
    return find(request.caller);
  }();
  return put_into(key.settings, key.name, request);
}

void KeyStore::check_model(const std::string& caller, const std::string& model) {
  const std::lock_guard lock(mutex_);
  const KeyInfo key = find(caller);
  strata::api::check_model(key.settings, key.name, model);
}

bool KeyStore::may_ask(const std::string& caller, const std::string& model) {
  const std::lock_guard lock(mutex_);
  return strata::api::may_ask(find(caller).settings, model);
}

void KeyStore::used(const std::string& caller, const CallerUse& use) {
  const std::lock_guard lock(use_mutex_);
  unwritten_[caller] += use;
}

void KeyStore::write_use() const {
  std::map<std::string, CallerUse> unwritten;
  {
    const std::lock_guard lock(use_mutex_);
    unwritten.swap(unwritten_);
  }
  if (unwritten.empty()) return;
  try {
    add_use(database_, unwritten);
  } catch (const Error&) {
    const std::lock_guard lock(use_mutex_);
    for (const auto& [id, use] : unwritten) unwritten_[id] += use;
    throw;
  }
}

}  // namespace strata::api
