// What happens in the app's conversations, told at once to every window that looks at them.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "api/http/http.h"
#include "core/json.h"

namespace strata::api {

constexpr size_t kMaxListeners = 32;  // windows of one owner at once

// Safe from several threads; never waits for a listener.
class ThreadFeed {
 public:
  // Begins a stream of server-sent events. Error{unavailable}: kMaxListeners are there, or the
  // server stops.
  void listen(const std::string& owner, const std::shared_ptr<Exchange>& exchange);
  void tell(const std::string& owner, std::string_view event, const json::object& data);
  // Ends every stream; nobody can listen afterwards.
  void close();

 private:
  std::mutex mutex_;
  bool closed_ = false;
  std::map<std::string, std::vector<std::shared_ptr<Exchange>>> listeners_;  // by owner
};

}  // namespace strata::api
