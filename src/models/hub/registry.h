// An OCI registry as a client that writes to it sees it (OCI distribution specification 1.1):
// which blobs it has, uploads in pieces, manifests. Ollama's and Docker's registries speak it.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "core/net.h"
#include "models/hub/manifest.h"
#include "models/hub/name.h"

namespace strata::models {

// "[https://]HOST[:PORT]/NAMESPACE/NAME[:TAG]".
struct RegistryName {
  std::string scheme = "https";
  std::string host;        // with its port, where it says one
  std::string repository;  // "me/tiny"
  std::string tag;

  // What the store calls it: "me/tiny:v1"; "tiny:v1" of the namespace library.
  ModelName local() const;
};

// Error{invalid_argument}, also where no host stands in front: nothing is sent to one that was not
// named.
RegistryName parse_registry_name(std::string_view text);
Url registry_url(const RegistryName& name);  // of its root

class RegistryClient {
 public:
  struct Options {
    NetPolicy policy;
    std::function<bool()> keep_going;
  };
  // Says who it is as Docker's settings have it for that host, where it is asked.
  RegistryClient(const RegistryName& name, const Options& options);

  // Errors of all: unauthenticated, permission_denied, not_found (no registry, or no such
  // repository), resource_exhausted (it has no room), unavailable (it cannot be reached, was cut
  // off or failed), cancelled.
  bool has_blob(std::string_view sha256);
  // `read`: the next bytes into `piece`, at most so many; none at the end.
  void put_blob(const BlobRef& blob,
                const std::function<void(std::string& piece, size_t most)>& read,
                const std::function<void(uint64_t done)>& progress);
  void put_manifest(std::string_view media_type, std::string body);

 private:
  HttpResponse call(HttpRequest request, std::string_view what);
  HttpResponse send(HttpRequest request) const;
  void log_in(const HttpHead& refused);
  std::string url(std::string_view path) const;
  [[noreturn]] void refuse(const HttpResponse& response, std::string_view what) const;

  const RegistryName name_;
  const Options options_;
  std::string authorization_;  // "Bearer …", "Basic …"; "": none yet
  bool logged_in_ = false;
};

}  // namespace strata::models
