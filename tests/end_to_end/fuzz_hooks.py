"""What schemathesis makes up, led to where there is something: three of four names of models become the
server's. Loaded by fuzz_openapi.py. STRATA_MODEL: that model's name."""
import json
import os
import zlib

import schemathesis

MODEL = os.environ["STRATA_MODEL"]


def led(value):
    """The same for the same value, so that a failure can be shrunk."""
    return zlib.crc32(json.dumps(value, sort_keys=True, default=str).encode()) % 4 != 0


@schemathesis.hook
def map_body(context, body):
    if isinstance(body, dict) and "model" in body and led(body):
        return {**body, "model": MODEL}
    return body


@schemathesis.hook
def map_path_parameters(context, parameters):
    names = {"model", "id"} if "/models/" in context.operation.path else {"model"}
    if parameters and led(parameters):
        return {key: MODEL if key in names else value for key, value in parameters.items()}
    return parameters
