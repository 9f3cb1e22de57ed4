// Work that is linear in a text is counted in steps, so that the limit of steps bounds the time.
#include <string>
#include <vector>

#include <gmock/gmock.h>

#include "core/error.h"
#include "models/chat/chat_template.h"
#include "models/chat/jinja/builtins.h"

namespace strata::models {
namespace {

using ::testing::HasSubstr;

constexpr size_t kLong = 200'000;
constexpr size_t kShort = 20;

// Each walks, compares or copies the text `s`, `t` (s and one more) or `n` (digits).
const std::vector<std::string>& linear_expressions() {
  static const std::vector<std::string> expressions{
      "s|length", "s|count", "s[-1]", "s[1:]", "s[::2]", "s + 'a'", "s ~ 'a'", "s * 2", "'%s' % s",
      "t == u", "t < u", "t <= u", "t is sameas u", "t in [u]", "'a' in s", "s in t", "{t: 1}[u]",
      "{t: 1}.get(u)", "s|reverse", "s is lower", "s is upper", "s is filter", "s is test", "n|int",
      "n|float", "s|wordcount", "[s]|unique|list", "[t, u]|min", "[t]|sort", "s|first",
      "[1]|tojson(indent=s)|length", "[s]|string",
      // Filters of text.
      "s|upper", "s|lower", "s|capitalize", "s|title", "(t ~ '')|string", "b|trim", "s|trim('x')",
      "s|replace('q', '')", "s|replace('', 'y')", "s|escape", "s|e", "s|forceescape", "s|safe",
      "'%s'|format(s)", "s|format", "s|indent", "s|center(4)", "s|truncate(4)", "[s]|join",
      "s|urlencode", "s|tojson",
      // Methods of text.
      "s.upper()", "s.lower()", "s.casefold()", "s.capitalize()", "s.title()", "b.strip()",
      "s.lstrip('x')", "b.rstrip()", "s.split()", "s.split('q')", "s.rsplit()", "s.rsplit('q')",
      "s.splitlines()", "s.partition('q')", "s.rpartition('q')", "t.startswith(u)", "t.endswith(u)",
      "s.startswith('x', 1)", "s.find('q')", "s.rfind('q')", "s.index('x', 1)", "t.rindex('x', 1)",
      "s.count('q')", "s.count('')", "s.replace('q', '')", "s.join(['a', 'b'])", "'{}'.format(s)",
      "s.isalpha()", "n.isdigit()", "n.isdecimal()", "n.isnumeric()", "s.isalnum()", "b.isspace()",
      "s.islower()", "s.isupper()", "s.isascii()", "s.ljust(3)", "s.rjust(3)", "s.center(3)",
      "s.zfill(3)", "t.removeprefix(u)", "t.removesuffix(u)"};
  return expressions;
}

// How rendering the expression twenty times over texts of this size ends.
std::string outcome(const std::string& expression, size_t size) {
  const std::string source =
      "{% set s = messages[0].content %}{% set t = s ~ 'y' %}{% set u = s ~ 'z' %}"
      "{% set n = messages[1].content %}{% set b = messages[2].content %}"
      "{% for i in range(20) %}{% set q = " +
      expression + " %}{% endfor %}";
  Conversation conversation;
  for (const char c : {'x', '7', ' '}) {
    conversation.messages.push_back({.role = "user", .content = std::string(size, c)});
  }
  TemplateLimits limits;  // five long texts are made, and twenty times something small is done
  limits.max_steps = 5 * kLong / 1024 + 2000;
  try {
    return "renders " + ChatTemplate::parse(source, "", "", limits)->render(conversation).text;
  } catch (const Error& error) {
    return error.message();
  }
}

TEST(TemplateMetering, WorkOnALongTextIsCounted) {
  for (const auto& expression : linear_expressions()) {
    EXPECT_THAT(outcome(expression, kLong), HasSubstr(" steps")) << expression;
    EXPECT_EQ(outcome(expression, kShort), "renders ") << expression;
  }
}

TEST(TemplateMetering, ManyItemsAndManyDigitsAreCounted) {
  TemplateLimits limits;
  limits.max_steps = 3000;
  for (const char* expression :
       {"l|batch(2)|list", "m(*l)", "1.5|round(300)", "'%.400f' % 1.5", "'{:.400f}'.format(1.5)"}) {
    const std::string source =
        "{% macro m() %}{{ varargs|first }}{% endmacro %}{% set l = range(1000)|list %}"
        "{% for i in range(20) %}{% set q = " +
        std::string(expression) + " %}{% endfor %}";
    try {
      ChatTemplate::parse(source, "", "", limits)->render({});
      ADD_FAILURE() << expression << " renders";
    } catch (const Error& error) {
      EXPECT_THAT(error.message(), HasSubstr(" steps")) << expression;
    }
  }
}

TEST(TemplateMetering, WhetherATextIsEmptyCostsNothing) {
  for (const char* expression :
       {"not s", "s and 1", "s or 1", "1 if s else 2", "s|default('a', true)", "s is string",
        "s is iterable", "s is defined", "s.startswith('x')"}) {
    EXPECT_EQ(outcome(expression, kLong), "renders ") << expression;
  }
}

TEST(TemplateMetering, TextsOfAFormatAndOfAMessageAreBounded) {
  std::string fields;
  for (int i = 0; i < 100; ++i) fields += "{0}";
  const auto fails = [](const std::string& source) {
    try {
      ChatTemplate::parse(source, "", "")->render({});
    } catch (const Error& error) {
      return error.message();
    }
    return std::string("renders");
  };
  EXPECT_THAT(fails("{{ '{:" + fields + "}'.format('x' * 1000000) }}"), HasSubstr("a text of"));
  for (const char* source : {"{{ raise_exception('x' * 1000000) }}", "{{ 1['x' * 1000000].a }}",
                             "{{ 1|map('x' * 1000000) }}"}) {
    const std::string message = fails(source);
    EXPECT_LT(message.size(), 5000U) << source;
    EXPECT_NE(message, "renders") << source;
  }
}

TEST(TemplateMetering, EveryMethodAndFilterOfTextIsAmongThem) {
  const auto expect_used = [](const std::string& call, std::string_view name) {
    for (const auto& expression : linear_expressions()) {
      const size_t at = expression.find(call + std::string(name));
      if (at == std::string::npos) continue;
      const size_t end = at + call.size() + name.size();
      if (end == expression.size() || expression[end] == '(') return;
    }
    ADD_FAILURE() << "no expression with " << call << name;
  };
  for (const auto& method : jinja::text_methods()) expect_used(".", method.name);
  for (const auto& filter : jinja::text_filters()) expect_used("|", filter.name);
}

}  // namespace
}  // namespace strata::models
