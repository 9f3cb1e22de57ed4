#include "app/cli/line_buffer.h"

#include <gtest/gtest.h>

namespace strata::app {
namespace {

// What stands in the line after these bytes of a terminal; '|' marks the cursor.
std::string after(std::string_view bytes, std::vector<std::string> history = {}) {
  KeyReader reader;
  LineBuffer line(std::move(history));
  for (const auto& press : reader.feed(bytes)) line.press(press);
  std::string text = line.text();
  return text.insert(line.cursor(), "|");
}

TEST(LineBuffer, EditsLikeAShell) {
  EXPECT_EQ(after("hello"), "hello|");
  EXPECT_EQ(after("hello\x1b[D\x1b[D\x7f"), "he|lo");
  EXPECT_EQ(after("hello\x01X"), "X|hello");
  EXPECT_EQ(after("one two  \x17"), "one |");
  EXPECT_EQ(after("hello\x02\x02\x0b"), "hel|");
  EXPECT_EQ(after("hello\x02\x02\x15"), "|lo");
  EXPECT_EQ(after("hello\x01\x1b[3~"), "|ello");
  EXPECT_EQ(after("one two three\x1b[1;5D\x1b"
                  "b"),
            "one |two three");
  EXPECT_EQ(after("one two three\x01\x1b"
                  "f\x1b[1;5C"),
            "one two| three");
}

TEST(LineBuffer, CharactersAreWholeUnderEveryKey) {
  EXPECT_EQ(after("a\xC3\xA9\xE6\xBC\xA2\x7f"), "a\xC3\xA9|");
  EXPECT_EQ(after("a\xE6\xBC\xA2\x1b[D"), "a|\xE6\xBC\xA2");
  EXPECT_EQ(display_columns("a\xE6\xBC\xA2"), 3u);
}

TEST(LineBuffer, BytesMayArriveInPieces) {
  const std::string bytes = "x\xE6\xBC\xA2\x1b[D\x1b[200~two\rlines\x1b[201~y";
  for (size_t cut = 0; cut <= bytes.size(); ++cut) {
    KeyReader reader;
    LineBuffer line;
    for (const auto& part : {bytes.substr(0, cut), bytes.substr(cut)}) {
      for (const auto& press : reader.feed(part)) line.press(press);
    }
    EXPECT_EQ(line.text(), "xtwo\nlinesy\xE6\xBC\xA2") << "cut at " << cut;
  }
}

TEST(LineBuffer, HistoryKeepsTheDraft) {
  EXPECT_EQ(after("dra\x1b[A", {"one", "two"}), "two|");
  EXPECT_EQ(after("dra\x1b[A\x1b[A\x1b[A", {"one", "two"}), "one|");
  EXPECT_EQ(after("dra\x1b[A\x1b[B", {"one", "two"}), "dra|");
}

TEST(LineBuffer, ControlDClosesOnlyAnEmptyLine) {
  LineBuffer line;
  EXPECT_EQ(line.press({Key::end_of_input, ""}), LineBuffer::Outcome::closed);
  line.press({Key::text, "a"});
  EXPECT_EQ(line.press({Key::end_of_input, ""}), LineBuffer::Outcome::typing);
}

TEST(LineBuffer, UnknownSequencesAndBadBytesDoNoHarm) {
  EXPECT_EQ(after("a\x1b[1;9Zb\x1b[99~c"), "abc|");
  EXPECT_EQ(after("a\xFF\x62"),
            "a\xEF\xBF\xBD"
            "b|");
}

}  // namespace
}  // namespace strata::app
