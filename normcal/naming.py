"""How constants are called in the file that holds them: names from SPECs and quantities, in a style."""

from __future__ import annotations

import re
from typing import Any

#: spec: the SPEC as it is; the others: its words and numbers, joined.
STYLES = ("spec", "snake", "upper", "camel", "pascal", "kebab")


def words(name: str, params: dict[str, Any]) -> list[str]:
    """Return the words of a layer and of its parameters, in lower case; a point is ``_``, a minus ``minus``.

    >>> words("leaky_relu", {"negative_slope": -0.25})
    ['leaky', 'relu', 'negative', 'slope', 'minus', '0', '25']
    >>> words("mine", {"a": 2, "name": "mine"})
    ['mine', 'a', '2']
    """
    told = [f"{key} {_plain(value)}" for key, value in params.items() if value != name]
    text = " ".join([name, *told])
    text = re.sub(r"(?<![a-zA-Z0-9])-(?=\d)|(?<=e)-(?=\d)", " minus ", text)
    return re.findall(r"[a-z0-9]+", text.lower())


def styled(parts: list[str], style: str) -> str:
    """Join words in a style.

    >>> [styled(["max", "pool"], style) for style in STYLES[1:]]
    ['max_pool', 'MAX_POOL', 'maxPool', 'MaxPool', 'max-pool']
    """
    if style == "camel":
        return parts[0] + "".join(part.capitalize() for part in parts[1:])
    if style == "pascal":
        return "".join(part.capitalize() for part in parts)
    joined = ("-" if style == "kebab" else "_").join(parts)
    return joined.upper() if style == "upper" else joined


def split(name: str) -> list[str]:
    """Return the words of a name in whatever style.

    >>> split("forwardGain"), split("LEAKY_RELU"), split("max-pool")
    (['forward', 'gain'], ['leaky', 'relu'], ['max', 'pool'])
    """
    spaced = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", name)
    return [part.lower() for part in re.split(r"[^a-zA-Z0-9]+", spaced) if part]


def _plain(value: Any) -> str:
    from normcal.spec import written

    return written(value)
