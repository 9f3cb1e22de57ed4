// What the hub's tests share: zip archives written by hand, a stand-in for the Hub's API, and
// child processes that die at a chosen moment.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "core/net.h"
#include "core/testing/http_server.h"

namespace strata::models::testing {

const NetPolicy kLocalPolicy{.offline = false, .allow_private = true, .private_hosts = {}};

// A GGUF of that many bytes (64 or more) without tensors, whose bytes do not repeat.
std::string model_bytes(size_t size, uint32_t seed = 1);
// A small GGUF with that name, part `part` of `parts`.
std::string named_model(std::string_view name, uint32_t part = 0, uint32_t parts = 1);

struct ZipEntry {
  std::string name;
  std::string content;
  bool deflate = true;
};
std::string make_zip(const std::vector<ZipEntry>& entries);

// Answers as the Hub does: the list of files in pages, redirects to a "CDN" path for large files.
// `files`: path in the repository → content.
strata::testing::Reply answer_as_hub(const strata::testing::ServedRequest& request,
                                     const std::string& repository,
                                     const std::map<std::string, std::string>& files);

// Runs a job registered under that name in a new process (this test program again), and returns
// its pid. The jobs stand in crash_test.cpp.
int start_job(const std::string& job, const std::vector<std::string>& arguments);
int wait_for(int pid);  // exit code, or 128 + signal

}  // namespace strata::models::testing
