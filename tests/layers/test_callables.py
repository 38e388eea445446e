"""Functions from code: what they give, what is refused and how it is told, and who may load them."""

import functools
import importlib.util
import pickle
import sys
import textwrap

import numpy as np
import pytest

import normcal
from normcal import catalog, code, engine, framework, verification
from normcal.engine import Effort
from normcal.errors import FileError, RequestError
from normcal.law import STANDARD, Normal
from normcal.request import Request
from normcal.result import ESTIMATE
from tests.program import invoke, run, succeed

WELL = """
import numpy as np

def elu(x, alpha=1.0):
    return np.where(x > 0, x, alpha * np.expm1(np.minimum(x, 0)))

def relu(x):
    return np.maximum(x, 0.0)

def dtanh(x):
    return 1.0 / np.cosh(x) ** 2

def tanh(x):
    return np.tanh(x)

tanh.derivative = dtanh

def single(x):
    return np.tanh(x.astype(np.float32))

class Leaky:
    def __init__(self, slope=0.01):
        self.slope = slope

    def __call__(self, x):
        return np.where(x > 0, x, self.slope * x)

class Space:
    sine = staticmethod(np.sin)
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A working directory with a file of functions; what tests import from it is forgotten."""
    (tmp_path / "act.py").write_text(WELL, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    before = set(sys.modules)
    yield tmp_path
    for name in set(sys.modules) - before:
        if name.partition(".")[0] in ("act", "package") or name.startswith("_normcal_code_"):
            del sys.modules[name]


def written(folder, source, name="own.py"):
    (folder / name).write_text(textwrap.dedent(source), encoding="utf-8")


#: (what is typed, the built-in layer that it is)
SAME = [
    ("act.py:elu", "elu"),
    ("act:elu", "elu"),
    ('callable("act.py:elu", alpha=0.5)', "elu(alpha=0.5)"),
    ("act.py:relu", "relu"),
    ("act.py:tanh", "tanh"),
    ('callable("act.py:relu", derivative="act.py:relu")', "relu"),
    ('callable("act.py:Leaky", slope=0.2)', "leaky_relu(negative_slope=0.2)"),
    ("act.py:Space.sine", "sin"),
    ("numpy:sin", "sin"),
    ("act.py:single", "tanh"),
]


@pytest.mark.parametrize(("typed", "same"), SAME, ids=[typed for typed, _ in SAME])
@pytest.mark.parametrize("law", [STANDARD, Normal(0.5, 2.0), Normal(-0.3, 0.01)], ids=str)
def test_a_function_from_code_is_what_the_built_in_layer_is_within_the_errors(typed, same, law, folder):
    mine, its = catalog.layer(typed, code=True), catalog.layer(same)
    for direction in ("forward",) if "derivative" in typed else ("forward", "backward"):
        found = engine.estimate("auto", mine, direction, law, Effort())
        exact = engine.estimate("auto", its, direction, law, Effort())
        assert (found.engine, found.error_kind) == ("adaptive", ESTIMATE)
        for name in ("mean", "std", "rms"):
            one, other = getattr(found, name), getattr(exact, name)
            assert abs(one.value - other.value) <= one.error + other.error, (direction, name)
        limit = {"single": 5e-2 if direction == "backward" else 1e-3}.get(typed.partition(":")[2], 1e-6)
        assert found.relative_error < limit


#: Laws of the input and of the incoming gradient.
ANY_LAW = [
    {"input": "uniform"}, {"input": "laplace"}, {"input": "student_t(df=5)"},
    {"input": "half_normal", "gradient_std": 3.0},
    {"gradient_std": 2.0}, {"gradient_mean": 0.5}, {"correlation": -0.6, "gradient_mean": 0.3, "gradient_std": 2.0},
    {"input": "uniform", "correlation": 0.4}, {"std": 0.0, "mean": 0.3, "gradient_std": 2.0},
]  # fmt: skip


@pytest.mark.parametrize("options", ANY_LAW, ids=str)
def test_any_law_of_the_input_and_of_the_gradient_gives_what_it_gives_the_built_in_layer(options, folder):
    mine, its = normcal.compute("act.py:tanh", **options), normcal.compute("tanh", **options)
    for direction in ("forward", "backward"):
        found, exact = getattr(mine, direction), getattr(its, direction)
        assert found.engine == "adaptive" and found.relative_error < 1e-12
        for name in ("mean", "std", "rms"):
            one, other = getattr(found, name), getattr(exact, name)
            assert abs(one.value - other.value) <= one.error + other.error, (direction, name)


def test_differences_leave_laws_that_they_do_not_serve_to_monte_carlo(folder):
    for options in ({"gradient_mean": 0.5}, {"input": "uniform"}):
        mine = normcal.compute("act.py:elu", direction="backward", samples=20_000, **options).backward
        its = normcal.compute("elu", direction="backward", **options).backward
        assert mine.engine == "monte-carlo" and abs(mine.rms.value - its.rms.value) < 6.0 * mine.rms.error


def test_its_spec_is_canonical_and_leads_back_to_it(folder):
    layer = catalog.layer('callable("act.py:elu",alpha=[0.5])'.replace("[0.5]", "0.5"), code=True)
    assert layer.spec == 'callable("act.py:elu", alpha=0.5)'
    assert catalog.layer("act.py:elu", code=True).spec == 'callable("act.py:elu")'
    assert catalog.layer(layer.spec, code=True) == layer
    specs = [one.spec for one in catalog.layers(['callable("act.py:elu", alpha=[0.5, 1])'], code=True)]
    assert specs == ['callable("act.py:elu", alpha=0.5)', 'callable("act.py:elu", alpha=1)']


def test_a_given_derivative_is_used_and_one_that_is_not_the_functions_is_told(folder):
    found = normcal.compute("act.py:tanh")
    assert found.details["code"]["derivative"] == "given" and found.backward.std.error < 1e-12 and not found.notes
    wrong = normcal.compute('callable("act.py:tanh", derivative=relu)')
    assert any("the derivative that is given is" in note for note in wrong.notes)
    assert "by differences" in " ".join(normcal.compute("act.py:elu").notes)


def test_a_jump_is_found_and_its_delta_left_out(folder):
    found = normcal.compute(lambda x: np.where(x > 0.3, x + 1.0, x))
    assert any("jumps at x = 0.3;" in note for note in found.notes)
    assert abs(found.backward.std.value - 1.0) <= found.backward.std.error < 1e-6


def test_verify_holds_the_estimate_against_monte_carlo(folder):
    layers = [catalog.layer(text, code=True) for text in ("act.py:elu", "act.py:tanh", "act.py:single")]
    found = verification.verify(Request(samples=50_000), layers)
    assert {c.verdict for c in found} == {"agree"} and {c.engines for c in found} == {("adaptive", "monte-carlo")}
    assert {(c.layer, c.direction) for c in found} == {
        (one.spec, way) for one in layers for way in ("forward", "backward")
    }


# -- Python objects


def _cubic(x):
    return x**3


class _Scaled:
    def __call__(self, x):
        return 2.0 * x


#: (object, forward std under N(0, 1))
OBJECTS = [
    (np.sin, np.sqrt((1.0 - np.exp(-2.0)) / 2.0)),
    (_cubic, np.sqrt(15.0)),
    (lambda x: 3.0 * x, 3.0),
    (functools.partial(np.multiply, 2.0), 2.0),
    (_Scaled(), 2.0),
    (np.vectorize(lambda x: x if x > 0 else 0.0), np.sqrt(0.5 - 0.5 / np.pi)),
]


@pytest.mark.parametrize(("given", "std"), OBJECTS, ids=range(len(OBJECTS)))
def test_a_python_object_is_computed_as_it_is(given, std):
    found = normcal.compute(given)
    assert found.forward.std.value == pytest.approx(std, rel=1e-12) and found.layer.spec.startswith('callable("')


# -- what code does wrong

#: (what is wrong, source of own.py, what is typed, words of the message)
WRONG = [
    ("no file", "", "nowhere.py:phi", ["There is no file 'nowhere.py'"]),
    ("no module", "", "no_such_module_at_all:phi", ["There is no module 'no_such_module_at_all'"]),
    ("no parent module", "", "no_such.module:phi", ["no_such.module", "No module named 'no_such'"]),
    ("no such name", "def phi(x): return x", "own.py:psi", ["own.py defines no 'psi'", "'phi'"]),
    ("no function", "phi = 3", "own.py:phi", ["own.py:phi is no function", "int"]),
    ("a syntax error", "x = 1\ndef (:", "own.py:phi", ["own.py cannot be loaded", "SyntaxError", "own.py, line 2"]),
    ("an import that fails", "import no_such", "own.py:phi", ["ModuleNotFoundError", "own.py, line 1"]),
    ("code that fails", "1 / 0", "own.py:phi", ["ZeroDivisionError: division by zero (own.py, line 1)"]),
    ("an exit", "raise SystemExit('bye')", "own.py:phi", ["SystemExit: bye"]),
    ("it raises", "def phi(x):\n    raise ValueError('not today')", "own.py:phi",
     ["own.py:phi raises on a NumPy array: ValueError: not today (own.py, line 2)"]),
    ("an assertion without words", "def phi(x):\n    assert False", "own.py:phi", ["AssertionError: no message"]),
    ("it exits", "import sys\ndef phi(x): sys.exit(0)", "own.py:phi",
     ["raises on a NumPy array: SystemExit: 0 (own.py, line 2)"]),
    ("it raises what is no exception", "def phi(x): raise BaseException('odd')", "own.py:phi", ["BaseException: odd"]),
    ("code that raises what is no exception", "raise BaseException('odd')", "own.py:phi", ["own.py cannot be loaded"]),
    ("a class that exits", "class Phi:\n    def __init__(self): raise SystemExit", "own.py:Phi", ["cannot be made"]),
    ("one number for many", "def phi(x): return x.sum()", "own.py:phi", ["returns one number for an array of shape"]),
    ("too few", "def phi(x): return x[:-1]", "own.py:phi", ["returns an array of shape (256,)", "(257,)"]),
    ("another shape", "def phi(x): return x[:, None]", "own.py:phi", ["returns an array of shape (257, 1)"]),
    ("nothing", "def phi(x): pass", "own.py:phi", ["returns nothing"]),
    ("text", "def phi(x): return 'x'", "own.py:phi", ["returns a value of type str"]),
    ("a list", "def phi(x): return list(x)", "own.py:phi", ["returns a value of type list"]),
    ("complex numbers", "def phi(x): return x + 1j", "own.py:phi", ["values of type complex128"]),
    ("objects", "def phi(x): return x.astype(object)", "own.py:phi", ["values of type object"]),
    ("numbers one at a time", "import math\ndef phi(x): return math.exp(x)", "own.py:phi",
     ["TypeError", "numpy.vectorize"]),
    ("a condition", "def phi(x): return x if x > 0 else 0 * x", "own.py:phi", ["truth value", "numpy.vectorize"]),
    ("a normalisation", "def phi(x): return x - x.mean()", "own.py:phi", ["is not elementwise: at x ="]),
    ("a cumulative sum", "def phi(x): return x.cumsum()", "own.py:phi", ["is not elementwise"]),
    ("a sort", "import numpy as np\ndef phi(x): return np.sort(x)", "own.py:phi", ["is not elementwise"]),
    ("the place counts", "import numpy as np\ndef phi(x): return x * np.arange(len(x))", "own.py:phi",
     ["is not elementwise"]),
    ("the size counts", "def phi(x): return x * len(x)", "own.py:phi", ["is not elementwise"]),
    ("dropout", "import numpy as np\ndef phi(x): return x * (np.random.default_rng().random(x.shape) > 0.1)",
     "own.py:phi", ["is not deterministic: at x ="]),
    ("a state", "n = [0]\ndef phi(x):\n    n[0] += 1\n    return x + n[0]", "own.py:phi", ["is not deterministic"]),
    ("no number", "import numpy as np\ndef phi(x): return np.log(x)", "own.py:phi", ["is no number at x = -"]),
    ("no number in between", "import numpy as np\ndef phi(x): return np.sqrt(np.abs(x - 1) - 0.05)", "own.py:phi",
     ["is no number at x ="]),
    ("an unknown parameter", "def phi(x, a=1): return a * x", 'callable("own.py:phi", b=2)', ["'b'", "phi(x, a=1)"]),
    ("a missing parameter", "def phi(x, a): return a * x", "own.py:phi", ["missing a required argument: 'a'"]),
    ("a class that fails",
     "class Phi:\n    def __init__(self):\n        raise OSError('gone')\n    def __call__(self, x): return x",
     "own.py:Phi", ["own.py:Phi cannot be made: OSError: gone (own.py, line 3)"]),
    ("a class whose objects are none", "class Phi: pass", "own.py:Phi", ["objects cannot be called"]),
    ("a layer as a parameter", "def phi(x, a): return x", 'callable("own.py:phi", a=elu(alpha=1))', ["a cannot be"]),
    ("an unknown kind of arrays", "def phi(x): return x", 'callable("own.py:phi", arrays=cupy)', ["'cupy'", "numpy"]),
    ("a derivative that is not there", "def phi(x): return x", 'callable("own.py:phi", derivative=dphi)',
     ["own.py defines no 'dphi'"]),
    ("a derivative that fails", "def phi(x): return x\ndef dphi(x): return None",
     'callable("own.py:phi", derivative=dphi)', ["own.py:dphi returns nothing"]),
]  # fmt: skip


@pytest.mark.parametrize(("source", "typed", "told"), [one[1:] for one in WRONG], ids=[one[0] for one in WRONG])
def test_what_code_does_wrong_is_named_without_a_traceback(source, typed, told, folder):
    written(folder, source)
    done = invoke("compute", typed)
    assert done.exit_code == 2 and not done.stdout
    assert all(word in " ".join(done.stderr.split()) for word in told), done.stderr


@pytest.mark.parametrize("engine_name", ["auto", "monte-carlo"])
def test_no_number_is_refused_by_every_engine(engine_name, folder):
    written(folder, "import numpy as np\ndef phi(x): return np.log(x)")
    with pytest.raises(RequestError, match="is no number at x = -"):
        normcal.compute("own.py:phi", engine=engine_name, samples=1000)


#: (source, what the record says)
NO_MOMENTS = [
    ("import numpy as np\ndef phi(x): return np.exp(x * x)", "infinite"),
    ("import numpy as np\ndef phi(x): return np.where(x > 1, np.inf, x)", "infinite at x"),
    ("def phi(x): return 1 / x", "may not exist"),
    ("import numpy as np\ndef phi(x): return np.abs(x) ** -0.5", "may not exist"),
    ("import numpy as np\ndef phi(x): return np.exp(0.24999 * x * x)", "may not exist"),
]


@pytest.mark.parametrize(
    ("source", "told"), NO_MOMENTS, ids=[source.partition("return ")[2] for source, _ in NO_MOMENTS]
)
def test_no_error_is_stated_where_moments_may_not_exist(source, told, folder):
    written(folder, source)
    found = normcal.compute("own.py:phi", direction="forward").forward
    assert found.status == "tolerance-missed" and told in found.reason
    assert found.std.error is None


def test_a_function_that_changes_its_input_is_given_a_copy_and_told_of(folder):
    written(folder, "def phi(x):\n    x[x < 0] = 0\n    return x")
    found = normcal.compute("own.py:phi")
    assert any("it changes the array that it is given" in note for note in found.notes)
    assert found.forward.std.value == pytest.approx(np.sqrt(0.5 - 0.5 / np.pi), rel=1e-12)


@pytest.mark.parametrize(
    "source", ["print('hello')\ndef phi(x): return x", "def phi(x):\n    print('hello')\n    return x"],
    ids=["while it is loaded", "at each call"],
)  # fmt: skip
def test_what_code_prints_is_no_part_of_the_result(source, folder):
    written(folder, source)
    for engine_name in ("auto", "monte-carlo"):
        argv = ("compute", "own.py:phi", "--format", "csv", "--engine", engine_name, "--samples", "1000")
        done = run(*argv, cwd=folder)
        assert done.returncode == 0 and "hello" not in done.stdout and "hello" in done.stderr, done.stderr
        assert done.stdout.startswith("spec,")


def test_code_may_import_what_lies_beside_it(folder):
    written(folder, "def twice(x): return 2 * x", "beside.py")
    written(folder, "import beside\ndef phi(x): return beside.twice(x)")
    assert normcal.compute("own.py:phi").forward.std.value == pytest.approx(2.0, rel=1e-12)


# -- who may load code

REFUSING = [
    ("a config", "config.yaml", 'layers: ["act.py:elu"]\n', ["table", "config.yaml"]),
    ("a chain in a config", "config.yaml", 'layers: ["relu | act.py:elu"]\n', ["table", "config.yaml"]),
    ("an output", "normcal.yaml", 'outputs:\n  - path: a.json\n    layers: ["act.py:elu"]\n', ["generate"]),
    ("a named layer", "normcal.yaml",
     "outputs:\n  - path: a.json\n    layers: {own: 'callable(\"act.py:elu\", alpha=2)'}\n", ["generate"]),
]  # fmt: skip


@pytest.mark.parametrize(("name", "text", "argv"), [one[1:] for one in REFUSING], ids=[one[0] for one in REFUSING])
def test_a_file_never_has_code_loaded(name, text, argv, folder):
    (folder / "act.py").write_text("open('loaded', 'w').close()\n" + WELL, encoding="utf-8")
    (folder / name).write_text(text, encoding="utf-8")
    done = invoke(*argv)
    assert done.exit_code == 2 and "act.py:elu is Python code" in " ".join(done.stderr.split())
    assert name in done.stderr and not (folder / "loaded").exists()


@pytest.mark.parametrize("typed", ["act.py:elu", 'Call-Able("act.py:elu")', 'gated(activation="act.py:elu")',
                                   'gated(activation=callable("act.py:elu"))', "relu | act.py:elu"])  # fmt: skip
def test_the_catalogue_loads_no_code_unless_it_is_told_to(typed, folder):
    (folder / "act.py").write_text("open('loaded', 'w').close()\n" + WELL, encoding="utf-8")
    with pytest.raises(RequestError):
        catalog.layer(typed)
    with pytest.raises(RequestError):
        catalog.layers([typed])
    assert not (folder / "loaded").exists()


@pytest.mark.parametrize("command", ["compute", "verify", "explain"])
def test_code_that_is_typed_is_loaded_and_help_says_so(command, folder):
    succeed(command, "act.py:elu", "--samples", "1000")
    told = " ".join(succeed("compute", "--help").stdout.split())
    assert "that loads the file or module and runs its Python code" in told


# -- elsewhere


def test_a_layer_goes_to_other_processes_by_its_place(folder):
    layer = catalog.layer('callable("act.py:elu", alpha=0.5)', code=True)
    again = pickle.loads(pickle.dumps(layer))
    assert again == layer and again.fingerprint() == layer.fingerprint() != ""


def test_changed_code_is_told_apart(folder):
    before = catalog.layer("act.py:elu", code=True)
    kept = pickle.dumps(before)
    (folder / "act.py").write_text(WELL + "\n# changed\n", encoding="utf-8")
    after = catalog.layer("act.py:elu", code=True)
    assert before.spec == after.spec and before.fingerprint() != after.fingerprint()
    with pytest.raises(FileError, match="other code here"):
        pickle.loads(kept)


def test_the_file_of_a_derivative_counts_too(folder):
    written(folder, "import numpy as np\ndef dphi(x): return 1 / np.cosh(x) ** 2")
    typed = 'callable("act.py:tanh", derivative="own.py:dphi")'
    before = catalog.layer(typed, code=True).fingerprint()
    written(folder, "import numpy as np\ndef dphi(x): return 1.0 / np.cosh(x) ** 2")
    assert catalog.layer(typed, code=True).fingerprint() != before


@pytest.mark.parametrize("executor", ["threads", "processes"])
def test_every_executor_gives_the_same_bits(executor, folder):
    done = run("compute", "act.py:elu", "--engine", "monte-carlo", "--samples", "20000", "--executor", executor,
               "--workers", "2", "--format", "json", cwd=folder)  # fmt: skip
    assert done.returncode == 0, done.stderr
    mine = normcal.compute("act.py:elu", engine="monte-carlo", samples=20_000, workers=1)
    assert f'"std": {mine.forward.std.value!r}' in done.stdout


def test_a_function_without_a_name_cannot_go_to_a_process_and_that_is_said():
    with pytest.raises(RequestError, match="cannot be sent to a process"):
        normcal.compute(lambda x: x, engine="monte-carlo", samples=1000, executor="processes", workers=2)


def test_a_checkpoint_is_not_gone_on_from_with_changed_code(folder):
    argv = ("compute", "act.py:elu", "--engine", "monte-carlo", "--samples", "20000", "--checkpoint", "state")
    succeed(*argv)
    succeed(*argv)
    (folder / "act.py").write_text(WELL.replace("alpha * np.expm1", "2 * alpha * np.expm1"), encoding="utf-8")
    assert invoke(*argv).exit_code == 2


def test_a_chain_holds_code(folder):
    found = normcal.compute("relu | act.py:elu", samples=20_000)
    assert found.forward.std.value == pytest.approx(0.5838, rel=0.05)


# -- frameworks

TORCH = pytest.mark.skipif(importlib.util.find_spec("torch") is None, reason="PyTorch is not installed")
JAX = pytest.mark.skipif(importlib.util.find_spec("jax") is None, reason="JAX is not installed")
TORCH_SOURCE = """
import torch
from torch import nn

def mish(x):
    return x * torch.tanh(nn.functional.softplus(x))

class Leaky(nn.Module):
    def __init__(self, slope=0.25):
        super().__init__()
        self.slope = nn.Parameter(torch.tensor(slope))

    def forward(self, x):
        return torch.where(x > 0, x, self.slope * x)

drop = nn.Dropout(0.5)
straight = lambda x: x + (torch.round(x) - x).detach()
"""
JAX_SOURCE = """
import jax
import jax.numpy as jnp

def silu(x, beta=1.0):
    return x * jax.nn.sigmoid(beta * x)

@jax.jit
def tanh(x):
    return jnp.tanh(x)
"""
AUTOGRAD = [
    pytest.param(TORCH_SOURCE, "own.py:mish", "mish", "torch", marks=TORCH),
    pytest.param(TORCH_SOURCE, "own.py:Leaky", "leaky_relu(negative_slope=0.25)", "torch", marks=TORCH),
    pytest.param(TORCH_SOURCE, "torch.nn:GELU", "gelu", "torch", marks=TORCH),
    pytest.param(
        TORCH_SOURCE, 'callable("torch.nn.functional:gelu", approximate=tanh)', "gelu_tanh", "torch", marks=TORCH
    ),
    pytest.param(TORCH_SOURCE, 'callable("torch.nn:ReLU", inplace=true)', "relu", "torch", marks=TORCH),
    pytest.param(JAX_SOURCE, 'callable("own.py:silu", beta=2)', "swish(beta=2)", "jax", marks=JAX),
    pytest.param(JAX_SOURCE, "own.py:tanh", "tanh", "jax", marks=JAX),
    pytest.param(JAX_SOURCE, 'callable("jax.nn:relu", arrays=jax)', "relu", "jax", marks=JAX),
]


@pytest.mark.parametrize(("source", "typed", "same", "kind"), AUTOGRAD)
def test_a_framework_is_recognised_and_differentiates(source, typed, same, kind, folder):
    written(folder, source)
    mine, its = normcal.compute(typed), normcal.compute(same)
    assert (mine.details["code"]["arrays"], mine.details["code"]["derivative"]) == (kind, "autograd")
    for direction in ("forward", "backward"):
        one, other = getattr(mine, direction).std, getattr(its, direction).std
        assert abs(one.value - other.value) <= one.error + other.error and one.error < 1e-12


@TORCH
def test_what_a_torch_function_does_wrong_is_named(folder):
    written(folder, TORCH_SOURCE)
    with pytest.raises(RequestError, match="drop is not deterministic"):
        normcal.compute("own.py:drop")
    notes = normcal.compute("own.py:straight", direction="backward").notes
    assert any("its gradient is 1 at x = " in note for note in notes)


def test_a_framework_that_is_not_installed_is_named(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name, package=None: None)
    with pytest.raises(RequestError, match="torch is not installed") as refused:
        framework.get("torch").check()
    assert "normcal[torch]" in refused.value.hint


def test_where_something_was_raised_is_told_of_the_users_code_not_of_libraries(folder):
    written(folder, "import numpy as np\ndef phi(x):\n    return np.linalg.inv(x)")
    with pytest.raises(RequestError, match=r"LinAlgError: .* \(own.py, line 3\)"):
        code.fitted("own.py:phi", code.load("own.py:phi").value)
