"""What comes from outside is text (law 18): one function makes it fit for a line, a log and a column.

Everything that Neuroon, its proxies, or a shop's failing code says passes it before it is shown,
logged or stored.
"""

from __future__ import annotations

import re
import unicodedata

MAX_TEXT = 500  # characters, the ellipsis of a cut included
LOOKED_AT = 40  # times as many are looked at, so that a cut text of spaces and marks costs nothing

# Sequences that a terminal obeys: colours and cursor moves, titles and other strings up to their end.
_ESCAPES = re.compile(
    r"(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]?"
    r"|(?:\x1b[\]PX^_]|[\x90\x98\x9d-\x9f])[^\x07\x1b\x90\x98\x9c-\x9f]*(?:\x07|\x1b\\|\x9c)"
    r"|\x1b[ -/]*[0-~]?"
)
# Marks without a width that are no format characters: fillers, joiners and variation selectors.
_INVISIBLE = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u3164\ufe00-\ufe0f\uffa0\U000e0000-\U000e0fff]"
)
_DROPPED = {"Cf": "", "Cs": "?", "Cc": " ", "Zl": " ", "Zp": " "}


def text_of(value: object, limit: int = MAX_TEXT) -> str:
    """Return any value as one line of at most `limit` visible characters; "" for None.

    Terminal sequences, bidi marks and characters without a width are removed, controls become
    spaces, a lone surrogate a question mark. A cut text ends with an ellipsis.
    """
    text = value if isinstance(value, str) else "" if value is None else str(value)
    text = text[: limit * LOOKED_AT]
    if not (text.isascii() and text.isprintable()):
        text = _INVISIBLE.sub("", _ESCAPES.sub("", text))
        text = "".join(_DROPPED.get(unicodedata.category(char), char) for char in text)
    text = " ".join(text.split())
    return text if len(text) <= limit else text[: limit - 1] + "…"
