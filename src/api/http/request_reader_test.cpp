#include "api/http/request_reader.h"

#include <gtest/gtest.h>

namespace strata::api {
namespace {

constexpr std::string_view kHead =
    "POST /v1/completions HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";

// As a connection gives it: what is not used comes again with `piece` more bytes behind it.
RequestReader::State read_in_pieces(RequestReader& reader, std::string_view bytes, size_t piece) {
  size_t used = 0;
  for (size_t end = 0; end < bytes.size();) {
    end = std::min(end + piece, bytes.size());
    for (int again = 0; again < 3; ++again) {  // also without anything new
      used += reader.feed(bytes.substr(used, end - used));
      if (reader.state() == RequestReader::State::head_ready) reader.limit_body(1000);
    }
  }
  return reader.state();
}

TEST(RequestReader, ChunksMayArriveInAnyPieces) {
  const std::string request = std::string(kHead) + "3\r\nabc\r\n2;x=y\r\nde\r\n0\r\n\r\n";
  for (size_t piece = 1; piece <= request.size(); ++piece) {
    RequestReader reader;
    ASSERT_EQ(read_in_pieces(reader, request, piece), RequestReader::State::complete) << piece;
    EXPECT_EQ(reader.take().body, "abcde");
  }
}

TEST(RequestReader, ALastChunkMayComeAlone) {
  for (const char* last : {"0\r\n\r\n", "0;\r\n\r\n", "000;a=b\r\nTrailer: x\r\n\r\n"}) {
    const std::string request = std::string(kHead) + last;
    for (size_t piece = 1; piece <= request.size(); ++piece) {
      RequestReader reader;
      const auto state = read_in_pieces(reader, request, piece);
      EXPECT_NE(state, RequestReader::State::head);
      if (std::string_view(last) == "0\r\n\r\n") {
        EXPECT_EQ(state, RequestReader::State::complete) << piece;
      }
    }
  }
}

}  // namespace
}  // namespace strata::api
