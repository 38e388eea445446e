"""normcal plot: pictures as files and in the terminal, the same bytes each time, readable without colours."""

import re
import struct
import sys
import zlib

import pytest

from normcal import canvas, discover
from normcal.canvases import image, terminal
from tests.program import invoke, on_terminal, run, succeed

SMALL = ["plot", "relu", "tanh", "--panels", "function,std", "--columns", "forward.std", "--std", "0.1:10:5:log"]
SUFFIXES = [".png", ".svg", ".pdf", ".txt"]
COLOUR = re.compile(r"\x1b\[[0-9;]*m")


def written(path, *argv):
    succeed(*argv, "-o", str(path))
    return path.read_bytes()


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_the_same_picture_is_the_same_bytes(suffix, tmp_path):
    first = written(tmp_path / f"a{suffix}", *SMALL)
    assert first == written(tmp_path / f"b{suffix}", *SMALL)


@pytest.mark.parametrize("seed", ["1", "2"])
def test_another_process_writes_the_same_bytes(seed, tmp_path):
    done = run(*SMALL, "-o", str(tmp_path / "x.svg"), env={"PYTHONHASHSEED": seed})
    assert done.returncode == 0
    assert (tmp_path / "x.svg").read_bytes() == written(tmp_path / "y.svg", *SMALL)


@pytest.mark.parametrize(("suffix", "start"), [(".png", b"\x89PNG"), (".svg", b"<?xml"), (".pdf", b"%PDF")])
def test_a_suffix_picks_the_kind_of_picture(suffix, start, tmp_path):
    assert written(tmp_path / f"x{suffix}", *SMALL).startswith(start)


@pytest.mark.parametrize("suffix", [".svg", ".pdf"])
def test_no_picture_says_when_or_by_what_version_it_was_drawn(suffix, tmp_path):
    data = written(tmp_path / f"x{suffix}", *SMALL)
    assert not re.search(rb"CreationDate|<dc:date>|Matplotlib v", data)


def test_an_svg_has_the_labels_as_they_are_in_the_legend(tmp_path):
    text = written(tmp_path / "x.svg", *SMALL).decode()
    comments = re.findall(r"<!-- (.*?) -->", text)
    assert {"relu", "tanh", "f(x)", "σ of the input N(0, σ²)"} <= set(comments)
    assert all(colour in text.lower() for colour, *_ in (("#0072b2",), ("#d55e00",)))


def test_a_png_is_of_a_size_that_fits_a_page(tmp_path):
    data = written(tmp_path / "x.png", *SMALL)
    width, height = struct.unpack(">II", data[16:24])
    assert 900 < width < 1400
    assert 300 < height < width


def grey(colour):
    """Return the luminance of a colour, as print in grey shows it."""
    return sum(share * int(colour[k : k + 2], 16) for share, k in zip((0.2126, 0.7152, 0.0722), (1, 3, 5), strict=True))


def test_no_two_lines_have_the_same_dashes_or_markers():
    assert len({str(dashes) for _, dashes, _ in image.STYLES}) == len(image.STYLES)
    assert len({marker for *_, marker in image.STYLES}) == len(image.STYLES)
    assert len({marker for _, marker in terminal.STYLES}) == len(terminal.STYLES)
    assert max(grey(colour) for colour, *_ in image.STYLES) < 180


def test_off_a_terminal_there_is_plain_text_of_80_columns():
    lines = succeed(*SMALL).stdout.splitlines()
    assert lines[0] == "● relu   ■ tanh"
    assert max(map(len, lines)) == 80
    assert "\x1b" not in "".join(lines)
    assert any("f(x)" in line for line in lines)
    assert any("σ of the input N(0, σ²)" in line for line in lines)


@pytest.mark.parametrize("width", [60, 100, 200])
def test_on_a_terminal_the_picture_is_as_wide_and_in_colour(width):
    shown = on_terminal(*SMALL, width=width).shown
    assert "\x1b[38;2;" in shown
    lines = COLOUR.sub("", shown).splitlines()
    assert width - 3 <= max(map(len, lines)) <= width
    assert any("┌" in line and line.count("┌") == (2 if width == 200 else 1) for line in lines)


@pytest.mark.parametrize("env", [{"NO_COLOR": "1"}, {"TERM": "dumb"}], ids=str)
def test_colour_is_left_out_where_it_is_not_wanted(env):
    assert "\x1b" not in on_terminal(*SMALL, env=env).shown


def test_a_text_file_is_plain_even_from_a_terminal(tmp_path):
    ended = on_terminal(*SMALL, "-o", str(tmp_path / "x.txt"))
    assert ended.returncode == 0
    assert "\x1b" not in (tmp_path / "x.txt").read_text(encoding="utf-8")


def test_no_line_of_a_terminal_leads_through_a_jump():
    lines = succeed("plot", "sign", "--panels", "function", "--x=-4:4:81").stdout.splitlines()
    assert len([line for line in lines if re.search("[\u2801-\u28ff]", line)]) == 2
    assert [line.count("○") + line.count("•") for line in lines if "○" in line or "•" in line] == [1, 1]


def test_no_mark_lies_below_a_line():
    text = succeed("plot", "relu", "gelu", "tanh", "--panels", "function").stdout.partition("\n")[2]
    assert all(text.count(marker) >= 4 for _, marker in terminal.STYLES[:3])


def test_a_legend_that_is_long_has_several_lines():
    lines = succeed("plot", "leaky_relu(negative_slope=0.1:0.6:6)", "--panels", "function").stdout.splitlines()
    assert sum("leaky_relu" in line for line in lines) == 3
    assert max(map(len, lines)) <= 80


def test_errors_are_bars_in_the_terminal():
    sampled = ["--engine", "monte-carlo", "--samples", "300", "--std", "1:1.1:4"]
    text = succeed("plot", "softmax(n=10)", "--panels", "std", "--columns", "forward.std", *sampled).stdout
    assert "┊" in text
    assert "one standard error" in text


def test_what_has_no_value_is_said_below():
    text = succeed("plot", "sign", "tanh", "--panels", "std", "--columns", "backward.gain").stdout
    assert "sign backward.gain: no value along std: the std is 0." in text


@pytest.mark.parametrize("spec", ["crelu", "glu", "linear", "dropout", "maxout", "layer_norm", "identity"])
def test_every_kind_of_layer_has_something_to_draw(spec):
    result = invoke("plot", spec, "--std", "0.5:2:3", "--mean=-1:1:3", "--samples", "300")
    assert (result.exit_code, result.stderr) == (0, "")
    assert "┌" in result.stdout


def test_an_expression_may_be_drawn():
    text = succeed("plot", 'expr("where(x > 0, x, a * x)", a=0.2)', "--panels", "function,derivative").stdout
    assert "f′(x)" in text


@pytest.mark.parametrize(
    ("missing", "argv", "told"),
    [("matplotlib", ["-o", "x.png"], "need matplotlib"), ("plotext", [], "need plotext")],
    ids=["matplotlib", "plotext"],
)
def test_a_library_that_is_missing_is_named_with_what_to_install(missing, argv, told, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(sys.modules, missing, None)
    result = invoke("plot", "relu", *argv)
    assert (result.exit_code, result.stdout) == (2, "")
    assert told in result.stderr
    assert 'pip install "normcal[plot]"' in result.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_picture_needs_no_library_of_another(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "plotext", None)
    assert written(tmp_path / "x.png", *SMALL)
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    monkeypatch.delitem(sys.modules, "plotext")
    assert succeed(*SMALL).stdout


def test_every_canvas_claims_suffixes_of_its_own():
    claimed = [suffix for name in discover.names("canvases") for suffix in canvas.get(name).suffixes]
    assert sorted(claimed) == sorted(set(claimed)) == sorted(SUFFIXES)


#: argv behind ``plot``, what the message names, what it says would do
REFUSED = {
    "suffix": (["relu", "-o", "x.gif"], "'.gif'", ".pdf, .png, .svg, .txt"),
    "no suffix": (["relu", "-o", "x"], "'x'", ".png"),
    "unwritable": (["relu", "-o", "no/x.png"], "does not exist", "Create it"),
    "a folder": (["relu", "-o", "."], "'.'", ".png"),
    "layer": (["rellu"], "'rellu'", "Did you mean 'relu'"),
    "no layer": ([], "No layer", "normcal plot relu"),
    "panel": (["relu", "--panels", "function,slope"], "'slope'", "derivative"),
    "column": (["relu", "--columns", "forward.sd"], "'forward.sd'", "forward.std"),
    "seven curves": (["elu(alpha=1:7:7)"], "7 curves", "at most 6"),
    "x back": (["relu", "--x", "1:-1:5"], "--x", "-4:4:401"),
    "x alone": (["relu", "--x", "1"], "--x", "-4:4:401"),
    "log through 0": (["relu", "--std", "0:1:5:log"], "logarithmic", "above 0"),
    "1e9 places": (["relu", "--x", "0:1:1000000000"], "from 2 to 1000000", "-3:3:61"),
    "negative std": (["relu", "--std", "-1:1:3"], "std cannot be -1", "a number in [0,"),
    "function of none": (["max_pool", "--panels", "function"], "nothing to draw", "no function"),
}


@pytest.mark.parametrize(("argv", "named", "accepted"), REFUSED.values(), ids=REFUSED)
def test_what_cannot_be_drawn_is_refused(argv, named, accepted, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    result = invoke("plot", *argv)
    assert (result.exit_code, result.stdout) == (2, "")
    assert named in result.stderr
    assert accepted in result.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_png_is_whole(tmp_path):
    data = written(tmp_path / "x.png", *SMALL)
    body = data[8:]
    kinds = []
    while body:
        (size,) = struct.unpack(">I", body[:4])
        assert zlib.crc32(body[4 : 8 + size]) == struct.unpack(">I", body[8 + size : 12 + size])[0]
        kinds.append(body[4:8])
        body = body[12 + size :]
    assert kinds[0] == b"IHDR"
    assert kinds[-1] == b"IEND"
    assert not {b"tIME", b"tEXt"} & set(kinds)
