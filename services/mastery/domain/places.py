"""On which line of a JSON file a record stands."""

import json
import re

_SPACE = re.compile(r"[\s,:]*")


def lines(text: str) -> dict[str, int]:
    """The line (first is 1) of every member of a JSON object, and of every element of its arrays, by JSON pointer.

    The text must be valid JSON. Only two levels are walked; what is deeper is skipped at the parser's speed.
    """
    decoder = json.JSONDecoder()
    at = _SPACE.match(text)
    assert at is not None
    found = {"": 1}
    line, counted = 1, 0

    def here(position: int) -> int:
        nonlocal line, counted
        line += text.count("\n", counted, position)
        counted = position
        return line

    def skip(position: int) -> int:
        space = _SPACE.match(text, position)
        assert space is not None  # it matches nothing, too
        return space.end()

    position = at.end()
    if text[position : position + 1] != "{":
        return found
    position = skip(position + 1)
    while text[position] != "}":
        name, position = decoder.raw_decode(text, position)
        position = skip(position)
        pointer = "/" + name.replace("~", "~0").replace("/", "~1")
        found[pointer] = here(position)
        if text[position] != "[":
            _, position = decoder.raw_decode(text, position)
        else:
            position = skip(position + 1)
            element = 0
            while text[position] != "]":
                found[f"{pointer}/{element}"] = here(position)
                _, position = decoder.raw_decode(text, position)
                position = skip(position)
                element += 1
            position += 1
        position = skip(position)
    return found
