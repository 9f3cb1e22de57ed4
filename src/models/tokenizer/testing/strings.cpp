#include "models/tokenizer/testing/strings.h"

#include <iterator>
#include <string_view>

namespace strata::models::testing {
namespace {

// SplitMix64 (Steele, Lea, Flood 2014).
struct Random {
  uint64_t state;
  uint64_t next() {
    uint64_t z = state += 0x9E3779B97F4A7C15u;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return z ^ (z >> 31);
  }
  uint32_t below(uint32_t n) { return static_cast<uint32_t>(next() % n); }
};

constexpr std::string_view kWords[] = {
    "the",
    "of",
    "and",
    "Language",
    "model",
    "isn't",
    "WE'LL",
    "they've",
    "I'd",
    "don't",
    "He's",
    "tokenization",
    "internationalisation",
    "e.g.",
    "naïve",
    "café",
    "Straße",
    "Übergrößenträger",
    "façade",
    "smørrebrød",
    "żółć",
    "İstanbul",
    "ǅungla",
    "ﬁnance",
    "ΑΒΓ",
    "δοκιμή",
    "Ελληνικά",
    "Привет",
    "мир",
    "ёлка",
    "Україна",
    "שלום",
    "עולם",
    "مرحبا",
    "بالعالم",
    "الذكاء",
    "۱۲۳۴",
    "٣٫١٤",
    "नमस्ते",
    "दुनिया",
    "हिन्दी",
    "বাংলা",
    "தமிழ்",
    "ไทย",
    "ภาษาไทยไม่มีช่องว่าง",
    "ລາວ",
    "မြန်မာ",
    "ខ្មែរ",
    "አማርኛ",
    "你好",
    "世界",
    "人工智能",
    "中文分词测试",
    "龥龦",
    "㐀䶵",
    "日本語",
    "ひらがな",
    "カタカナ",
    "ﾊﾝｶｸ",
    "한국어",
    "안녕하세요",
    "ㄱㄴㄷ",
    "ㄅㄆㄇ",
    "𠀀𠮷",
    "𝔘𝔫𝔦𝔠𝔬𝔡𝔢",
    "ℝℂ",
    "ⅣⅧ",
    "½¾",
    "x²+y³",
    "①②③",
    "Ⓐ",
    "e\u0301a\u0308",
    "ｆｕｌｌ",
};
constexpr std::string_view kSymbols[] = {
    "!",  "?",  ".",  ",",  "...", "…",      "—",      "–",      "«",      "»",      "“",      "”",
    "‘",  "’",  "'",  "\"", "`",   "(",      ")",      "[",      "]",      "{",      "}",      "<",
    ">",  "<=", "->", "=>", "==",  "!=",     "&&",     "||",     "+",      "-",      "*",      "/",
    "\\", "%",  "^",  "~",  "#",   "$",      "€",      "£",      "¥",      "₹",      "@",      "©",
    "™",  "§",  "°",  "。", "，",  "、",     "！",     "？",     "：",     "「",     "」",     "・",
    "～", "،",  "؟",  "।",  "۔",   "\u200b", "\u200d", "\ufeff", "\u00ad", "\u2060", "\ue000",
};
constexpr std::string_view kEmoji[] = {
    "😀",
    "🎉",
    "👍🏽",
    "👩‍👩‍👧‍👦",
    "🏳️‍🌈",
    "🇩🇪",
    "❤️",
    "☃",
    "🤖",
    "🧬",
    "1️⃣",
    "🫠",
    "✅",
    "🚀🚀🚀",
};
constexpr std::string_view kSpaces[] = {
    " ",
    " ",
    " ",
    "  ",
    "   ",
    "    ",
    "\t",
    "\t\t",
    "\n",
    "\n\n",
    "\n\n\n",
    "\r\n",
    " \n",
    "\n ",
    "\r",
    " \t ",
    "\v",
    "\f",
    "\u00a0",
    "\u3000",
    "\u2003",
    "\u2028",
    "\u0085",
    "\n    ",
    "\n\t",
    "        ",
    "",
    "                                  ",
    "\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n",
};
constexpr std::string_view kControls[] = {
    "<s>",
    "</s>",
    "<unk>",
    "<pad>",
    "<bos>",
    "<eos>",
    "<|endoftext|>",
    "<|im_start|>",
    "<|im_end|>",
    "<|begin_of_text|>",
    "<|eot_id|>",
    "<|start_header_id|>",
    "<|end|>",
    "<|user|>",
    "<|assistant|>",
    "<start_of_turn>",
    "<end_of_turn>",
    "<unused7>",
    "<unused6241>",
    "<mask>",
    "[multimodal]",
    "<0x0A>",
    "<0x41>",
    "[INST]",
    "[/INST]",
    "<<SYS>>",
    "<fim_prefix>",
    "<fim_middle>",
    "<filename>",
    "<h1>",
    "</table>",
    "<|END_OF_TURN_TOKEN|>",
    "<｜end▁of▁sentence｜>",
    "<|tool_call>",
    "<turn|>",
    "<|im_start|",
    "|im_end|>",
    "<|im_<|im_end|>end|>",
    "< s>",
    "<|endoftext|><|endoftext|>",
    "▁",
    "▁▁",
    "a▁b",
    "Ġ",
    "Ċ",
    ">> </",
    "> </",
    "<|reserved_special_token_5|>",
    ">>TITLE<<",
    "<reponame>",
    "<image>",
    "<end_of_utterance>",
};
constexpr std::string_view kCode[] = {
    "int main(int argc, char** argv) {\n  return 0;\n}\n",
    "def f(x):\n\treturn x ** 2\n",
    "for (size_t i = 0; i < n; ++i) sum += a[i];",
    "SELECT * FROM t WHERE id = 42 AND name LIKE '%x%';",
    "#include <vector>\r\n#define X(a) a##_t\r\n",
    "{\"key\": [1, 2.5e-3, null, true]}",
    "https://example.org/a/b?c=d&e=%20f#g",
    "user@example.com",
    "C:\\Users\\name\\file.txt",
    "$ ls -la | grep '^d'",
    "<div class=\"a\">text</div>",
    "λx. x + 1",
    "0xDEADBEEF",
    "std::vector<std::pair<int, float>>",
    "fn main() -> Result<(), E> {",
    "camelCaseIdentifier snake_case_identifier SCREAMING_CASE HTTPServer2",
    "    return self.x\n\n\n    def y(self):",
    "1234567",
    "3.14159265358979",
    "1,000,000",
    "2024-02-29T23:59:60Z",
    "١٢٣٤٥٦٧",
    "12345678901234567890123456789012345",
};
constexpr std::string_view kInvalid[] = {
    "\xff",     "\x80",         "\xe2\x82", "\xf0\x9f\x98", "\xc3",
    "\xfe\xfe", "\xe2\x28\xa1", "\xf0\x9f", "\x96\x81",     "\xf0\xe2\x96\x81",
};

template <size_t n>
std::string_view pick(Random& random, const std::string_view (&from)[n]) {
  return from[random.below(static_cast<uint32_t>(n))];
}

void append_code_point(Random& random, std::string& out) {
  constexpr uint32_t kRanges[][2] = {{0x20, 0x7E},     {0xA0, 0x24F},      {0x300, 0x36F},
                                     {0x370, 0x52F},   {0x590, 0x6FF},     {0x900, 0xDFF},
                                     {0x1E00, 0x206F}, {0x20A0, 0x2BFF},   {0x3040, 0x30FF},
                                     {0x4E00, 0x9FFF}, {0xAC00, 0xD7A3},   {0x1F300, 0x1FAFF},
                                     {0x1, 0x1F},      {0x10000, 0x103FF}, {0x20000, 0x2A6DF}};
  const auto& range = kRanges[random.below(static_cast<uint32_t>(std::size(kRanges)))];
  const uint32_t c = range[0] + random.below(range[1] - range[0] + 1);
  if (c == 0x180E) return;
  const auto put = [&out](uint32_t byte) { out += static_cast<char>(byte); };
  if (c < 0x80) return put(c);
  if (c < 0x800) return put(0xC0 | (c >> 6)), put(0x80 | (c & 63));
  if (c >= 0x10000) {
    put(0xF0 | (c >> 18));
    put(0x80 | ((c >> 12) & 63));
  } else {
    put(0xE0 | (c >> 12));
  }
  put(0x80 | ((c >> 6) & 63));
  put(0x80 | (c & 63));
}

void append_long_word(Random& random, std::string& out) {
  const uint32_t length = 30 + random.below(400);
  const uint32_t alphabet = 1 + random.below(26);
  for (uint32_t i = 0; i < length; ++i) out += static_cast<char>('a' + random.below(alphabet));
}

void append_part(Random& random, uint32_t theme, std::string& out) {
  switch (theme) {
    case 0:
      out += pick(random, kCode);
      break;
    case 1:
      out += pick(random, kEmoji);
      break;
    case 2:
      out += pick(random, kControls);
      break;
    case 3:
      out += std::to_string(random.next() >> random.below(60));
      break;
    case 4:
      for (uint32_t i = random.below(12); i > 0; --i) append_code_point(random, out);
      break;
    case 5:
      out += pick(random, kSymbols);
      break;
    case 6:
      if (random.below(8) == 0) append_long_word(random, out);
      break;
    default:
      out += pick(random, kWords);
  }
}

}  // namespace

std::string varied_text(uint32_t index) {
  Random random{index};
  std::string out;
  const uint32_t main_theme = random.below(10);
  const uint32_t parts = 1 + random.below(24);
  for (uint32_t i = 0; i < parts; ++i) {
    append_part(random, random.below(3) != 0 ? main_theme : random.below(10), out);
    if (random.below(4) != 0) out += pick(random, kSpaces);
    if (index % 16 == 15 && random.below(3) == 0) out += pick(random, kInvalid);
  }
  return out;
}

uint32_t hash_ids(std::span<const int32_t> ids) {
  uint64_t hash = 0xCBF29CE484222325u;
  for (const int32_t id : ids) hash = (hash ^ static_cast<uint32_t>(id)) * 0x100000001B3u;
  return static_cast<uint32_t>(hash ^ (hash >> 32));
}

}  // namespace strata::models::testing
