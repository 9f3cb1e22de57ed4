// Hostile templates: each ends with a clear error, soon, whatever it asks for.
#include <string>

#include <gmock/gmock.h>

#include "core/error.h"
#include "models/chat/chat_template.h"

namespace strata::models {
namespace {

using ::testing::HasSubstr;
using ::testing::MatchesRegex;

std::string times(std::string_view text, size_t n) {
  std::string out;
  out.reserve(text.size() * n);
  for (size_t i = 0; i < n; ++i) out += text;
  return out;
}

Conversation hello() {
  Conversation conversation;
  conversation.messages.push_back({.role = "user", .content = "hello"});
  return conversation;
}

// The error that parsing or rendering ends with.
Error error_of(const std::string& source, const TemplateLimits& limits = {}) {
  try {
    const auto text = ChatTemplate::parse(source, "<s>", "</s>", limits)->render(hello()).text;
    return {Code::internal, "rendered " + std::to_string(text.size()) + " bytes"};
  } catch (const Error& error) {
    return error;
  }
}

void expect_exhausted(const std::string& source, const std::string& message) {
  const Error error = error_of(source);
  EXPECT_EQ(error.code(), Code::invalid_argument) << source.substr(0, 200);
  EXPECT_FALSE(error.hint().empty()) << "it met a limit, and is not told what to do about it";
  EXPECT_THAT(error.message(), HasSubstr(message)) << source.substr(0, 200);
  EXPECT_THAT(error.message(), HasSubstr("chat template, line ")) << source.substr(0, 200);
}

TEST(HostileTemplate, RepetitionsAreRefusedBeforeTheyAreBuilt) {
  expect_exhausted("{{ 'a' * 1000000000 }}", "repeated 1000000000 times");
  expect_exhausted("{{ [1] * 1000000000 }}", "repeated");
  expect_exhausted("{{ (1, 2) * 100000000000000000000000 }}", "repeated");
  expect_exhausted("{{ 'ab' * 170141183460469231731687303715884105727 }}", "repeated");
  expect_exhausted("{{ '%1000000000d' % 1 }}", "a number over");
  expect_exhausted("{{ '%*d' % (60000000, 1) ~ '%*d' % (60000000, 1) }}", "a text of");
  expect_exhausted("{{ '{:>1000000000}'.format(1) }}", "a number over");
  expect_exhausted("{{ '{:.100000}'.format(1.5) }}", "precision");
  expect_exhausted("{{ 'a'.center(1000000000) }}", "padded");
  expect_exhausted("{{ 'a'|center(1000000000) }}", "allowed are 0 to");
  expect_exhausted("{{ 'a'|indent(1000000000, true) }}", "allowed are 0 to");
  expect_exhausted("{{ [1]|batch(1000000000, 0)|list }}", "allowed are 0 to");
  expect_exhausted("{{ [1]|slice(1000000000)|list }}", "allowed are 0 to");
}

TEST(HostileTemplate, GrowthByDoublingIsStopped) {
  expect_exhausted(
      "{% set ns = namespace(s='aaaaaaaaaa') %}{% for i in range(99) %}"
      "{% set ns.s = ns.s + ns.s %}{% endfor %}",
      "a text of");
  expect_exhausted(
      "{% set ns = namespace(s='aaaaaaaaaa') %}{% for i in range(99) %}"
      "{% set ns.s = ns.s|replace('a', 'aaaaaaaaaa') %}{% endfor %}",
      "steps");
  expect_exhausted(
      "{% set ns = namespace(l=[1]) %}{% for i in range(99) %}"
      "{% set ns.l = ns.l + ns.l %}{% endfor %}",
      "");
  expect_exhausted(
      "{% set ns = namespace(l=[]) %}{% set s = 'a' * 60000000 %}{% for i in range(99) %}"
      "{% set ns.l = ns.l + [s ~ i] %}{% endfor %}",
      "bytes of memory");
  // A small graph that is a huge tree.
  expect_exhausted(
      "{% set ns = namespace(l=[1]) %}{% for i in range(99) %}{% set ns.l = [ns.l, ns.l] %}"
      "{% endfor %}{{ ns.l|tojson }}",
      "");
  expect_exhausted(
      "{% set ns = namespace(l=[1]) %}{% for i in range(99) %}{% set ns.l = [ns.l, ns.l] %}"
      "{% endfor %}{{ ns.l == [ns.l[0], ns.l[1]] or ns.l|string }}",
      "");
  expect_exhausted(
      "{% set ns = namespace(l=(1,)) %}{% for i in range(99) %}{% set ns.l = (ns.l, ns.l) %}"
      "{% endfor %}{{ [ns.l]|unique|list }}",
      "");
  expect_exhausted("{% for i in range(100000) %}{{ 'a' * 10000 }}{% endfor %}", "a text of");
}

TEST(HostileTemplate, LoopsEnd) {
  expect_exhausted("{{ range(1000000000) }}", "range() of 1000000000 items");
  expect_exhausted("{{ range(0, -99999999999999999999999999, -1) }}", "range() of");
  expect_exhausted(
      "{% for i in range(100000) %}{% for j in range(100000) %}{% endfor %}{% endfor %}", "steps");
  expect_exhausted("{{ range(100000)|map('string')|map('upper')|join * 1000 }}", "");
  expect_exhausted(
      "{% set s = 'ab' * 20000000 %}{% for i in range(100000) %}{{ s.count('ab') }}{% endfor %}",
      "steps");
  expect_exhausted(
      "{% set s = 'a' * 20000000 %}{% for i in range(100000) %}{{ (s ~ 'b') in s }}{% endfor %}",
      "");
  expect_exhausted(
      "{% set s = 'a' * 20000000 %}{% set n = 'a' * 10000000 ~ 'b' %}"
      "{% for i in range(100000) %}{{ s.find(n) }}{{ s.split(n)|length }}{% endfor %}",
      "steps");
  expect_exhausted("{% for c in 'a' * 60000000 %}{% endfor %}", "");
  expect_exhausted("{% set s = 'a' * 30000000 %}{{ s[::-1][::-1][::-1][::-1] }}", "");
}

TEST(HostileTemplate, RecursionEnds) {
  expect_exhausted("{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}", "nested deeper than");
  expect_exhausted(
      "{% macro a() %}{% call b() %}{{ a() }}{% endcall %}{% endmacro %}"
      "{% macro b() %}{{ caller() }}{% endmacro %}{{ a() }}",
      "nested deeper than");
  expect_exhausted("{% for x in [1] recursive %}{{ loop([1]) }}{% endfor %}", "nested deeper than");
  expect_exhausted(
      "{% macro m(n) %}{% if n %}{{ m(n - 1) }}{{ m(n - 1) }}{% endif %}{% endmacro %}{{ m(60) }}",
      "steps");
  expect_exhausted("{% set ns = namespace() %}{% set ns.a = ns %}{{ ns }}", "contains itself");
  expect_exhausted(
      "{% set ns = namespace(l=[]) %}{% for i in range(5000) %}{% set ns.l = [ns.l] %}{% endfor %}",
      "values nested deeper than 200");
}

TEST(HostileTemplate, DeepSourceIsRefused) {
  for (const char* open :
       {"(", "[", "{'a':", "-", "not ", "x[", "f(", "1 if 1 else ", "'a' is in ["}) {
    expect_exhausted("{{ " + times(open, 50000), "nested deeper than 200");
  }
  for (const char* link : {"+1", "|upper", ".a", "[0]", "()", " and 1", "**2", " if 1"}) {
    expect_exhausted("{{ x" + times(link, 100000) + " }}", "an expression of more than 1000 steps");
  }
  for (const char* open : {"{% if 1 %}", "{% for a in b %}", "{% set a %}", "{% macro m() %}",
                           "{% filter upper %}", "{% with %}", "{% call f() %}"}) {
    expect_exhausted(times(open, 10000), "nested deeper than 200");
  }
  expect_exhausted("{% set " + times("(", 100000), "nested deeper than 200");
  EXPECT_THAT(error_of("{{ a == " + times("1 == ", 5000) + "1 }}").message(),
              HasSubstr("rendered"));
  const Error longest = error_of(std::string((1u << 20) + 1, 'a'));
  EXPECT_EQ(longest.code(), Code::invalid_argument);
  EXPECT_THAT(longest.message(), HasSubstr("1048577 bytes, the limit is 1048576"));
}

TEST(HostileTemplate, TheDeepestAllowedNestingFitsTheStack) {
  const auto list = "{{ " + times("[", 190) + times("]", 190) + "|string|length }}";
  EXPECT_THAT(error_of(list).message(), HasSubstr("rendered"));
  const auto chain = "{% set x = 1 %}{{ x" + times("+1", 990) + " }}";
  EXPECT_THAT(error_of(chain).message(), HasSubstr("rendered"));
  // Chains inside of recursion, as deep as they go.
  const auto inside = "{% macro m(n) %}{{ " + times("(", 150) + "m(n)" + times(")", 150) +
                      times("|upper", 700) + " }}{% endmacro %}{{ m(1) }}";
  EXPECT_EQ(error_of(inside).hint().empty(), false);
  const auto filters = "{{ [[1]]" + times("|map('list')|list", 300) + " }}";
  EXPECT_THAT(error_of(filters).message(), HasSubstr("rendered"));
}

TEST(HostileTemplate, ChainsOfObjectsAreTakenApartWithoutRecursion) {
  const std::string loop = "{% set ns = namespace(p=0) %}{% for i in range(20000) %}";
  for (const char* step :
       {"{% set ns.p = namespace(q=ns.p) %}",
        "{% macro m() %}{{ ns.q }}{% endmacro %}{% set ns.p = m %}",
        "{% set k = ns.p %}{% macro m() %}{{ k }}{% endmacro %}{% set ns.p = m %}",
        "{% set k = ns.p %}{% for j in [1] recursive %}{% set ns.p = loop %}"
        "{% endfor %}",
        "{% set c = loop.changed(ns.p) %}{% set ns.p = loop %}"}) {
    EXPECT_THAT(error_of(loop + step + "{% endfor %}").message(), HasSubstr("rendered")) << step;
  }
  expect_exhausted(loop + "{% for j in [ns.p] %}{% set ns.p = loop %}{% endfor %}{% endfor %}",
                   "nested deeper than 200");
  expect_exhausted(loop + "{% set ns.p = cycler(ns.p) %}{% endfor %}", "nested deeper than 200");
}

TEST(HostileTemplate, TheMachineryBehindTheLanguageIsOutOfReach) {
  for (const char* source :
       {"{{ ''.__class__.__mro__[1].__subclasses__() }}", "{{ ().__class__.__base__ ~ '' }}",
        "{{ range.__globals__.x }}", "{{ messages.__class__.__init__.__globals__ }}",
        "{{ ''['__class__']['__mro__'] }}", "{{ (''|attr('__class__')).x }}",
        "{{ '{0.__class__.__mro__}'.format(1) }}", "{{ namespace.__init__.x }}",
        "{{ cycler.__init__.__globals__.os.popen('id').read() }}",
        "{{ self._TemplateReference__context }}", "{{ lipsum.__globals__ }}",
        "{{ messages.append(1) }}", "{{ messages[0].update({}) }}", "{% include '/etc/passwd' %}",
        "{% import 'os' as os %}", "{{ config.items() }}", "{{ request.x }}"}) {
    EXPECT_EQ(error_of(source).code(), Code::invalid_argument) << source;
  }
}

TEST(HostileTemplate, ErrorsNameThePlace) {
  EXPECT_THAT(error_of("a\nbc {{ 'x' + 1 }}").message(),
              MatchesRegex("chat template, line 2, column 11: unsupported operand types for \\+: "
                           "'str' and 'int'"));
  EXPECT_THAT(error_of("é{{ messages[0]\n.x.y }}").message(),
              MatchesRegex("chat template, line 2, column 3: 'dict object' has no attribute 'x'"));
  EXPECT_THAT(error_of("\n{% if %}").message(), HasSubstr("line 2, column 7: expected"));
  EXPECT_THAT(error_of("{{ nope() }}").message(), HasSubstr("'nope' is undefined"));
  const Error raised = error_of("{{ raise_exception('No system role!') }}");
  EXPECT_EQ(raised.code(), Code::invalid_argument);
  EXPECT_THAT(raised.message(),
              HasSubstr("the template refuses this conversation: No system role!"));
  EXPECT_FALSE(raised.hint().empty());
}

TEST(HostileTemplate, IntegersThatDoNotFitAreErrors) {
  expect_exhausted("{{ 2 ** 127 }}", "more than 127 bits");
  expect_exhausted("{{ 9 ** 99999999 }}", "more than 127 bits");
  expect_exhausted("{{ 170141183460469231731687303715884105727 + 1 }}", "more than 127 bits");
  EXPECT_EQ(error_of("{{ 999999999999999999999999999999999999999999 }}").code(),
            Code::invalid_argument);
  EXPECT_THAT(error_of("{{ 2 ** 126 }}").message(), HasSubstr("rendered 38 bytes"));
}

TEST(HostileTemplate, BytesThatAreNoTextPassThrough) {
  Conversation conversation;
  conversation.messages.push_back({.role = "user", .content = "a\xFF\xC3(\xF0\x9F b"});
  const std::string source =
      "{{ messages[0].content }}|{{ messages[0].content|upper }}|{{ messages[0].content[1:3] }}|"
      "{{ messages[0].content|reverse }}|{{ messages[0].content.split(' ')|last }}";
  const auto text = ChatTemplate::parse(source, "", "")->render(conversation).text;
  EXPECT_THAT(text,
              HasSubstr("a\xFF\xC3(\xF0\x9F b|A\xFF\xC3(\xF0\x9F B|\xFF\xC3|b \x9F\xF0(\xC3\xFF"
                        "a|b"));
}

}  // namespace
}  // namespace strata::models
