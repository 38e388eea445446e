"""``python -m benchmarks.fuzz``: a coverage-guided fuzzer of what users type: expressions and SPECs.

Texts that reach a pair of lines, one behind the other, that none reached before are kept and bred from: mutated by
characters and by words of the grammar, and spliced with one another. Each is read, and what is read is built and run
on a few numbers. Anything but a refusal is a finding: another exception, a text that takes longer than a second, memory
that grows. An audit hook watches that nothing is executed, imported or opened on a text's behalf.
"""

from __future__ import annotations

import argparse
import contextlib
import random
import re
import sys
import time
import traceback
from collections.abc import Callable

#: Seconds that one text may take, and bytes that reading one may hold at its peak.
LONGEST, LARGEST = 1.0, 64_000_000
#: Layers that one text may stand for here.
MOST_LAYERS = 50
#: How long a text may become.
MOST_CHARACTERS = 6_000
MOST_FINDINGS = 20
#: What the interpreter does on a text's behalf that nobody asked for; ``compile`` makes the tree.
BARRED = ("exec", "open", "import", "os.", "subprocess.", "socket.", "shutil.", "ctypes.", "pickle.")
_WORDS = r"""
x y a 1 2.5 1e-3 9**9**9 1e308 + - * / ** ( ) , < > <= == where( tanh( max( abs( log( sqrt( floor( elu(x,alpha= pi nan
lambda __import__ None = [ ] 0:1:5 :log | expr( relu gated(activation= m.n:f 0x1f 1_000 1j inf 0.1 ((( ))) --- name=
kinks= ~ *_pool ? " ' \
"""
WORDS = (*re.findall(r"\S+", _WORDS), " and ", " or ", "not ", " if ", " else ", "\n", "\0", "é", "\ud800")
SEEDS = {
    "expression": (
        "x * tanh(softplus(x))", "where(x > 0, x, a * expm1(x))", "a * sigmoid(b)", "clip(x, -1, 1)**3",
        "x if x > 0 else 0",
        "where(0 < x < 1 and not x > 2, max(x, 0, 1), leaky_relu(x, negative_slope=1/4))", "abs(x)**1.5", "2**-x",
    ),
    "spec": (
        "relu", "leaky_relu(negative_slope=0.2)", "max_pool(kernel_size=(3, 2), ndim=2)", "elu(alpha=[0.5, 1])",
        'expr("a * x", a=1.3, name=mine)', "elu(alpha=1e-3:1:31:log)", "gated(activation=expr('tanh(x)'))",
        "polynomial(coefficients=(0, 1, 0.5))",
    ),
}  # fmt: skip


def read_expression(text: str) -> None:
    """Read an expression, and run it."""
    import numpy as np

    from normcal import expression
    from normcal.numerics.arrays import ARRAYS
    from normcal.numerics.balls import BALLS, Ball
    from normcal.numerics.duals import Duals

    found = expression.parse(text)
    f = found.function(dict.fromkeys((name for name in found.names if name != "x"), 0.7))
    x = np.array([-1.3, 0.4, 2.0])
    with np.errstate(all="ignore"):
        f(x, ARRAYS)
        f(Ball(x), BALLS)
        Duals(ARRAYS).derivative(f, x)


def read_spec(text: str) -> None:
    """Read a SPEC; what it writes back must be read as the same, and so must its layer."""
    from normcal import catalog, spec

    found = spec.parse(text)
    spec.count(found, MOST_LAYERS)  # a sweep of a million is no hang
    if spec.parse(found.spec).spec != found.spec:
        raise AssertionError(f"written back as {found.spec!r}")
    for layer in catalog.Layers([found.spec], most=MOST_LAYERS):
        if catalog.layer(layer.spec).spec != layer.spec:
            raise AssertionError(f"the layer is written back as {layer.spec!r}")


TARGETS: dict[str, Callable[[str], None]] = {"expression": read_expression, "spec": read_spec}


def _peak() -> int:
    """Return the most memory that this process ever held, in bytes; 0 where the system does not say."""
    try:
        import resource
    except ImportError:
        return 0
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


class Coverage:
    """The pairs of lines that followed one another in the modules that read texts."""

    modules = tuple(
        f"normcal/{name}.py"
        for name in ("expression", "spec", "param", "layers/expressions", "layers/_written", "layers/_several")
    )

    def __init__(self) -> None:
        self.seen: set[tuple] = set()
        self.found: set[tuple] = set()

    def run(self, work: Callable[[str], None], text: str) -> bool:
        """Run, and return whether there was anything new; what is raised is passed on."""
        self.found = set()
        sys.settrace(self._call)
        try:
            work(text)
        finally:
            sys.settrace(None)
            new = not self.found <= self.seen
            self.seen |= self.found
            self.new = new
        return new

    def _call(self, frame, event, arg):
        path = frame.f_code.co_filename.replace("\\", "/")
        if not path.endswith(self.modules):
            return None
        code, last = frame.f_code, [0]

        def line(frame, event, arg):
            self.found.add((code, last[0], frame.f_lineno))
            last[0] = frame.f_lineno
            return line

        return line


class Fuzzer:
    """A population of texts for one target."""

    def __init__(self, name: str, seed: int) -> None:
        self.name, self.work, self.draw = name, TARGETS[name], random.Random(seed)
        self.coverage, self.texts = Coverage(), []
        self.findings: dict[str, str] = {}
        self.runs = self.refused = 0
        self.base = _peak()
        for text in SEEDS[name]:
            self.try_one(text)

    def try_one(self, text: str) -> None:
        """Run one text; keep it where it is new, note it where it is wrong."""
        from normcal.errors import NormcalError

        self.runs += 1
        started, self.coverage.new = time.perf_counter(), False
        try:
            self.coverage.run(self.work, text)
        except NormcalError as error:
            self.refused += 1
            if len(str(error)) > 2_000:
                self.note(f"a message without end: {str(error)[:200]} ...", text)
        except Exception as problem:  # whatever it is, it is what is looked for
            where = traceback.extract_tb(problem.__traceback__)[-1]
            self.note(f"{type(problem).__name__} at {where.filename}:{where.lineno}: {problem}"[:300], text)
        if time.perf_counter() - started > LONGEST and self.slow(text):
            self.note("takes too long", text)
        if _peak() - self.base > LARGEST:
            self.base = _peak()
            self.note("takes too much memory", text)
        if self.coverage.new:
            self.texts.append(text)

    def slow(self, text: str) -> bool:
        """Whether a text takes long without the tracing, too."""
        from normcal.errors import NormcalError

        started = time.perf_counter()
        with contextlib.suppress(NormcalError):
            self.work(text)
        return time.perf_counter() - started > LONGEST

    def note(self, what: str, text: str) -> None:
        key = what.partition(": ")[0]
        if key not in self.findings and len(self.findings) < MOST_FINDINGS:
            self.findings[key] = f"{what}\n    {text!r}"[:1_500]

    def bred(self) -> str:
        """Return a text made of those that are kept, the newer ones more often."""
        draw = self.draw
        text = self.texts[max(draw.randrange(len(self.texts)), draw.randrange(len(self.texts)))]
        for _ in range(draw.choice((1, 1, 1, 2, 5))):
            text = draw.choice(_MUTATIONS)(text, draw, self.texts)
        return text[:MOST_CHARACTERS]


def _place(text: str, draw: random.Random) -> int:
    return draw.randint(0, len(text))


def _insert(text: str, draw: random.Random, texts: list[str]) -> str:
    k = _place(text, draw)
    return text[:k] + draw.choice(WORDS) + text[k:]


def _replace(text: str, draw: random.Random, texts: list[str]) -> str:
    k = _place(text, draw)
    return text[:k] + draw.choice(WORDS) + text[k + draw.randint(1, 4) :]


def _delete(text: str, draw: random.Random, texts: list[str]) -> str:
    k = _place(text, draw)
    return text[:k] + text[k + draw.randint(1, 6) :]


def _character(text: str, draw: random.Random, texts: list[str]) -> str:
    k = _place(text, draw)
    return text[:k] + chr(draw.choice((draw.randint(0, 127), draw.randint(0, 0x10FFFF)))) + text[k + 1 :]


def _splice(text: str, draw: random.Random, texts: list[str]) -> str:
    other = draw.choice(texts)
    return text[: _place(text, draw)] + other[_place(other, draw) :]


def _repeat(text: str, draw: random.Random, texts: list[str]) -> str:
    k = _place(text, draw)
    return text[:k] + text[k : k + draw.randint(1, 8)] * draw.choice((2, 3, 50, 700)) + text[k:]


def _nest(text: str, draw: random.Random, texts: list[str]) -> str:
    return draw.choice(("({})", "tanh({})", "-({})", "where({} > 0, {}, {})", "{} + {}")).replace("{}", text)


def _exchange(text: str, draw: random.Random, texts: list[str]) -> str:
    """Put a part of another text, whole with its parentheses, in the place of one."""
    parts, others = list(_PART.finditer(text)), _PART.findall(draw.choice(texts))
    if not parts or not others:
        return text
    part = draw.choice(parts)
    return text[: part.start()] + draw.choice(others) + text[part.end() :]


_PART = re.compile(r"\w*\((?:[^()]|\([^()]*\))*\)|[\w.]+|[-+*/<>]+")
_MUTATIONS = (_exchange, _exchange, _exchange, _insert, _insert, _replace, _delete, _character, _splice, _repeat, _nest)


class Watch:
    """An audit hook: what the interpreter is asked to do while a text is read."""

    def __init__(self) -> None:
        self.on = False
        self.caught: set[str] = set()
        sys.addaudithook(self._hook)

    def _hook(self, event: str, args) -> None:
        if self.on and event.startswith(BARRED) and not self._innocent(event, args):
            self.caught.add(f"{event} {args!r:.100}")

    def _innocent(self, event: str, args) -> bool:
        """Whether it is the program's own: a module of its own that is read when it is first asked for."""
        return (
            event == "import" and str(args[0]).partition(".")[0] in sys.stdlib_module_names | {"numpy", "normcal"}
        ) or (event in ("open", "exec", "os.listdir", "os.scandir") and any(frame_is_import()))


def frame_is_import():
    """Yield whether each frame below belongs to the import system, or to the listing of the program's own folders."""
    frame = sys._getframe(2)
    while frame:
        yield "importlib" in frame.f_code.co_filename or frame.f_code.co_filename.endswith(
            ("discover.py", "linecache.py", "catalog.py")
        )
        frame = frame.f_back


def main(argv: list[str] | None = None) -> int:
    """Fuzz until the time is up; 0 where nothing was found, else 1 with every kind of finding once."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.fuzz", description=__doc__.partition("\n")[0])
    parser.add_argument("--seconds", type=float, default=60.0, help="how long, over all targets  [default: 60]")
    parser.add_argument("--seed", type=int, default=0, help="of the mutations  [default: 0]")
    parser.add_argument("--only", choices=TARGETS, nargs="+", default=list(TARGETS), help="what is fuzzed")
    options = parser.parse_args(argv)
    watch, fuzzers = Watch(), [Fuzzer(name, options.seed) for name in options.only]
    watch.on, end = True, time.monotonic() + options.seconds
    while time.monotonic() < end:
        for fuzzer in fuzzers:
            fuzzer.try_one(fuzzer.bred())
    watch.on = False
    for fuzzer in fuzzers:
        print(
            f"{fuzzer.name}: {fuzzer.runs:,} texts, {fuzzer.refused:,} refused, {len(fuzzer.texts):,} kept, "
            f"{len(fuzzer.coverage.seen):,} pairs of lines, {len(fuzzer.findings)} findings"
        )
        for finding in fuzzer.findings.values():
            print(f"  {finding}")
    for event in sorted(watch.caught):
        print(f"the interpreter was asked for: {event}")
    return int(any(fuzzer.findings for fuzzer in fuzzers) or bool(watch.caught))


if __name__ == "__main__":
    sys.exit(main())
