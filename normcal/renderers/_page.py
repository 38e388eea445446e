"""A page that needs nothing but itself: its head, style and script, and what keeps text from being markup."""

from __future__ import annotations

import base64
import functools
import hashlib
import html
import os


def page(title: str, body: list[str], comment: str = "") -> str:
    """Return the document: ``body`` is markup, ``title`` text, ``comment`` a comment or nothing.

    The policy lets the browser load nothing, and run no script but the page's own.
    """
    style, script = _resource("_page.css"), _resource("_page.js")
    policy = f"default-src 'none'; style-src {_hash(style)}; script-src {_hash(script)}; img-src data:; base-uri 'none'"
    lines = [
        "<!DOCTYPE html>",
        *([comment.rstrip("\n")] if comment else []),
        '<html lang="en">',
        "<head>",
        '<meta charset="utf-8">',
        f'<meta http-equiv="Content-Security-Policy" content="{policy}; form-action \'none\'">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f"<title>{text(title)}</title>",
        '<link rel="icon" href="data:,">',
        f"<style>{style}</style>",
        "</head>",
        "<body>",
        *body,
        f"<script>{script}</script>",
        "</body>",
        "</html>",
    ]
    return "\n".join(lines) + "\n"


def text(written: str) -> str:
    """Return text as it may stand between tags and within quotes; a control character is none of a page's.

    >>> text("<b> & 'c'")
    '&lt;b&gt; &amp; &#x27;c&#x27;'
    """
    shown = "".join("\ufffd" if c < " " and c not in "\t\n\r" else c for c in written)
    return html.escape(shown).replace("\r", "&#13;")


def element(tag: str, content: str, **attributes: str) -> str:
    """Return an element; ``content`` is markup, attributes are text, and those without a value are left out.

    >>> element("td", "1", title='"', class_="")
    '<td title="&quot;">1</td>'
    """
    told = "".join(f' {name.rstrip("_")}="{text(value)}"' for name, value in attributes.items() if value)
    return f"<{tag}{told}>{content}</{tag}>"


def comment(lines: tuple[str, ...]) -> str:
    """Return lines as a comment: of two hyphens that would end it, the second is written as JSON does.

    >>> print(comment(("a --> b",)), end="")
    <!--
    a -\\u002d> b
    -->
    """
    return "\n".join(["<!--", *(line.replace("--", r"-\u002d") for line in lines), "-->\n"])


@functools.cache
def _resource(name: str) -> str:
    with open(os.path.join(os.path.dirname(__file__), name), encoding="utf-8") as stream:
        return "\n" + stream.read()


def _hash(inline: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(inline.encode()).digest()).decode()}'"
