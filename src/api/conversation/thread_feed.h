// What happens in the app's conversations, told at once to every window that looks at them.
#pragma once

#include <functional>
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

// Whether this owner may go on listening; must not throw, nor call the feed.
using MayListen = std::function<bool(const std::string& owner)>;

// Safe from several threads; never waits for a listener. Before anything is told to him, and in
// silence, an owner is looked at again: the streams of one who may listen no more end.
class ThreadFeed {
 public:
  // Begins a stream of server-sent events. Error{unavailable}: kMaxListeners are there, or the
  // server stops.
  void listen(const std::string& owner, const std::shared_ptr<Exchange>& exchange, MayListen may);
  void tell(const std::string& owner, std::string_view event, const json::object& data);
  void look_again(const std::string& owner);  // now
  // Ends every stream; nobody can listen afterwards.
  void close();

 private:
  struct Listeners {
    std::vector<std::shared_ptr<Exchange>> exchanges;
    MayListen may;
  };
  // nullptr: nobody listens, or nobody may any more. With mutex_.
  Listeners* of(const std::string& owner);

  std::mutex mutex_;
  bool closed_ = false;
  std::map<std::string, Listeners> listeners_;  // by owner
};

}  // namespace strata::api
