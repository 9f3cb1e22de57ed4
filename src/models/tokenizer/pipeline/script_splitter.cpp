// The pre-tokenizer UnicodeScripts: cuts where the script of the text changes.
#include "core/error.h"
#include "models/tokenizer/pipeline/word_splitter.h"

namespace strata::models {
namespace {

// Those of Unicode 15 but for Han and the two kana, which count as one.
constexpr std::string_view kScripts[] = {
    "Adlam", "Ahom", "Anatolian_Hieroglyphs", "Arabic", "Armenian", "Avestan", "Balinese",
    "Bamum", "Bassa_Vah", "Batak", "Bengali", "Bhaiksuki", "Bopomofo", "Brahmi", "Braille",
    "Buginese", "Buhid", "Canadian_Aboriginal", "Carian", "Caucasian_Albanian", "Chakma", "Cham",
    "Cherokee", "Chorasmian", "Common", "Coptic", "Cuneiform", "Cypriot", "Cypro_Minoan",
    "Cyrillic", "Deseret", "Devanagari", "Dives_Akuru", "Dogra", "Duployan",
    "Egyptian_Hieroglyphs", "Elbasan", "Elymaic", "Ethiopic", "Georgian", "Glagolitic", "Gothic",
    "Grantha", "Greek", "Gujarati", "Gunjala_Gondi", "Gurmukhi", "Hangul", "Hanifi_Rohingya",
    "Hanunoo", "Hatran", "Hebrew", "Imperial_Aramaic", "Inherited", "Inscriptional_Pahlavi",
    "Inscriptional_Parthian", "Javanese", "Kaithi", "Kannada", "Kayah_Li", "Kharoshthi",
    "Khitan_Small_Script", "Khmer", "Khojki", "Khudawadi", "Lao", "Latin", "Lepcha", "Limbu",
    "Linear_A", "Linear_B", "Lisu", "Lycian", "Lydian", "Mahajani", "Makasar", "Malayalam",
    "Mandaic", "Manichaean", "Marchen", "Masaram_Gondi", "Medefaidrin", "Meetei_Mayek",
    "Mende_Kikakui", "Meroitic_Cursive", "Meroitic_Hieroglyphs", "Miao", "Modi", "Mongolian",
    "Mro", "Multani", "Myanmar", "Nabataean", "Nandinagari", "New_Tai_Lue", "Newa", "Nko",
    "Nushu", "Nyiakeng_Puachue_Hmong", "Ogham", "Ol_Chiki", "Old_Hungarian", "Old_Italic",
    "Old_North_Arabian", "Old_Permic", "Old_Persian", "Old_Sogdian", "Old_South_Arabian",
    "Old_Turkic", "Old_Uyghur", "Oriya", "Osage", "Osmanya", "Pahawh_Hmong", "Palmyrene",
    "Pau_Cin_Hau", "Phags_Pa", "Phoenician", "Psalter_Pahlavi", "Rejang", "Runic", "Samaritan",
    "Saurashtra", "Sharada", "Shavian", "Siddham", "SignWriting", "Sinhala", "Sogdian",
    "Sora_Sompeng", "Soyombo", "Sundanese", "Syloti_Nagri", "Syriac", "Tagalog", "Tagbanwa",
    "Tai_Le", "Tai_Tham", "Tai_Viet", "Takri", "Tamil", "Tangsa", "Tangut", "Telugu", "Thaana",
    "Thai", "Tibetan", "Tifinagh", "Tirhuta", "Toto", "Ugaritic", "Vai", "Vithkuqi", "Wancho",
    "Warang_Citi", "Yezidi", "Yi", "Zanabazar_Square"
};
// Belong to whatever stands before them; in front of the first script they are dropped.
constexpr std::string_view kAny = R"( \p{Unknown})";

std::string pattern() {
  // The long vowel mark U+30FC is of no script of its own, and counts as Han.
  std::string out = fmt::format(
      R"([\p{{Han}}\p{{Hiragana}}\p{{Katakana}}\x{{30FC}}][\p{{Han}}\p{{Hiragana}}\p{{Katakana}}\x{{30FC}}{}]*)",
      kAny);
  for (const std::string_view script : kScripts) {
    // Each alternative begins with a character of its script; a space is none, whatever Unicode says.
    out += fmt::format(R"(|(?! )\p{{{0}}}(?:(?!\x{{30FC}})[\p{{{0}}}{1}])*)", script, kAny);
  }
  return out;
}

}  // namespace

std::unique_ptr<const WordSplitter> read_script_splitter(const JsonPlace& place) {
  if (place.type() != "UnicodeScripts") return nullptr;
  place.allow({});
  return make_match_splitter(pattern());
}

}  // namespace strata::models
