#include "models/hub/modelfile.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/testing/expect_error.h"
#include "core/testing/temp_folder.h"
#include "models/hub/testing.h"

namespace strata::models {
namespace {

using strata::testing::error_of;
using strata::testing::TempFolder;
using ::testing::HasSubstr;

void expect_same(const Modelfile& a, const Modelfile& b) {
  EXPECT_EQ(a.from, b.from);
  EXPECT_EQ(a.licences, b.licences);
  EXPECT_EQ(a.overrides.chat_template, b.overrides.chat_template);
  EXPECT_EQ(a.overrides.system, b.overrides.system);
  EXPECT_EQ(a.no_system, b.no_system);
  EXPECT_EQ(a.overrides.parameters, b.overrides.parameters);
  ASSERT_EQ(a.overrides.messages.size(), b.overrides.messages.size());
  for (size_t i = 0; i < a.overrides.messages.size(); ++i) {
    EXPECT_EQ(a.overrides.messages[i].role, b.overrides.messages[i].role);
    EXPECT_EQ(a.overrides.messages[i].content, b.overrides.messages[i].content);
  }
}

TEST(Modelfile, is_read_as_people_write_it) {
  const Modelfile file = parse_modelfile(R"(# a comment
from smollm2:135m

  PARAMETER temperature 0.7
parameter temperature 0.5
PARAMETER stop "<|im_end|>"
PARAMETER stop User:
Parameter num_ctx 4096
SYSTEM """You are kind.
# this is no comment
You say """so""" often."""
TEMPLATE """{% for m in messages %}{{ m['content'] }}{% endfor %}"""
MESSAGE user Is Toronto in Canada?
MESSAGE assistant "yes"
LICENSE Apache-2.0
)");
  EXPECT_EQ(file.from, "smollm2:135m");
  EXPECT_EQ(file.overrides.system,
            "You are kind.\n# this is no comment\nYou say \"\"\"so\"\"\" often.");
  EXPECT_EQ(
      file.overrides.parameters,
      (std::multimap<std::string, std::string>{
          {"num_ctx", "4096"}, {"stop", "<|im_end|>"}, {"stop", "User:"}, {"temperature", "0.5"}}));
  EXPECT_THAT(*file.overrides.chat_template, HasSubstr("endfor"));
  EXPECT_EQ(file.overrides.messages.at(0).content, "Is Toronto in Canada?");
  EXPECT_EQ(file.overrides.messages.at(1).content, "yes");
  EXPECT_EQ(file.licences, std::vector<std::string>{"Apache-2.0"});
}

TEST(Modelfile, windows_line_ends_and_a_byte_order_mark_are_taken) {
  const Modelfile file = parse_modelfile(
      "\xEF\xBB\xBF"
      "FROM x\r\nSYSTEM \"\"\"a\r\nb\"\"\"\r\n");
  EXPECT_EQ(file.from, "x");
  EXPECT_EQ(file.overrides.system, "a\nb");
}

TEST(Modelfile, writing_and_reading_again_gives_the_same) {
  for (const std::string text : {"plain",
                                 "two\nlines",
                                 " blanks around ",
                                 "\"quoted\"",
                                 "ends in a quote\"",
                                 "\"",
                                 "\"\"",
                                 "\"\"\"",
                                 "a \"\"\" b",
                                 "\n",
                                 "line\n",
                                 "\nline",
                                 "# no comment",
                                 "x\n\"\"\" y\nz",
                                 "ends\nin fence\"\"\"",
                                 "blanks \t\nat every \n end ",
                                 "a\r\nb",
                                 "a\r\r\n\r",
                                 "\xC3\xA9\xE4\xBD\xA0",
                                 "{% if x %}y{% endif %}"}) {
    Modelfile file;
    file.from = "smollm2:135m";
    file.overrides.system = text;
    file.overrides.chat_template = text;
    file.overrides.parameters = {{"stop", text}, {"stop", "b"}, {"top_p", "0.9"}};
    file.overrides.messages.resize(1);
    file.overrides.messages[0].role = "assistant";
    file.overrides.messages[0].content = text;
    file.licences = {text, "MIT"};
    SCOPED_TRACE(to_text(file));
    expect_same(parse_modelfile(to_text(file)), file);
  }
}

TEST(Modelfile, what_cannot_be_written_is_said) {
  Modelfile file;
  file.from = "x";
  file.overrides.system = "a\"\"\"\nb";
  EXPECT_EQ(error_of([&] { to_text(file); }).code(), Code::failed_precondition);
}

TEST(Modelfile, errors_name_the_line_and_the_way_out) {
  struct Case {
    std::string text;
    std::string message;
    std::string hint;
  };
  for (const Case& c : std::vector<Case>{
           {"", "there is no FROM", "FROM smollm2"},
           {"SYSTEM hi", "there is no FROM", ""},
           {"FROM", "FROM needs a value", ""},
           {"FROM a\nFROM b", "line 2: FROM stands twice", ""},
           {"FROM a\nSYSTM hi", "line 2: unknown instruction 'SYSTM'", "did you mean 'SYSTEM'?"},
           {"FROM a\nPARAMETER temprature 1", "line 2: there is no parameter 'temprature'",
            "did you mean 'temperature'?"},
           {"FROM a\nPARAMETER temperature hot", "line 2: parameter temperature is 'hot'", ""},
           {"FROM a\nPARAMETER top_k 1.5", "it must be a whole number", ""},
           {"FROM a\nPARAMETER top_p 7", "'7', it must be a number from 0 to 1", ""},
           {"FROM a\nPARAMETER stop", "PARAMETER stop needs a value", ""},
           {"FROM a\nPARAMETER keep_alive 5m", "no setting of a model", "configuration"},
           {"FROM a\nSYSTEM \"\"\"open\nmore", "line 2: the \"\"\" is never closed", ""},
           {"FROM a\nMESSAGE robot hi", "'robot' is no role", "assistant"},
           {"FROM a\nADAPTER x.gguf", "ADAPTER is not supported", "merge"},
           {"FROM a\nREQUIRES 0.5", "REQUIRES names a version", ""},
           {"FROM a\nTEMPLATE {{ .Prompt }}", "written for Go", "Jinja"},
           {"FROM \xff", "not UTF-8", ""},
       }) {
    const Error error = error_of([&] { parse_modelfile(c.text); });
    EXPECT_EQ(error.code(), Code::invalid_argument) << c.text;
    EXPECT_THAT(error.message(), HasSubstr(c.message));
    EXPECT_THAT(error.hint(), HasSubstr(c.hint));
  }
}

TEST(Modelfile, go_templates_are_told_from_jinja) {
  for (const char* go :
       {"{{ .Prompt }}", "{{.System}}", "{{- if .System }}x{{ end }}", "{{ range .Messages }}",
        "{{ if eq .Role \"user\" }}", "{{ $last := 1 }}", "{{ end }}", "{{- end -}}", "{{ else }}",
        "a {{ . }} b", "{{/* comment */}}", "{{ template \"x\" . }}"}) {
    EXPECT_TRUE(is_go_template(go)) << go;
  }
  for (const char* jinja :
       {"", "plain", "{{ messages[0].content }}", "{% if x %}{{ bos_token }}{% endif %}",
        "{{- '<|im_start|>' + message['role'] }}", "{{ end_token }}", "{{ iffy }}", "{{ endless }}",
        "{{ raise_exception('no') }}", "{{ x if y else z }}", "{{ 0.5 }}", "{{ elsewhere }}"}) {
    EXPECT_FALSE(is_go_template(jinja)) << jinja;
  }
}

TEST(ModelfileCreate, inherits_overrides_and_names_its_parent) {
  const TempFolder folder;
  const Store store(folder.path() / "store");
  write_file_atomic(folder.path() / "m.gguf", testing::named_model("base"));
  const Manifest base =
      create_model(store, "base",
                   parse_modelfile("FROM ./m.gguf\nSYSTEM old\nPARAMETER stop a\nPARAMETER stop b\n"
                                   "PARAMETER top_k 5\nLICENSE MIT"),
                   folder.path());
  EXPECT_EQ(base.parent, "");
  const Manifest child = create_model(
      store, "child", parse_modelfile("FROM base\nSYSTEM new\nPARAMETER stop c\nMESSAGE user hi"),
      folder.path());
  EXPECT_EQ(child.parent, "base:latest");
  EXPECT_EQ(child.model, base.model);
  EXPECT_EQ(child.licence, "MIT");
  EXPECT_EQ(child.overrides.system, "new");
  EXPECT_EQ(child.overrides.parameters,
            (std::multimap<std::string, std::string>{{"stop", "c"}, {"top_k", "5"}}));
  store.remove("base");
  EXPECT_TRUE(store.verify().empty());
  const Modelfile again = to_modelfile(store.find("child"), "base");
  expect_same(parse_modelfile(to_text(again)), again);
}

TEST(ModelfileCreate, parameters_are_checked_and_those_without_effect_are_named) {
  const TempFolder folder;
  const Store store(folder.path() / "store");
  write_file_atomic(folder.path() / "m.gguf", testing::named_model("base"));
  Modelfile file = parse_modelfile("FROM ./m.gguf\nPARAMETER num_gpu 99\nPARAMETER use_mmap true");
  std::vector<std::string> stages;
  PullOptions options;
  options.progress = [&](const PullProgress& now) { stages.push_back(now.stage); };
  create_model(store, "x", file, folder.path(), options);
  EXPECT_THAT(stages, ::testing::Contains("PARAMETER num_gpu has no effect here"));
  EXPECT_THAT(stages, ::testing::Contains("PARAMETER use_mmap has no effect here"));
  for (const auto& [name, value] : std::vector<std::pair<std::string, std::string>>{
           {"top_p", "7"}, {"keep_alive", "5m"}, {"no_such_thing", "1"}}) {
    file.overrides.parameters = {{name, value}};
    EXPECT_EQ(error_of([&] { create_model(store, "y", file, folder.path()); }).code(),
              Code::invalid_argument)
        << name;
  }
  EXPECT_FALSE(store.try_find("y"));
}

TEST(ModelfileCreate, a_source_whose_file_ends_in_gguf_is_a_source) {
  const TempFolder folder;
  const Store store(folder.path() / "store");
  write_file_atomic(folder.path() / "m.gguf", testing::named_model("base"));
  const std::string path = (folder.path() / "m.gguf").string();
  for (const std::string& from : {"file:" + path, "file://" + path, std::string("file:m.gguf")}) {
    const Manifest made = create_model(store, "x", parse_modelfile("FROM " + from), folder.path());
    EXPECT_EQ(made.name, "x:latest") << from;
    EXPECT_EQ(store.list().size(), 1u) << from;
  }
  PullOptions options;
  options.policy.offline = true;
  for (const char* from : {"https://h.example/x.gguf", "hf:O/R:x.gguf", "pypi:a==1#x/y.gguf"}) {
    const Error error = error_of([&] {
      create_model(store, "y", parse_modelfile(std::string("FROM ") + from), folder.path(),
                   options);
    });
    EXPECT_EQ(error.message().find("there is no file"), std::string::npos) << error.message();
    EXPECT_NE(error.code(), Code::not_found) << error.message();
  }
  Manifest pulled = store.find("x");  // so far another model of the name that is in the address
  pulled.source = "https://h.example/x.gguf";
  store.put_manifest(pulled);
  const Manifest made =
      create_model(store, "y", parse_modelfile("FROM " + pulled.source), folder.path(), options);
  EXPECT_EQ(made.parent, "x:latest");
  EXPECT_EQ(error_of([&] {
              create_model(store, "y", parse_modelfile("FROM file://host/m.gguf"), folder.path());
            }).code(),
            Code::invalid_argument);
}

TEST(ModelfileCreate, a_missing_or_foreign_file_is_refused) {
  const TempFolder folder;
  const Store store(folder.path() / "store");
  write_file_atomic(folder.path() / "page.gguf", "<html>");
  fs::create_directory(folder.path() / "safetensors");
  const auto create = [&](const std::string& from) {
    return error_of(
               [&] { create_model(store, "x", parse_modelfile("FROM " + from), folder.path()); })
        .code();
  };
  EXPECT_EQ(create("./no.gguf"), Code::not_found);
  EXPECT_EQ(create("./page.gguf"), Code::invalid_argument);
  const std::string whole = testing::named_model("whole");
  write_file_atomic(folder.path() / "cut.gguf", whole.substr(0, whole.size() / 2));
  EXPECT_EQ(create("./cut.gguf"), Code::invalid_argument);
  EXPECT_EQ(create("./safetensors"), Code::not_found);
  EXPECT_EQ(create("no-such-model"), Code::not_found);
  write_file_atomic(folder.path() / "m.gguf", testing::named_model("base"));
  EXPECT_EQ(create("./m.gguf\nTEMPLATE {% for x in %}"), Code::invalid_argument);
  EXPECT_TRUE(store.list().empty());
  EXPECT_EQ(store.collect().blobs, 0u) << "nothing is left to be collected";
}

TEST(ModelfileCreate, a_refusal_leaves_what_others_need) {
  const TempFolder folder;
  const Store store(folder.path() / "store");
  const std::string whole = testing::named_model("whole");
  const std::string cut = whole.substr(0, whole.size() / 2);
  write_file_atomic(folder.path() / "cut.gguf", cut);
  Manifest named_before;  // by a program that did not look into files
  named_before.name = "cut:latest";
  named_before.model = {store.put_blob(cut)};
  store.put_manifest(named_before);
  error_of([&] { create_model(store, "x", parse_modelfile("FROM ./cut.gguf"), folder.path()); });
  EXPECT_FALSE(store.try_find("x"));
  EXPECT_TRUE(store.verify().empty()) << "the other name has its blob";
}

TEST(ModelfileCreate, an_empty_system_is_none_and_no_word_is_the_parents) {
  const TempFolder folder;
  const Store store(folder.path() / "store");
  write_file_atomic(folder.path() / "m.gguf", testing::named_model("base"));
  const auto system_of = [&](const std::string& name, const std::string& modelfile) {
    return create_model(store, name, parse_modelfile(modelfile), folder.path()).overrides.system;
  };
  system_of("base", "FROM ./m.gguf\nSYSTEM old");
  EXPECT_EQ(system_of("heir", "FROM base\nPARAMETER top_k 3"), "old");
  EXPECT_EQ(system_of("mute", "FROM base\nSYSTEM \"\""), "");
  EXPECT_EQ(system_of("mute2", "FROM base\nSYSTEM \"\"\"\"\"\""), "");
  const Modelfile again = to_modelfile(store.find("mute"), "base:latest");
  EXPECT_EQ(system_of("again", to_text(again)), "") << to_text(again);
}

}  // namespace
}  // namespace strata::models
