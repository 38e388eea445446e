"""Hand-made results that every format renders: fixed numbers, so that no computation can move them."""

from __future__ import annotations

import normcal
from normcal import assembly, catalog, summary
from normcal.constants import Constants
from normcal.law import Normal
from normcal.report import Error, Formula, Heading, Items, Number, Paragraph, Report, Table
from normcal.result import (
    INFINITE,
    OVERFLOW,
    STANDARD_ERROR,
    TOLERANCE_MISSED,
    UNDEFINED,
    Estimate,
    LayerResult,
    Result,
)  # fmt: skip
from normcal.value import Value

NOTHING = Value()


def exact() -> LayerResult:
    """A layer whose formula is known, in both directions."""
    return LayerResult(
        catalog.layer("leaky_relu(negative_slope=0.25)"),
        Estimate(
            "closed-form", Value(0.29920671030107454, 2e-16), Value(0.6653, 3e-16), Value(0.7288689868556626, 4e-16)
        ),
        Estimate("closed-form", Value(0.0, 0.0), Value(0.7288689868556626, 1e-16), Value(0.7288689868556626, 1e-16)),
    )


def sampled() -> LayerResult:
    """A layer that was simulated."""
    rest = {"error_kind": STANDARD_ERROR, "samples": 100_000, "seed": 7}
    return LayerResult(
        catalog.layer("max_pool(kernel_size=(3, 2))"),
        Estimate("monte-carlo", Value(1.26731, 0.00064), Value(0.64523, 0.00046), Value(1.42212, 0.00059), **rest),
        Estimate("monte-carlo", Value(-0.00031, 0.0011), Value(0.40825, 0.00079), Value(0.40825, 0.00079), **rest),
    )


def troubled() -> list[LayerResult]:
    """Layers with every status, absent numbers, errors that nobody can state, and remarks."""
    law_less = LayerResult(
        catalog.layer("relu"),
        Estimate("quadrature", Value(0.0, 0.0), Value(0.0, 0.0), Value(0.0, 0.0)),
        Estimate("quadrature", NOTHING, NOTHING, NOTHING, status=UNDEFINED, reason="the input lies on a kink"),
        notes=(
            "relu, forward: the std is 0, so there is no gain",
            "a remark with a | bar, a, comma and \u201cquotes\u201d",
        ),
    )
    endless = LayerResult(
        catalog.layer("tanh"),
        Estimate("quadrature", Value(1.0, 1e-16), NOTHING, NOTHING, status=INFINITE, reason="the variance is infinite"),
        Estimate("quadrature", NOTHING, NOTHING, NOTHING, status=OVERFLOW, reason="beyond a double"),
    )
    vague = LayerResult(
        catalog.layer("silu"),
        Estimate(
            "quadrature", Value(2.5e-310, 5e-324), Value(1.25e-7), Value(1.25e-7), status=TOLERANCE_MISSED, reason="x"
        ),
        None,
    )
    return [law_less, endless, vague]


def result() -> Result:
    """Everything at once, at an input law of its own."""
    return Result((exact(), sampled(), *troubled()), Normal(0.5, 2.0), title="A title with | and *stars*")


def reports() -> dict[str, Report]:
    """Return the reports that the golden files show, by name."""
    whole = result()
    grid = Table(
        ("Param", "ReLU"),
        (("fp mean", Number(Value(0.3989422804014327, 1e-16))), ("fp std", Number(NOTHING))),
        ("Param",),
    )
    prose = Report(
        {"spec": "relu", "formula": "max(0, x)"},
        [{"direction": "forward", "mean": 0.5, "reason": None}, {"direction": "backward", "std": 1e-16}],
        (
            Heading("relu"),
            Paragraph("The rectifier."),
            Formula("max(0, x)", r"\max(0, x)"),
            Heading("Moments"),
            Table(("of", "formula"), (("std", Formula("|x| √(1/2)", r"|x| \sqrt{1/2}")),), words=("of", "formula")),
            Items(("first", "second")),
            Items(()),
            Items(("an aside",), aside=True),
            Table(("engine", "error"), (("a", Error(1.2e-16)), ("b", Error(0.0)), ("c", Error(None))), ("engine",)),
        ),
    )  # fmt: skip
    return {
        "by_direction": summary.by_direction(whole),
        "by_layer": summary.by_layer(whole, [Heading("A grid"), grid]),
        "one_direction": summary.by_layer(Result((troubled()[2],))),
        "nothing": summary.by_layer(Result(())),
        "prose": prose,
    }


def steady(text: str) -> str:
    """Take the version out, so that a release changes no golden file."""
    return text.replace(f"normcal {normcal.__version__}", "normcal VERSION")


def constants(layout: str | None = None, *, flat: bool = False, name: str = "GAINS", **more) -> Constants:
    """Return a file of constants: exact, sampled and absent numbers, a header with signs that formats must escape."""
    rows = {"leaky_relu": exact(), "max_pool_3_2": sampled(), "tanh": troubled()[1], "relu_at_0": troubled()[0]}
    paths = ("forward.gain",) if flat else ("forward.mean", "forward.gain", "backward.gain", "forward.std^2")
    columns = [assembly.column(path, None, "snake") for path in paths]
    header = more.pop("header", ('Ends comments: */ --> and \\ "quotes" {{ braces }} % and # $x$.',))
    request = more.pop(
        "request", {"layers": ["leaky_relu(negative_slope=0.25)"], "columns": list(paths), "keys": "snake"}
    )
    return assembly.build(
        name, columns, list(rows), list(rows.values()), Normal(0.5, 2.0), layout=layout, header=header,
        request=request, **more,
    )  # fmt: skip
