"""Schemas as programs ask for them, each with texts that a model may answer, and texts that are
wrong; the cases of bench/constraint.py beside those of the JSON Schema Test Suite."""


def object_of(properties, required=None, **more):
    return {"type": "object", "properties": properties, "additionalProperties": False,
            "required": list(properties) if required is None else required, **more}


STRING, INTEGER, NUMBER, BOOLEAN = ({"type": kind} for kind in
                                    ("string", "integer", "number", "boolean"))
PROSE = ("The committee met on Thursday, and after a long discussion of the budget it decided to "
         "postpone the vote until the figures of the third quarter are known.")

CASES = [
    ("person", object_of({"name": STRING, "age": INTEGER, "email": {**STRING, "format": "email"}}),
     [{"name": "Ada Lovelace", "age": 36, "email": "ada.lovelace@example.org"}],
     [{"name": "Ada", "age": "36", "email": "ada@example.org"}, {"name": "Ada", "age": 36}]),
    ("weather call", object_of({"location": STRING, "unit": {"enum": ["celsius", "fahrenheit"]},
                                "days": {**INTEGER, "minimum": 1, "maximum": 14}}),
     [{"location": "San Francisco, CA", "unit": "celsius", "days": 3}],
     [{"location": "Paris", "unit": "kelvin", "days": 3},
      {"location": "Paris", "unit": "celsius", "days": 15}]),
    ("summary", object_of({"title": {**STRING, "maxLength": 80}, "summary": STRING,
                           "keywords": {"type": "array", "items": STRING, "maxItems": 5}}),
     [{"title": "Vote on the budget postponed", "summary": PROSE,
       "keywords": ["committee", "budget", "third quarter"]}],
     [{"title": "x" * 81, "summary": "", "keywords": []},
      {"title": "x", "summary": "", "keywords": list("abcdef")}]),
    ("invoice", object_of({
        "number": {**STRING, "pattern": "^INV-[0-9]{4}-[0-9]{6}$"},
        "date": {**STRING, "format": "date"}, "currency": {"enum": ["EUR", "USD", "GBP"]},
        "lines": {"type": "array", "minItems": 1, "items": object_of(
            {"text": {**STRING, "minLength": 1, "maxLength": 200},
             "quantity": {**INTEGER, "minimum": 1},
             "price": {**NUMBER, "minimum": 0, "multipleOf": 0.01}})}}),
     [{"number": "INV-2025-004711", "date": "2025-03-14", "currency": "EUR",
       "lines": [{"text": "Consulting, two days on site", "quantity": 2, "price": 940.5},
                 {"text": "Travel", "quantity": 1, "price": 112.35}]}],
     [{"number": "INV-25-1", "date": "2025-03-14", "currency": "EUR",
       "lines": [{"text": "x", "quantity": 1, "price": 1}]},
      {"number": "INV-2025-004711", "date": "2025-03-14", "currency": "EUR",
       "lines": [{"text": "x", "quantity": 1, "price": 1.005}]}]),
    ("tree", {"$defs": {"node": object_of(
        {"name": STRING, "children": {"type": "array", "items": {"$ref": "#/$defs/node"}}})},
              "$ref": "#/$defs/node"},
     [{"name": "root", "children": [{"name": "usr", "children": [{"name": "bin", "children": []}]},
                                    {"name": "etc", "children": []}]}],
     [{"name": "root", "children": [{"name": "usr"}]}]),
    ("open settings", {"type": "object", "properties": {"version": INTEGER, "name": STRING,
                                                        "verbose": BOOLEAN},
                       "required": ["version"]},
     [{"version": 3, "name": "nightly build", "verbose": True, "colour scheme": "solarized dark",
       "retries": 4, "paths": ["/usr/local/bin", "~/bin"]}],
     [{"name": "nightly"}, {"version": "3"}]),
    ("labels", {"type": "object", "patternProperties": {"^[a-z][a-z0-9-]{0,30}$": STRING},
                "additionalProperties": False},
     [{"app": "checkout", "tier": "backend", "managed-by": "operator"}], [{"App": "checkout"}]),
    ("shape", {"anyOf": [object_of({"kind": {"const": "circle"}, "radius": NUMBER}),
                         object_of({"kind": {"const": "box"}, "width": NUMBER, "height": NUMBER})]},
     [{"kind": "circle", "radius": 2.5}, {"kind": "box", "width": 10, "height": 0.75}],
     [{"kind": "circle", "width": 1, "height": 2}]),
    ("account", object_of({"user": {**STRING, "pattern": "^[A-Za-z][A-Za-z0-9_]{2,15}$"},
                           "id": {**STRING, "format": "uuid"},
                           "created": {**STRING, "format": "date-time"},
                           "homepage": {**STRING, "format": "uri"}}),
     [{"user": "grace_hopper", "id": "6fa459ea-ee8a-4ca4-894e-db77e160355e",
       "created": "2024-11-05T08:15:30Z", "homepage": "https://example.org/people/grace?tab=work"}],
     [{"user": "g", "id": "6fa459ea-ee8a-4ca4-894e-db77e160355e",
       "created": "2024-11-05T08:15:30Z", "homepage": "https://example.org/"}]),
    ("code", object_of({"language": {"enum": ["python", "cpp", "bash"]},
                        "code": {**STRING, "minLength": 10, "maxLength": 2000},
                        "phone": {**STRING, "pattern": "^\\+?[0-9 ()-]{6,20}$"}}),
     [{"language": "python", "code": "def add(a, b):\n    \"\"\"Sum.\"\"\"\n    return a + b\n",
       "phone": "+49 (30) 1234-5678"}],
     [{"language": "python", "code": "x", "phone": "+49 30 123456"}]),
    ("mentions", object_of({"text": {**STRING, "pattern": "[Bb]udget"},
                            "slug": {**STRING, "pattern": "^[a-z0-9]+(-[a-z0-9]+)*$",
                                     "maxLength": 60}}),
     [{"text": PROSE, "slug": "vote-on-the-budget-postponed"}],
     [{"text": "The vote.", "slug": "vote"}, {"text": "budget", "slug": "vote--on"}]),
    ("languages", object_of({"de": STRING, "fr": STRING, "ja": STRING, "ar": STRING}),
     [{"de": "Größe prüfen, bitte", "fr": "Déjà vu à l'été", "ja": "東京は今日も雨です", "ar": "مرحبا بالعالم"}],
     [{"de": "x", "fr": "x", "ja": "x"}]),
    ("measurements", {"type": "array", "minItems": 2, "items": {
        "type": "array", "prefixItems": [{**STRING, "maxLength": 12}, {
            **NUMBER, "exclusiveMinimum": -273.15, "maximum": 1000}], "items": False,
        "minItems": 2}},
     [[["sensor-a", 21.75], ["sensor-b", -40.125], ["outside", 999.5]]],
     [[["sensor-a", 21.75]], [["a", -273.15], ["b", 1]]]),
]
