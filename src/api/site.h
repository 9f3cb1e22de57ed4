// The files of the web app as the server gives them out: one bundle, made by web/bundle.mjs and
// built into the program.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "api/http/http.h"

namespace strata::api {

struct SiteFile {
  std::string path;    // "/assets/index-BfX2.js"; "/" is the page
  std::string type;    // its content type
  std::string etag;    // with the quotes
  bool keeps = false;  // its name changes with its content
  std::string_view gzip;
};

class Site {
 public:
  // The bundle must outlive it. An empty one makes a page that says how to build the app.
  // Error{data_loss}: it is not whole.
  explicit Site(std::string_view bundle);
  // Error{not_found}.
  void answer(Exchange& exchange, std::string_view path) const;
  const std::vector<SiteFile>& files() const { return files_; }

 private:
  std::vector<SiteFile> files_;
};

}  // namespace strata::api
