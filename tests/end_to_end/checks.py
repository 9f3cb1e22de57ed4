"""What the clients' scripts find: each check is said in a line, those that failed are kept."""
failures = []


def check(holds, what):
    print(f"{'ok  ' if holds else 'FAIL'} {what}", flush=True)
    if not holds:
        failures.append(what)


def raised(kind, call):
    """The exception of this kind that the call ends with."""
    try:
        call()
    except kind as error:
        return error
    return None
