"""No family's name stands outside its file in src/models/family: the rest of the program reads
what a model is as data. The names are those that the families register, with or without their
number, so that a new family needs no line here. Comments may cite papers and models, help texts
may have a model for an example, and what only tests and benchmarks read are data about models."""
import re

FAMILIES = "src/models/family/"
TESTS = re.compile(r"_(test|bench|fuzz)\.cpp$|/testing[/.]|/testdata/")

# Words of file formats and of other programs that are spelled as a family is.
EXEMPT = {
    "src/models/tokenizer/": "GGUF's kinds of vocabularies (tokenizer.ggml.model, .pre) and those of "
                             "tokenizer.json, which files of other families name too",
    "src/models/family/translation_rope.cpp": "rope_type of config.json, of any family",
    "src/models/family/inverse_rope.cpp": "the same",
}
NUMBER = re.compile(r"\d+$")
CLASS_ENDING = re.compile(r"(For[A-Z]\w*|Model)$")  # LlamaForCausalLM


def letters(text):
    return re.sub(r"[^a-z0-9]", "", text.lower())


def without_comments(text):
    """Comments become spaces; strings stay."""
    pattern = r'"(?:\\.|[^"\\\n])*"|//[^\n]*|/\*.*?\*/'
    return re.sub(pattern, lambda m: m[0] if m[0][0] == '"' else re.sub(r"[^\n]", " ", m[0]),
                  text, flags=re.DOTALL)


def body_of(function, text):
    """From the brace behind the function's name to the one that closes it."""
    begin = text.find("{", text.find(f"{function}() const override"))
    depth = 0
    for at in range(begin, len(text)):
        depth += {"{": 1, "}": -1}.get(text[at], 0)
        if depth == 0:
            return text[begin:at]
    return ""


def registered_names(text):
    """Architectures and classes of a family's file."""
    constants = dict(re.findall(r'std::string_view (k\w+) = "([^"]+)"', text))
    for function in ("architectures", "hf_classes"):
        if f"{function}() const override" not in text:
            continue
        body = body_of(function, text)
        yield from re.findall(r'"([^"]+)"', body)
        yield from (constants[name] for name in re.findall(r"\bk\w+", body) if name in constants)


def words_of(identifier):
    return [word.lower() for part in identifier.split("_")
            for word in re.findall(r"[A-Z]+(?![a-z])\d*|[A-Z]?[a-z]+\d*", part)]


def spelled(code, identifiers):
    """What names could be: whole strings, and the words of identifiers."""
    for string in re.findall(r'"((?:\\.|[^"\\\n])*)"', code):
        if re.fullmatch(r"[\w-]+", string):  # no path, no tensor's name
            yield letters(string)
    if not identifiers:
        return
    for identifier in re.findall(r"\b[A-Za-z]\w*", re.sub(r'"(?:\\.|[^"\\\n])*"', "", code)):
        yield from words_of(identifier)


def check_family_names(sources):
    """sources: path from the root -> text."""
    families = {}  # name -> the files that register it
    for path, text in sources.items():
        if str(path).startswith(FAMILIES) and "Registered<Family>" in text:
            for name in registered_names(without_comments(text)):
                for whole in {letters(name), letters(CLASS_ENDING.sub("", name))}:
                    short = NUMBER.sub("", whole)
                    for form in {whole, short if len(short) > 2 else whole}:  # no T of T5
                        families.setdefault(form, set()).add(path)
    for path, text in sources.items():
        place = str(path)
        if (not place.startswith("src/") or TESTS.search(place) or
                any(place.startswith(prefix) for prefix in EXEMPT)):
            continue
        # A family's class may be called after the one that it descends from.
        identifiers = "Registered<Family>" not in text
        for number, line in enumerate(without_comments(text).splitlines(), 1):
            for word in set(spelled(line, identifiers)):
                known = families.get(word) or families.get(NUMBER.sub("", word)) or set()
                if known and path not in known:
                    yield (f"{place}:{number}: '{word}' is a family's name, which only "
                           f"{', '.join(sorted(map(str, known)))} may know")
