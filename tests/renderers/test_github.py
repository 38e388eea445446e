"""GitHub: workflow commands, one a finding, each on one line."""

import pytest

from normcal import renderer
from normcal.errors import RequestError
from normcal.report import Annotation, Report, View

GITHUB = renderer.get("github")


def lines(*annotations: Annotation) -> list[str]:
    return GITHUB.render(Report({}, [], (), annotations=annotations), View()).splitlines()


@pytest.mark.parametrize(
    ("annotation", "line"),
    [
        (
            Annotation("error", "gains.py", 3, "relu", "1.7 is not 1.71"),
            "::error file=gains.py,line=3,title=relu::1.7 is not 1.71",
        ),
        (Annotation("warning", "a.h", None, "t", "m"), "::warning file=a.h,title=t::m"),
        (
            Annotation("notice", "a,b:c%.h", 1, "x: y, z", "m"),
            "::notice file=a%2Cb%3Ac%25.h,line=1,title=x%3A y%2C z::m",
        ),
        (Annotation("error", "x", 1, "t", "50%\r\nnext: a, b"), "::error file=x,line=1,title=t::50%25%0D%0Anext: a, b"),
        (Annotation("error", "x\n::error::y", 1, "t", "m"), "::error file=x%0A%3A%3Aerror%3A%3Ay,line=1,title=t::m"),
    ],
    ids=["plain", "no-line", "properties", "message", "injection"],
)
def test_a_finding_is_one_command_on_one_line(annotation, line):
    assert lines(annotation) == [line]


def test_findings_keep_their_order_and_none_is_no_text():
    two = [Annotation("error", "a", 2, "t", "m"), Annotation("error", "a", 1, "t", "m")]
    assert [line.split(",")[1] for line in lines(*two)] == ["line=2", "line=1"]
    assert lines() == []


def test_what_shows_no_findings_is_refused():
    with pytest.raises(RequestError, match="findings"):
        GITHUB.render(Report({}, [], ()), View())
