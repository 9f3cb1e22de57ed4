"""docs/api/reference/: a page an interface, each operation with its fields, statuses and programs, made of
the server's own /openapi.json."""
import json
import re

import snippets

ADDRESS = "http://127.0.0.1:11434"
MODEL = "smollm2:135m"
# What stands in a path for a parameter. Those in capitals are to be filled in.
NAMES = {"model": MODEL, "name": "greeting", "version": "1", "label": "production",
         "task": "text-generation"}
OF_MODELS = ("/v1/models/", "/models/", "/pipeline/")
OF_THE_APP = ("/assets/", "/frame/")
WITH_KEY = ("openSession",)
FILE = "The sky is blue."

INDEX = """# Every operation

A page an interface, written by `python3 tests/documents/write.py` out of what the server says of itself
(`GET /openapi.json`); do not edit them. The programs are run by the tests
(`ctest --test-dir build -R end_to_end.snippets`; Go, Java and C++: `tests/long/reference`), but for those of
the app's files and of streams without an end. Words in capitals in them are to be filled in. Where a key is asked for, it goes along as
`Authorization: Bearer KEY` ([../../api.md](../../api.md#keys)); what statuses mean stands
[there](../../api.md#errors) too.

| interface | operations |
|---|---|
"""


def slug(heading):
    return re.sub(r"[^a-z0-9 _-]", "", heading.lower()).replace(" ", "-")


def link(name):
    return f"[{name}](#{slug(name)})"


class Document:
    def __init__(self, whole):
        self.paths = whole["paths"]
        self.schemas = whole["components"]["schemas"]
        self.responses = whole["components"]["responses"]
        self.tags = whole["tags"]

    def operations(self):
        """(method, path, operation)"""
        for path, item in self.paths.items():
            for method, operation in item.items():
                yield method.upper(), path, operation

    def response(self, value):
        return self.responses[value["$ref"].rsplit("/", 1)[1]] if "$ref" in value else value

    def fields(self, schema):
        """({name: schema}, names that must be there) of an object and what it is made of."""
        if "$ref" in schema:
            return self.fields(self.schemas[schema["$ref"].rsplit("/", 1)[1]])
        properties, required = dict(schema.get("properties", {})), set(schema.get("required", []))
        for part in schema.get("allOf", []):
            of_part = self.fields(part)
            properties = {**properties, **{name: each for name, each in of_part[0].items()
                                           if name not in properties}}
            required |= of_part[1]
        return properties, required

    def kind(self, schema):
        """In words; a schema that has a name links to it."""
        if "$ref" in schema:
            return link(schema["$ref"].rsplit("/", 1)[1])
        if "const" in schema:
            return f"`{word(schema['const'])}`"
        if "enum" in schema:
            return ", ".join(f"`{word(each)}`" for each in schema["enum"])
        for key in ("anyOf", "oneOf"):
            if key in schema:
                return " or ".join(dict.fromkeys(self.kind(each) for each in schema[key]))
        if "contentSchema" in schema:
            return self.kind(schema["contentSchema"])
        types = schema.get("type", [])
        types = [types] if isinstance(types, str) else types
        if not types and "allOf" in schema:
            return " and ".join(self.kind(each) for each in schema["allOf"])
        return " or ".join(self.simple(each, schema) for each in types) or "anything"

    def simple(self, name, schema):
        if name == "array":
            return f"list of {self.kind(schema['items'])}" if "items" in schema else "list"
        if name == "object" and schema.get("properties"):
            return "{" + ", ".join(f"{key}: {self.kind(each)}"
                                   for key, each in schema["properties"].items()) + "}"
        return {"string": "text", "boolean": "true or false"}.get(name, name)

    def named_in(self, value, found):
        """Names of all schemas that a value leads to."""
        if isinstance(value, list):
            for each in value:
                self.named_in(each, found)
        if isinstance(value, dict):
            target = value.get("$ref", "")
            name = target.rsplit("/", 1)[-1]
            if "/schemas/" in target and name not in found:
                found.append(name)
                self.named_in(self.schemas[name], found)
            elif "/responses/" in target:
                self.named_in(self.responses[name], found)
            for each in value.values():
                self.named_in(each, found)


def word(value):
    """A constant of JSON; a text without its quotes where it needs none."""
    return value if isinstance(value, str) and value else json.dumps(value)


def bounds(schema):
    said = [schema["description"].removesuffix(".")] if "description" in schema else []
    for key, text in (("minimum", "at least {}"), ("maximum", "at most {}"), ("maxLength", "at most {} long"),
                      ("minItems", "at least {} of them"), ("maxItems", "at most {} of them")):
        if key in schema:
            said.append(text.format(schema[key]))
    return "; ".join(said)


def cell(text):
    return text.replace("|", "\\|").replace("\n", " ")


def body_schema(document, operation):
    """What a body is made of: its fields stand with the operation, not among the shapes."""
    if "requestBody" not in operation:
        return {}
    schema = next(iter(operation["requestBody"]["content"].values()))["schema"]
    return document.schemas[schema["$ref"].rsplit("/", 1)[1]] if "$ref" in schema else schema


def field_table(document, properties, required):
    lines = ["| field | | |", "|---|---|---|"]
    for name in sorted(properties, key=lambda each: each not in required):
        schema = properties[name]
        must = "**" if name in required else ""
        lines.append(f"| {must}`{name}`{must} | {cell(document.kind(schema))} | {cell(bounds(schema))} |")
    return lines


def statuses(document, operation):
    """Those of one shape together."""
    groups = {}
    for status, response in sorted(operation["responses"].items()):
        shapes = [f"`{kind}` {document.kind(content['schema'])}"
                  for kind, content in document.response(response).get("content", {}).items()]
        groups.setdefault("; ".join(shapes) or "nothing", []).append(f"`{status}`")
    return ["| status | answer |", "|---|---|",
            *(f"| {' '.join(codes)} | {cell(shape)} |" for shape, codes in groups.items())]


def example(document, operation):
    """(kind of content, an example) of the body; None where there is none."""
    body = operation.get("requestBody")
    if not body:
        return None
    kind, content = next(iter(body["content"].items()))
    schema = body_schema(document, operation)
    given = content.get("example", schema.get("example"))
    if given is None and schema.get("type") == "object" and not document.fields(schema)[1]:
        given = {}
    if given is None:
        raise SystemExit(f"error: {operation['operationId']} has no example: openapi.yaml")
    return kind, given


def ask_of(document, method, path, operation):
    """The request that the programs make."""
    names = dict(NAMES, id=MODEL) if path.startswith(OF_MODELS) else NAMES
    names = dict(names, name="FILE") if path.startswith(OF_THE_APP) else names
    names = dict(names, name=MODEL) if path.startswith("/api/v1/models/") else names
    url = ADDRESS + re.sub(r"\{(\w+)\}", lambda found: names.get(found[1], found[1].upper()), path)
    headers, query = {}, []
    for parameter in operation["parameters"]:
        schema = parameter["schema"]
        if parameter["in"] == "query" and "example" in schema:
            query.append(f"{parameter['name']}={schema['example']}")
        if parameter["in"] == "header" and parameter["required"]:
            headers[parameter["name"]] = schema["enum"][0]
    if operation["operationId"] in WITH_KEY:
        headers["Authorization"] = "Bearer KEY"
    url += "?" + "&".join(query) if query else ""
    given = example(document, operation)
    if given and given[0] == "multipart/form-data":
        form = {name: (value, FILE) if name == "file" else value for name, value in given[1].items()}
        return snippets.Ask(method, url, headers, form=form)
    return snippets.Ask(method, url, headers, body=given[1] if given else None)


def programs(ask):
    lines = []
    for language, (mark, write) in snippets.LANGUAGES.items():
        block = [f"```{mark}", write(ask), "```"]
        if language != "curl":
            block = ["<details><summary>" + language + "</summary>", "", *block, "", "</details>"]
        lines += [*block, ""]
    return lines


def section(document, method, path, operation, headings):
    summary = " ".join(filter(None, (operation["summary"] + ".", operation.get("description"))))
    lines = [f"## {method} {path}", "", summary, ""]
    if "x-strata-unbuilt" in operation:
        return lines[:2] + ["Not built: `501`.", ""]
    if same := operation.get("x-strata-same-as"):
        return lines[:2] + [f"As [{headings[same]}](#{slug(headings[same])}).", ""]
    scope = operation["x-strata-scope"]
    lines += ["Open to everybody." if scope == "open" else f"Scope: `{scope}`.", ""]
    outside = {each["name"]: {**each["schema"], "description": ": ".join(filter(None, (
        f"in the {each['in']}", each["schema"].get("description"))))}
        for each in operation["parameters"]}
    must = {each["name"] for each in operation["parameters"] if each["required"]}
    properties, required = {}, set()
    if "requestBody" in operation:
        schema = body_schema(document, operation)
        properties, required = document.fields(schema)
        if not properties:
            lines += [f"The body: {document.kind(schema)}.", ""]
    if outside or properties:
        lines += [*field_table(document, {**outside, **properties}, must | required), ""]
    lines += [*statuses(document, operation), ""]
    if "x-strata-endless" in operation:
        lines += ["The stream ends with its reader.", ""]
    return lines + programs(ask_of(document, method, path, operation))


def schema_section(document, name):
    schema = document.schemas[name]
    lines = [f"### {name}", ""]
    if "description" in schema:
        lines += [schema["description"], ""]
    properties, required = document.fields(schema)
    if properties:
        return lines + [*field_table(document, properties, required), ""]
    return lines + [f"{document.kind(schema)[:1].upper()}{document.kind(schema)[1:]}.", ""]


def page(document, tag, operations):
    headings = {operation["operationId"]: f"{method} {path}" for method, path, operation in operations}
    lines = [f"# {tag['x-title']}", "", tag["description"], "",
             "Written by `tests/documents/write.py`; [what this is](README.md). Names in bold must be there.", ""]
    for method, path, operation in operations:
        lines += section(document, method, path, operation, headings)
    used = []
    for _, _, operation in operations:
        if "x-strata-unbuilt" not in operation:
            document.named_in([operation["parameters"], operation["responses"]], used)
            document.named_in(body_schema(document, operation), used)
    lines += ["## Shapes", ""]
    for name in sorted(used):
        lines += schema_section(document, name)
    return "\n".join(lines).rstrip() + "\n"


def pages(whole):
    """{path below docs/api: text}"""
    document = Document(whole)
    all_pages, index = {}, INDEX
    for tag in document.tags:
        operations = [each for each in document.operations() if each[2]["tags"][0] == tag["name"]]
        name = f"{tag['name']}.md"
        all_pages[f"reference/{name}"] = page(document, tag, operations)
        elsewhere = [f"{method} {path}" for method, path, each in document.operations()
                     if tag["name"] in each["tags"][1:]]
        said = f"{len(operations)}" + (f", and {', '.join(f'`{each}`' for each in elsewhere)} in its form"
                                       if elsewhere else "")
        index += f"| [{tag['x-title']}]({name}) | {said} |\n"
    all_pages["reference/README.md"] = index
    return all_pages
