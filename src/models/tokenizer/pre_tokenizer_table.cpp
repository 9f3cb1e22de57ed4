// Which pre-tokenizer each name of tokenizer.ggml.pre means. Data only. The patterns are those of
// the models' own tokenizer.json; names and patterns as llama.cpp b11434 (llama-vocab.cpp) lists
// them, except that where it approximates (capitals apart from small letters, possessive loops,
// groups of digits behind text) the original stands here.
#include "models/tokenizer/pre_tokenizer.h"

namespace strata::models {
namespace {

constexpr char kPunctuationRuns[] = R"~([\p{P}\$\+<=>\^~\|]+)~";
constexpr char kFalconPunctuation[] = R"~([\p{P}\$\+<=>\^~\|`]+)~";
constexpr char kNumberRuns[] = R"~(\p{N}+)~";
constexpr char kThreeDigits[] = R"~([0-9][0-9][0-9])~";
constexpr char kUpToThreeDigits[] = R"~(\p{N}{1,3})~";
constexpr char kNewlines[] = R"~([\r\n])~";
constexpr char kDeepSeekLetters[] =
    R"~(\s?[A-Za-zµÀ-ÖØ-öø-ƺƼ-ƿǄ-ʓʕ-ʯͰ-ͳͶͷͻ-ͽͿΆΈ-ΊΌΎ-ΡΣ-ϵϷ-ҁҊ-ԯԱ-ՖႠ-ჅᎠ-Ᏽᏸ-ᏽᲐ-ᲺᲽ-Ჿᴀ)~"
    R"~(-ᴫᵫ-ᵷᵹ-ᶚḀ-ἕἘ-Ἕἠ-ὅὈ-Ὅὐ-ὗὙὛὝὟ-ώᾀ-ᾴᾶ-ᾼιῂ-ῄῆ-ῌῐ-ΐῖ-Ίῠ-Ῥῲ-ῴῶ-ῼℂℇℊ-ℓℕℙ-ℝℤΩℨK-ℭℯ-)~"
    R"~(ℴℹℼ-ℿⅅ-ⅉⅎↃↄⰀ-ⱻⱾ-ⳤⳫ-ⳮⳲⳳꙀ-ꙭꚀ-ꚛꜢ-ꝯꝱ-ꞇꞋ-ꞎꭰ-ꮿﬀ-ﬆﬓ-ﬗＡ-Ｚａ-ｚ𐐀-𐑏𐒰-𐓓𐓘-𐓻𐲀-𐲲𐳀-𐳲𑢠-𑣟𞤀-𞥃])~"
    R"~(+)~";
constexpr char kDeepSeekPunctuation[] = R"~(\s?(?:(?!\s)[!-/:-~！-／：-～‘-‟　-。])++)~";
// Without the look-behind a long run of spaces inside a piece would be tried from each place.
constexpr char kSpacesAtEnd[] = R"~((?<!\s)\s+$)~";
// These ranges hold white space, too (U+2000 and on, U+3000), which the reference leaves out.
constexpr char kDeepSeekAsian[] = R"~((?:(?!\s)[一-龥ࠀ-一가-퟿])++)~";
constexpr char kSpaceLetters[] = R"~(\s?\p{L}+)~";
constexpr char kSpacePunctuation[] = R"~(\s?\p{P}+)~";
constexpr char kKanaAndHan[] = R"~([一-龥぀-ゟ゠-ヿ]+)~";
constexpr char kDeepSeek3Words[] =
    R"~([!"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p)~"
    R"~({L}\p{M}]+| ?[\p{P}\p{S}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)~";
constexpr char kSparkWords[] =
    R"~([!"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p)~"
    R"~({L}\p{M}]+| ?[\p{P}\p{S}]+|[\r\n]|\s+(?!\S)|\s+)~";
constexpr char kYoutuAsian[] =
    R"~([가-힣ㄱ-ㆎ]+|[！…“”‘’—：；，、-〿︰-﹏]+|[ㄅ-ㄯ]+|[一-龥぀-ゟ゠-ヿ]+)~";
constexpr char kYoutuWords[] =
    R"~([^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M})~"
    R"~(]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo)~"
    R"~(}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?|\p{N}| ?[^)~"
    R"~(\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+)~";
constexpr char kBloomWords[] = R"~( ?[^(\s|.,!?…。，、।۔،)]+)~";
// Capitals and small letters apart, a contraction stays with its word.
constexpr char kCasedWords[] =
    R"~([^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M})~"
    R"~(]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo)~"
    R"~(}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?|\p{N}{1,3})~"
    R"~(| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+)~";
constexpr char kTekkenWords[] =
    R"~([^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M})~"
    R"~(]+|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p)~"
    R"~({M}]*|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+)~";
constexpr char kKimiWords[] =
    R"~(\p{Han}+|[^\r\n\p{L}\p{N}]?(?:(?!\p{Han})[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}])*)~"
    R"~((?:(?!\p{Han})[\p{Ll}\p{Lm}\p{Lo}\p{M}])+(?i:'s|'t|'re|'ve|'m|'ll|'d)?|[^\)~"
    R"~(r\n\p{L}\p{N}]?(?:(?!\p{Han})[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}])+(?:(?!\p{Han)~"
    R"~(})[\p{Ll}\p{Lm}\p{Lo}\p{M}])*(?i:'s|'t|'re|'ve|'m|'ll|'d)?|\p{N}{1,3}| ?[^)~"
    R"~(\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)~";
constexpr char kBailingWords[] =
    R"~('(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]++[)~"
    R"~(\r\n]*|\s*[\r\n]|\s+(?!\S)|\s+)~";
constexpr char kSeedCoderWords[] =
    R"~((?:'[sS]|'[tT]|'[rR][eE]|'[vV][eE]|'[mM]|'[lL][lL]|'[dD])|[^\r\n\p{L}\p{N})~"
    R"~(]?\p{L}+|\p{N}{1}| ?[^\s\p{L}\p{N}\r\n]+|\s*[\r\n]+|\s+(?!\S)|\s+)~";
constexpr char kJais2Words[] =
    R"~((?:'[sS]|'[tT]|'[rR][eE]|'[vV][eE]|'[mM]|'[lL][lL]|'[dD])|[^\r\n\p{L}\p{N})~"
    R"~(]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s{512}(?!\S)|\s{)~"
    R"~(256}(?!\S)|\s{128}(?!\S)|\s{64}(?!\S)|\s{32}(?!\S)|\s{16}(?!\S)|\s{8}(?!\S)~"
    R"~()|\s{4}(?!\S)|\s{1,2}(?!\S)|\s{1})~";
// Words of one script with single spaces between them are one piece.
constexpr char kExaoneMoeWords[] =
    R"~((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}(?:[\p{L}\p{M}]| (?=\p)~"
    R"~({L}))*+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]?|\s*[\r\n]|\s+(?!\S)|\s+)~";
constexpr char kAfmoeAsian[] =
    R"~([一-鿿㐀-䶿豈-﫿぀-ゟ゠-ヿ･-ﾟ⼀-⿟เ-๿຀-໿ក-៿က-႟ꩠ-ꩿꧠ-꧿가-힯ᄀ-ᇿ]+)~";
constexpr char kSentinels[] = R"~(<sentinel:[0-9]+>)~";
constexpr char kImageTokens[] = R"~((IMGIMG)((A|B|C|D|E|F|G|H|I){1,4})Z)~";
constexpr char kChameleonSpaces[] = R"~(([\t\n]|    |  ))~";
constexpr char kChameleonPunctuation[] = R"~([\p{P}!-/:-@\[-`{-~])~";

constexpr SplitStep kGpt2{SplitKind::gpt2, nullptr, {}};
constexpr SplitStep kDigits{SplitKind::digits, nullptr, {}};
constexpr SplitStep kDigitGroups{SplitKind::digit_groups, nullptr, {}};
constexpr SplitStep kAsciiDigitGroups{SplitKind::ascii_digit_groups, nullptr, {}};
constexpr SplitStep kLines{SplitKind::lines, nullptr, {}};

constexpr SplitStep regex(const char* pattern) {
  return {SplitKind::regex, pattern, {}};
}
constexpr SplitStep words(uint32_t max_digits, Contractions contractions = Contractions::any_case,
                          bool marks_are_letters = false) {
  return {SplitKind::words, nullptr, {contractions, marks_are_letters, max_digits}};
}

const PreTokenizerSpec kTable[] = {
    {.names = {"default"},
     .steps = {regex(kPunctuationRuns), kGpt2, regex(kNumberRuns), regex(kThreeDigits)}},
    {.names = {"gpt-2", "phi-2", "jina-es", "jina-de", "jina-v2-es", "jina-v2-de", "jina-v1-en",
               "jina-v2-code", "roberta-bpe", "gigachat", "a.x-4.0", "mellum", "modern-bert",
               "exaone4", "mpt", "olmo", "jais", "trillion", "granite-docling"},
     .steps = {kGpt2}},
    {.names = {"starcoder", "refact", "command-r", "smollm", "codeshell", "exaone", "minerva-7b",
               "mellum2"},
     .steps = {kDigits, kGpt2}},
    {.names = {"llama3", "llama-v3", "llama-bpe", "falcon3", "falcon-h1", "pixtral", "midm-2.0",
               "lfm2", "jina-v5-nano"},
     .steps = {words(3)},
     .whole_words = true,
     .add_bos = true},
    {.names = {"dbrx", "smaug-bpe", "chatglm-bpe"}, .steps = {words(3)}},
    {.names = {"glm4", "glm5"}, .steps = {words(3)}, .whole_words = true},
    {.names = {"qwen2", "deepseek-r1-qwen", "kormo", "f2llmv2", "megrez", "stablelm2", "hunyuan",
               "solar-open", "grok-2"},
     .steps = {words(1)}},
    {.names = {"qwen35"}, .steps = {words(1, Contractions::any_case, true)}},
    {.names = {"ufakzeka"}, .steps = {words(1, Contractions::none)}},
    {.names = {"minicpm5"}, .steps = {regex(kUpToThreeDigits), words(0)}, .whole_words = true},
    {.names = {"laguna"}, .steps = {kLines, words(1)}},
    {.names = {"jais-2"}, .steps = {regex(kJais2Words)}},
    {.names = {"deepseek-llm"},
     .steps = {regex(kNewlines), regex(kDeepSeekLetters), regex(kDeepSeekPunctuation),
               regex(kSpacesAtEnd), regex(kDeepSeekAsian), regex(kNumberRuns)}},
    {.names = {"deepseek-coder"},
     .steps = {regex(kNewlines), regex(kSpaceLetters), regex(kSpacePunctuation),
               regex(kDeepSeekAsian), kDigits}},
    {.names = {"deepseek-v3", "hunyuan-dense", "joyai-llm", "hy_v4"},
     .steps = {regex(kUpToThreeDigits), regex(kKanaAndHan), regex(kDeepSeek3Words)}},
    {.names = {"spark2_5"},
     .steps = {regex(kUpToThreeDigits), regex(kKanaAndHan), regex(kSparkWords), kDigits}},
    {.names = {"youtu"}, .steps = {regex(kYoutuAsian), regex(kYoutuWords)}, .whole_words = true},
    {.names = {"falcon"}, .steps = {regex(kFalconPunctuation), kGpt2, regex(kThreeDigits)}},
    {.names = {"bloom", "poro-chat", "gpt3-finnish"}, .steps = {regex(kBloomWords)}},
    {.names = {"viking"}, .steps = {regex(kBloomWords), kDigits}},
    {.names = {"tekken"}, .steps = {regex(kTekkenWords)}, .whole_words = true, .add_bos = true},
    {.names = {"gpt-4o", "llama4", "kanana2", "talkie", "minimax-m2"},
     .steps = {regex(kCasedWords)}},
    {.names = {"granite-embed-multi-97m"}, .steps = {regex(kCasedWords)}, .whole_words = true},
    {.names = {"tiny_aya", "cohere2moe"}, .steps = {kDigitGroups, regex(kCasedWords)}},
    {.names = {"kimi-k2"}, .steps = {regex(kKimiWords)}},
    {.names = {"superbpe"}, .steps = {regex(kNumberRuns), kAsciiDigitGroups}},
    {.names = {"bailingmoe", "bailingmoe2", "llada-moe"}, .steps = {regex(kBailingWords)}},
    {.names = {"seed-coder"}, .steps = {regex(kSeedCoderWords)}},
    {.names = {"exaone-moe"}, .steps = {regex(kExaoneMoeWords)}},
    {.names = {"afmoe"}, .steps = {kDigitGroups, regex(kAfmoeAsian), regex(kDeepSeek3Words)}},
    {.names = {"chameleon"},
     .steps = {regex(kSentinels), regex(kImageTokens), regex(kChameleonSpaces), kDigits,
               regex(kChameleonPunctuation), kGpt2},
     .add_bos = true},
    {.names = {"gemma4", "granite-embed-multi-311m"},
     .steps = {kLines},
     .byte_level = false,
     .add_bos = true,
     .space_is_mark = true,
     .newline_words = true},
    {.names = {"sarvam-moe"}, .steps = {kLines}, .byte_level = false, .space_is_mark = true},
};

}  // namespace

std::span<const PreTokenizerSpec> pre_tokenizer_table() {
  return kTable;
}

}  // namespace strata::models
