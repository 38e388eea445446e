"""Plain data as YAML: byte for byte what PyYAML's ``safe_dump`` writes, many times as fast."""

from __future__ import annotations

import functools
import math
import re
from typing import Any

WIDTH = 120
#: Text that needs no quotes wherever it stands, unless it is a word that YAML takes for something else.
_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_(),.=+*/-]*(?: [A-Za-z0-9_(),.=+*/-]+)*")
_WORDS = frozenset(["yes", "no", "on", "off", "true", "false", "null"])


def dumped(data: Any) -> str:
    """Return a document as PyYAML writes it: the specification of all that is here, and what writes odd text."""
    import yaml

    return yaml.safe_dump(data, sort_keys=False, allow_unicode=True, width=WIDTH)


def member(key: str, value: Any, pad: str = "") -> str:
    """Return a key of a mapping and its value.

    >>> member("params", {"n": 2.0, "of": []})
    'params:\\n  n: 2.0\\n  of: []\\n'
    """
    name = key if _plain(key) else dumped({key: 0}).removesuffix(": 0\n")
    if "\n" in name:  # a key that is no word: empty, long or of many lines
        return _odd(len(pad) // 2, key, value)
    if value and isinstance(value, dict):
        return f"{pad}{name}:\n" + "".join([member(one, inner, f"{pad}  ") for one, inner in value.items()])
    if value and isinstance(value, (list, tuple)):
        return f"{pad}{name}:\n" + "".join([item(inner, pad) for inner in value])
    text = _scalar(value)
    if text is None or len(pad) + len(name) + 2 + len(text) > WIDTH:
        return _odd(len(pad) // 2, key, value)
    return f"{pad}{name}: {text}\n"


def item(value: Any, pad: str = "") -> str:
    """Return an item of a list that is the value of a key.

    >>> item({"layer": "relu"})
    '- layer: relu\\n'
    """
    if value and isinstance(value, dict):
        inside = "".join([member(key, inner, f"{pad}  ") for key, inner in value.items()])
        return f"{pad}- {inside[len(pad) + 2 :]}"
    text = None if isinstance(value, (list, tuple)) and value else _scalar(value)
    if text is None or len(pad) + 2 + len(text) > WIDTH:
        return _odd(len(pad) // 2, None, value)
    return f"{pad}- {text}\n"


def _scalar(value: Any) -> str | None:
    """Return a value without parts in YAML; None for what is better left to PyYAML."""
    kind = type(value)
    if kind is str:
        return value if _plain(value) else None
    if value is None or kind is bool:
        return "null" if value is None else "true" if value else "false"
    if kind is int:
        return str(value)
    if kind is float and math.isfinite(value):
        text = repr(value)
        return text if "." in text else text.replace("e", ".0e")
    return None if not isinstance(value, (dict, list)) else "{}" if isinstance(value, dict) else "[]"


def _plain(text: str) -> bool:
    return _PLAIN.fullmatch(text) is not None and text.lower() not in _WORDS


def _odd(depth: int, key: str | None, value: Any) -> str:
    """Have PyYAML write what stands at some depth, by a document that has nothing else at that depth."""
    return (
        _wrapped(depth, key, value) if isinstance(value, (list, dict, tuple)) else _kept(depth, key, type(value), value)
    )


@functools.lru_cache(1000)
def _kept(depth: int, key: str | None, kind: type, value: Any) -> str:
    return _wrapped(depth, key, value)


def _wrapped(depth: int, key: str | None, value: Any) -> str:
    data: Any = {"k": [value]} if key is None else {key: value}
    for _ in range(depth):
        data = {"k": data}
    lines = dumped(data).split("\n", depth + (key is None))
    return lines[-1]
