"""normcal from Python: two lines, typed, the same objects that the renderers read."""

import importlib.resources
import inspect
import json
import subprocess
import sys

import pytest

import normcal
from normcal import catalog
from normcal.errors import NormcalError
from normcal.layer import Elementwise
from normcal.result import LayerResult, Result
from tests.program import succeed


def test_two_lines_give_a_number_with_its_error():
    found = normcal.compute("gelu").forward.std
    assert float(found) == found.value and 0.0 < found.error < 1e-14


@pytest.mark.parametrize(
    ("spec", "options", "argv"),
    [
        ("relu", {}, []),
        ("gelu", {"mean": 0.5, "std": 2}, ["--mean", "0.5", "--std", "2"]),
        ("sigmoid", {"direction": "backward"}, ["--direction", "backward"]),
        (
            "max_pool(kernel_size=2)",
            {"engine": "monte-carlo", "samples": 500, "seed": 3},
            ["--engine", "monte-carlo", "--samples", "500", "--seed", "3"],
        ),
        ("bilinear", {}, []),
    ],
    ids=["plain", "law", "direction", "engine", "several-inputs"],
)
def test_the_library_and_the_command_line_give_the_same_document(spec, options, argv):
    found = normcal.compute(spec, **options)
    assert isinstance(found, LayerResult)
    assert [found.data()] == json.loads(succeed("compute", spec, *argv, "--format", "json").stdout)["layers"]


def test_a_table_expands_sweeps_and_wildcards_in_order():
    found = normcal.table(["leaky_relu(negative_slope=[0.1, 0.2])", "global_*_pool"])
    assert isinstance(found, Result)
    names = [row.layer.spec for row in found.layers]
    assert names[:2] == ["leaky_relu(negative_slope=0.1)", "leaky_relu(negative_slope=0.2)"]
    assert len(names) > 3 and all(name.startswith("global_") for name in names[2:])


def test_a_layer_object_is_taken_too():
    assert normcal.compute(catalog.layer("relu")).data() == normcal.compute("relu").data()


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: normcal.compute("rellu"), "Unknown layer 'rellu'"),
        (lambda: normcal.compute("relu", sdt=2), "Unknown option 'sdt'"),
        (lambda: normcal.compute("relu", std=-1), "std cannot be -1"),
        (lambda: normcal.compute("elu(alpha=[1, 2])"), "is a sweep over alpha"),
        (lambda: normcal.compute(3), "spec cannot be 3"),
        (lambda: normcal.table("relu"), "specs cannot be 'relu'"),
        (lambda: normcal.table([3]), "specs cannot be"),
        (lambda: normcal.table(["relu", "nonsense"]), "Unknown layer 'nonsense'"),
    ],
    ids=["layer", "option", "value", "sweep", "number", "text", "numbers", "table"],
)
def test_what_is_wrong_is_named(call, message):
    with pytest.raises(NormcalError, match=message):
        call()


def test_a_direction_not_asked_for_is_none():
    assert normcal.compute("relu", direction="forward").backward is None


def test_a_moment_that_does_not_exist_is_no_number():
    with pytest.raises(ValueError, match="no value"):
        float(normcal.compute("relu", std=0.0).forward.gain)


def test_importing_the_library_imports_neither_numpy_nor_click():
    code = "import sys, normcal; print([m for m in ('numpy', 'click', 'yaml', 'scipy') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_the_package_is_marked_as_typed_and_its_public_functions_are_annotated():
    assert importlib.resources.files("normcal").joinpath("py.typed").is_file()
    for name in normcal.__all__:
        function = getattr(normcal, name)
        signature = inspect.signature(function)
        assert function.__doc__ and signature.return_annotation is not inspect.Signature.empty
        assert all(p.annotation is not inspect.Parameter.empty for p in signature.parameters.values())


#: Affine settings whose law of the inner input is exact in doubles, and some whose is not.
AROUND = [(2.0, 0.0, 1.0, 0.0), (-0.5, 0.25, 3.0, -1.0), (1.0, 0.1, -1.5, 0.0), (0.3, -0.7, 0.1, 10.0)]


@pytest.mark.parametrize("around", AROUND, ids=str)
@pytest.mark.parametrize("name", ["relu", "gelu", "tanh", "leaky_relu", "selu"])
def test_scales_and_shifts_around_a_layer_are_those_of_the_layer_at_the_moved_law(name, around):
    a, b, c, d = around
    spec = f"{name}(input_scale={a}, input_shift={b}, output_scale={c}, output_shift={d})"
    found = normcal.compute(spec, mean=0.25, std=0.5)
    plain = normcal.compute(name, mean=0.25 * a + b, std=0.5 * abs(a))
    expected = {
        "forward.mean": c * plain.forward.mean.value + d,
        "forward.std": abs(c) * plain.forward.std.value,
        "backward.std": abs(a * c) * plain.backward.std.value,
    }
    for path, value in expected.items():
        assert found.quantity(path).value == pytest.approx(value, rel=2e-13, abs=1e-15), path


def test_every_elementwise_layer_takes_scales_and_shifts():
    names = {"input_scale", "input_shift", "output_scale", "output_shift"}
    for cls in catalog.classes().values():
        has = names <= {param.name for param in cls.params}
        assert has == issubclass(cls, Elementwise), cls.name


def test_an_input_scale_of_zero_is_refused():
    with pytest.raises(NormcalError, match="input_scale cannot be 0"):
        normcal.compute("relu(input_scale=0)")


def test_plain_scales_and_shifts_leave_the_spec_alone():
    assert catalog.layer("relu(input_scale=1, output_shift=0)").spec == "relu"
