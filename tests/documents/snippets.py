"""A request as a program: curl, Python, JavaScript, Go, Java and C++, each with what it brings along (C++:
with libcurl). A program prints the answer, and ends with an error where the status is 400 or more."""
import dataclasses
import json
import pprint
import shlex
import textwrap

BOUNDARY = "strata-boundary"


@dataclasses.dataclass
class Ask:
    method: str
    url: str
    headers: dict
    body: object = None  # JSON
    form: dict = None    # name → text; (file name, text) for a file

    @property
    def has_body(self):
        return self.body is not None or self.form is not None

    def all_headers(self):
        if self.form is not None:
            return {"Content-Type": f"multipart/form-data; boundary={BOUNDARY}", **self.headers}
        return {"Content-Type": "application/json", **self.headers} if self.has_body else self.headers


def pretty(value):
    line = json.dumps(value)
    return line if len(line) <= 70 else json.dumps(value, indent=2)


def form_text(form):
    """RFC 7578, as it goes over the wire."""
    text = ""
    for name, value in form.items():
        file, value = ("", value) if isinstance(value, str) else (f'; filename="{value[0]}"', value[1])
        text += (f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"{file}\r\n\r\n'
                 f"{value}\r\n")
    return f"{text}--{BOUNDARY}--\r\n"


def curl(ask):
    plain = "GET" if not ask.has_body else "POST"
    parts = [f"curl {'' if ask.method == plain else f'-X {ask.method} '}{shlex.quote(ask.url)}"]
    headers = ask.headers if ask.form is not None else ask.all_headers()
    parts += [f"-H {shlex.quote(f'{name}: {value}')}" for name, value in headers.items()]
    if ask.body is not None:
        parts.append(f"-d {shlex.quote(pretty(ask.body))}")
    end = ""
    for name, value in (ask.form or {}).items():
        if isinstance(value, str):
            parts.append(f"-F {name}={value}")
        else:
            parts.append(f"-F '{name}=@-;filename={value[0]}' <<'END'")
            end = f"\n{value[1]}\nEND"
    return " \\\n  ".join(parts) + end


def python(ask):
    lines = ["import urllib.request", ""]
    arguments = [json.dumps(ask.url)]
    if ask.body is not None:
        lines = ["import json", *lines]
        lines += [f"body = {pprint.pformat(ask.body, sort_dicts=False, width=80)}"]
        arguments.append("json.dumps(body).encode()")
    if ask.form is not None:
        lines += [f"body = {json.dumps(form_text(ask.form))}"]
        arguments.append("body.encode()")
    if ask.all_headers():
        arguments.append(("" if ask.has_body else "headers=") + json.dumps(ask.all_headers()))
    if ask.method != ("POST" if ask.has_body else "GET"):
        arguments.append(f'method="{ask.method}"')
    lines.append("request = urllib.request.Request(\n    " + ",\n    ".join(arguments) + ")")
    return "\n".join([*lines, "with urllib.request.urlopen(request) as answer:",
                      "    print(answer.read().decode())"])


def javascript(ask):
    options = [] if ask.method == "GET" else [f'method: "{ask.method}"']
    if ask.all_headers():
        options.append(f"headers: {json.dumps(ask.all_headers())}")
    if ask.body is not None:
        options.append("body: JSON.stringify(" + textwrap.indent(pretty(ask.body), "  ").lstrip() + ")")
    if ask.form is not None:
        options.append(f"body: {json.dumps(form_text(ask.form))}")
    second = ", {\n" + "".join(f"  {each},\n" for each in options) + "}" if options else ""
    return "\n".join([f"const answer = await fetch({json.dumps(ask.url)}{second});",
                      "console.log(await answer.text());", "if (!answer.ok) process.exit(1);"])


def body_text(ask):
    return pretty(ask.body) if ask.form is None else form_text(ask.form)


def go(ask):
    body = "nil"
    if ask.has_body:
        text = json.dumps(body_text(ask)) if ask.form is not None else f"`{body_text(ask)}`"
        body = f"strings.NewReader({text})"
    packages = ["io", "net/http", "os", *(["strings"] if ask.has_body else [])]
    headers = [f"\trequest.Header.Set({json.dumps(name)}, {json.dumps(value)})"
               for name, value in ask.all_headers().items()]
    return "\n".join([
        "package main", "", "import (", *(f'\t"{each}"' for each in packages), ")", "", "func main() {",
        f'\trequest, err := http.NewRequest("{ask.method}", {json.dumps(ask.url)}, {body})',
        "\tif err != nil {", "\t\tpanic(err)", "\t}", *headers,
        "\tanswer, err := http.DefaultClient.Do(request)", "\tif err != nil {", "\t\tpanic(err)", "\t}",
        "\tio.Copy(os.Stdout, answer.Body)", "\tif answer.StatusCode >= 400 {", "\t\tos.Exit(1)", "\t}",
        "}"])


def java(ask):
    publisher = "noBody()"
    if ask.form is not None:
        publisher = f"ofString({json.dumps(body_text(ask))})"
    elif ask.body is not None:
        text = textwrap.indent(body_text(ask).replace("\\", "\\\\"), " " * 12)
        publisher = f'ofString("""\n{text}""")'
    headers = [f"        .header({json.dumps(name)}, {json.dumps(value)})"
               for name, value in ask.all_headers().items()]
    return "\n".join([
        "import java.net.URI;", "import java.net.http.HttpClient;", "import java.net.http.HttpRequest;",
        "import java.net.http.HttpResponse;", "", "public class Ask {",
        "  public static void main(String[] args) throws Exception {",
        f"    HttpRequest request = HttpRequest.newBuilder(URI.create({json.dumps(ask.url)}))", *headers,
        f'        .method("{ask.method}", HttpRequest.BodyPublishers.{publisher})', "        .build();",
        "    HttpResponse<String> answer = HttpClient.newHttpClient().send(",
        "        request, HttpResponse.BodyHandlers.ofString());", "    System.out.println(answer.body());",
        "    System.exit(answer.statusCode() < 400 ? 0 : 1);", "  }", "}"])


def cpp(ask):
    lines = ["// c++ ask.cpp -lcurl", "#include <curl/curl.h>", ""]
    if ask.has_body:
        text = json.dumps(body_text(ask)) if ask.form is not None else f'R"json({body_text(ask)})json"'
        lines += [f"const char body[] = {text};", ""]
    lines += ["int main() {", "  CURL* curl = curl_easy_init();",
              f"  curl_easy_setopt(curl, CURLOPT_URL, {json.dumps(ask.url)});"]
    if ask.method != ("POST" if ask.has_body else "GET"):
        lines.append(f'  curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, "{ask.method}");')
    headers = [f"{name}: {value}" for name, value in ask.all_headers().items()]
    if headers:
        lines.append("  curl_slist* headers = nullptr;")
        lines += [f"  headers = curl_slist_append(headers, {json.dumps(each)});" for each in headers]
        lines.append("  curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);")
    if ask.has_body:
        lines.append("  curl_easy_setopt(curl, CURLOPT_POSTFIELDS, body);")
    lines += ["  const CURLcode code = curl_easy_perform(curl);  // prints the answer", "  long status = 0;",
              "  curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);"]
    if headers:
        lines.append("  curl_slist_free_all(headers);")
    return "\n".join([*lines, "  curl_easy_cleanup(curl);",
                      "  return code == CURLE_OK && status < 400 ? 0 : 1;", "}"])


# Language → (the mark of its block in a page, how it is written).
LANGUAGES = {"curl": ("sh", curl), "Python": ("python", python), "JavaScript": ("js", javascript),
             "Go": ("go", go), "Java": ("java", java), "C++": ("cpp", cpp)}
