"""``python -m benchmarks.fuzz``: a coverage-guided fuzzer of what users type: expressions and SPECs.

Atheris (libFuzzer) breeds texts from the seeds and the words of the grammar, and keeps those that reach something new.
Each is read, and what is read is built and run on a few numbers. Anything but a refusal is a finding: another
exception, a message without end, a text that takes long, memory that grows. An audit hook watches that nothing is
executed, imported or opened on a text's behalf. Needs the extra ``normcal[benchmarks]``.
"""

from __future__ import annotations

import argparse
import pathlib
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator

#: Seconds that one text may take, megabytes that the whole program may hold, bytes of a text.
LONGEST, LARGEST, MOST_BYTES = 5, 1_000, 6_000
#: Layers that one text may stand for here, and characters of a refusal.
MOST_LAYERS, MOST_SAID = 50, 2_000
#: What the interpreter does on a text's behalf that nobody asked for; ``compile`` makes the tree.
BARRED = ("exec", "open", "import", "os.", "subprocess.", "socket.", "shutil.", "ctypes.", "pickle.")
#: What reads texts, and is watched for new paths.
READERS = ["normcal.expression", "normcal.spec", "normcal.param", "normcal.catalog", "normcal.layers"]
_WORDS = r"""
x y a 1 2.5 1e-3 9**9**9 1e308 + - * / ** ( ) , < > <= == where( tanh( max( abs( log( sqrt( floor( elu(x,alpha= pi nan
lambda __import__ None = [ ] 0:1:5 :log | expr( relu gated(activation= m.n:f 0x1f 1_000 1j inf 0.1 ((( ))) --- name=
kinks= ~ *_pool ? " ' \
"""
WORDS = (*re.findall(r"\S+", _WORDS), " and ", " or ", "not ", " if ", " else ", "\n", "\0", "é")
SEEDS = {
    "expression": (
        "x * tanh(softplus(x))", "where(x > 0, x, a * expm1(x))", "a * sigmoid(b)", "clip(x, -1, 1)**3",
        "x if x > 0 else 0",
        "where(0 < x < 1 and not x > 2, max(x, 0, 1), leaky_relu(x, negative_slope=1/4))", "abs(x)**1.5", "2**-x",
    ),
    "spec": (
        "relu", "leaky_relu(negative_slope=0.2)", "max_pool(kernel_size=(3, 2), ndim=2)", "elu(alpha=[0.5, 1])",
        'expr("a * x", a=1.3, name=mine)', "elu(alpha=1e-3:1:31:log)", "gated(activation=expr('tanh(x)'))",
        "polynomial(coefficients=(0, 1, 0.5))", "relu | dropout(keep_prob=0.9) | max_pool(kernel_size=2)",
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
        if event == "import":
            return str(args[0]).partition(".")[0] in sys.stdlib_module_names | {"numpy", "normcal"}
        return event in ("open", "exec", "os.listdir", "os.scandir") and any(_loading())


def _loading() -> Iterator[bool]:
    """Yield whether each frame below belongs to the import system, or to the listing of the program's own folders."""
    frame = sys._getframe(2)
    while frame:
        path = frame.f_code.co_filename
        yield "importlib" in path or path.endswith(("discover.py", "linecache.py", "catalog.py"))
        frame = frame.f_back


def tried(work: Callable[[str], None], watch: Watch, text: str) -> None:
    """Run one text; raise for whatever is neither an answer nor a refusal."""
    from normcal.errors import NormcalError

    watch.on = True
    try:
        work(text)
    except NormcalError as error:
        if len(str(error)) > MOST_SAID:
            raise AssertionError(f"a message without end: {str(error)[:200]} ...") from None
    finally:
        watch.on = False
    if watch.caught:
        raise AssertionError(f"the interpreter was asked for: {', '.join(sorted(watch.caught))}")


def fuzz(name: str, seconds: int, seed: int) -> None:
    """Fuzz one target in this process, which ends with it: 0 where nothing was found."""
    import atheris

    with atheris.instrument_imports(include=READERS):
        for module in READERS:
            __import__(module)
        for text in SEEDS[name]:
            TARGETS[name](text)  # imports what it needs, before anybody watches
    watch = Watch()

    def one(data: bytes) -> None:
        tried(TARGETS[name], watch, data.decode("utf-8", "surrogateescape"))

    with tempfile.TemporaryDirectory() as folder:
        atheris.Setup([sys.argv[0], *_options(pathlib.Path(folder), name, seconds, seed)], one)
        atheris.Fuzz()


def _options(folder: pathlib.Path, name: str, seconds: int, seed: int) -> list[str]:
    """Return what libFuzzer is told, its seeds and words written to a folder."""
    corpus = folder / "corpus"
    corpus.mkdir()
    for number, text in enumerate(SEEDS[name]):
        (corpus / str(number)).write_text(text, encoding="utf-8")
    words = ("".join(f"\\x{byte:02x}" for byte in word.encode()) for word in WORDS)
    (folder / "words").write_text("".join(f'"{word}"\n' for word in words))
    limits = [f"-timeout={LONGEST}", f"-rss_limit_mb={LARGEST}", f"-max_len={MOST_BYTES}"]
    run = [f"-max_total_time={seconds}", f"-seed={seed}", f"-artifact_prefix={folder}/", "-print_final_stats=1"]
    return [*limits, *run, f"-dict={folder / 'words'}", str(corpus)]


def main(argv: list[str] | None = None) -> int:
    """Fuzz each target in a process of its own until the time is up; 0 where nothing was found, else 1."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.fuzz", description=__doc__.partition("\n")[0])
    parser.add_argument("--seconds", type=int, default=30, help="how long, each target  [default: 30]")
    parser.add_argument("--seed", type=int, default=1, help="of the mutations  [default: 1]")
    parser.add_argument("--only", choices=TARGETS, help="fuzz this target alone, in this process")
    options = parser.parse_args(argv)
    if options.only:
        fuzz(options.only, options.seconds, options.seed)
    found = 0
    for name in TARGETS:
        command = [sys.executable, "-m", "benchmarks.fuzz", f"--seconds={options.seconds}", f"--seed={options.seed}"]
        done = subprocess.run([*command, "--only", name], capture_output=True, text=True, errors="replace")
        said = dict(re.findall(r"stat::(\w+):\s+(\d+)", done.stderr))
        verdict = "nothing found" if done.returncode == 0 else done.stderr[-4_000:]
        print(f"{name}: {said.get('number_of_executed_units', 'no')} texts, {verdict}", flush=True)
        found += done.returncode != 0
    return int(found > 0)


if __name__ == "__main__":
    sys.exit(main())
