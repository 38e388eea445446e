"""The answer to a problem: solutions with their errors, what is left of each condition, and what was established."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from normcal import __version__, catalog, descent, solve
from normcal.errors import counted
from normcal.problem import Problem, options, quoted
from normcal.report import Block, Error, Heading, Items, Number, Paragraph, Report, Table
from normcal.result import BOUND, ESTIMATE, SCHEMA, STANDARD_ERROR
from normcal.rounding import significant
from normcal.solve import CROSSES, EVERYWHERE, MEETS, TOUCHES, Root, Search
from normcal.value import Value

SOLVED, NO_SOLUTION = "solved", "no-solution"
#: What the error of an unknown is: a bound by the signs on either side, or an estimate from the Jacobian.
PROVED, ESTIMATED = BOUND, ESTIMATE


@dataclass(frozen=True)
class Check:
    """A condition at a solution: what is asked, what the quantity is, and what that leaves."""

    quantity: str
    asked: str
    value: Value
    left: Value

    def data(self) -> dict[str, Any]:
        return {
            "quantity": self.quantity, "asked": self.asked, "value": self.value.value, "error": self.value.error,
            "residual": self.left.value, "residual_error": self.left.error,
        }  # fmt: skip


@dataclass(frozen=True)
class Solution:
    """Values of the unknowns, and of what follows from them, with what they leave of each condition."""

    values: dict[str, Value]
    checks: tuple[Check, ...]
    #: Of the values: PROVED, ESTIMATED, or how the engine that sampled states it.
    error_kind: str = PROVED
    #: The layer, ready to be computed, and the options that its input takes.
    spec: str = ""
    options: tuple[str, ...] = ()
    #: What is to be known of this one alone.
    note: str = ""

    @property
    def command(self) -> str:
        return " ".join(("normcal compute", quoted(self.spec), *self.options)) if self.spec else ""

    def data(self) -> dict[str, Any]:
        return {
            "spec": self.spec or None,
            "command": self.command or None,
            "unknowns": {name: {"value": v.value, "error": v.error} for name, v in self.values.items()},
            "error_kind": self.error_kind,
            "targets": [check.data() for check in self.checks],
            "note": self.note or None,
        }

    def record(self) -> dict[str, Any]:
        """Return the solution as one flat row."""
        row: dict[str, Any] = {}
        for name, value in self.values.items():
            row |= {name: value.value, f"{name}_error": value.error}
        row["error_kind"] = self.error_kind
        for check in self.checks:
            row |= {check.quantity: check.value.value, f"{check.quantity}_residual": check.left.value}
        return row | {"spec": self.spec}


@dataclass(frozen=True)
class Answer:
    """What was asked, in words; the solutions, or else the nearest point; what was established of them."""

    asked: str
    status: str
    solutions: tuple[Solution, ...]
    established: tuple[str, ...]
    #: Where nothing is a solution: the point that leaves least.
    nearest: Solution | None = None
    #: The problem, for machines.
    data: dict[str, Any] = field(default_factory=dict)
    references: tuple[str, ...] = ()
    assumptions: dict[str, Any] = field(default_factory=dict)

    @property
    def solved(self) -> bool:
        return self.status == SOLVED


def of(problem: Problem) -> Answer:
    """Solve a problem, and say what is known of its solutions.

    >>> from normcal.request import Request
    >>> found = of(Problem("leaky_relu", ["negative_slope=0:1"], ["forward.std=0.7"], Request()))
    >>> found.status, found.solutions[0].spec
    ('solved', 'leaky_relu(negative_slope=0.34277279688453277)')
    """
    single = len(problem.unknowns) == len(problem.targets) == 1
    found = solve.one(problem, problem.axes[0]) if single else descent.several(problem, problem.axes, problem.scales)
    if found.undefined == found.points and problem.refusal is not None:
        raise problem.refusal
    solutions = tuple(_solution(problem, root) for root in found.roots)
    nearest = _solution(problem, found.best) if found.best else None
    established = (_scanned if single else _descended)(problem, found)
    asked = f"{problem.spec.spec}, input {problem.request.law}: {', '.join(map(str, problem.targets))}"
    data = {
        "problem": {
            "spec": problem.spec.spec,
            "unknowns": [{"name": axis.name, "low": axis.low, "high": axis.high} for axis in problem.axes],
            "targets": [{"quantity": t.quantity.text, "equals": t.equals.text} for t in problem.targets],
        }
    }
    assumptions = {"input": problem.request.law.data()}
    status = SOLVED if solutions else NO_SOLUTION
    return Answer(asked, status, solutions, established, nearest, data, assumptions=assumptions)


def _solution(problem: Problem, root: Root) -> Solution:
    point = tuple(value.value for value in root.point)
    (sides,) = problem.sides([point])
    checks = tuple(
        Check(target.quantity.text, target.equals.text, value, left)
        for target, (value, _), left in zip(problem.targets, sides or (), root.left, strict=True)
    )
    return Solution(
        {unknown.name: value for unknown, value in zip(problem.unknowns, root.point, strict=True)}, checks,
        _kind(problem, root),
        catalog.build(problem.spec_at(point)).spec, options(problem.request_at(point)), _remark(root),
    )  # fmt: skip


def _kind(problem: Problem, root: Root) -> str:
    """Return the kind of the errors of a solution: the weakest of what went into them."""
    kinds = problem.kinds | {PROVED if root.certain else ESTIMATED}
    return next(kind for kind in (STANDARD_ERROR, ESTIMATED, PROVED) if kind in kinds)


def _loose(problem: Problem) -> list[str]:
    return sorted(problem.kinds - {BOUND})


def _remark(root: Root) -> str:
    if root.how == EVERYWHERE:
        return (
            f"the target is met, within the errors, all the way from {_short(root.reach[0])} to {_short(root.reach[1])}"
        )
    if root.how == TOUCHES:
        return "the quantity touches the target here and does not cross it, or meets it at the end of an interval"
    if root.how == MEETS and root.rank < len(root.point):
        return f"not unique even nearby: the Jacobian has rank {root.rank} of {len(root.point)}"
    return ""


# -- what was established, and no more


def _scanned(problem: Problem, found: Search) -> tuple[str, ...]:
    """Say what a scan of one unknown shows."""
    (axis,), (target,) = problem.axes, problem.targets
    where = f"on a scan of {found.points} points over {_interval(axis)}"
    crossings = [root for root in found.roots if root.how == CROSSES]
    if not found.roots:
        said = [f"no solution: {_range(target, found)} {where}"]
    else:
        count = counted(len(crossings), "sign change") if crossings else "no sign change"
        said = [f"{count} {where}; nothing was looked at between neighbouring points"]
    if crossings and found.trend:
        said.append(f"the scanned values only {'grow' if found.trend > 0 else 'fall'}")
    proved = sum(root.certain for root in crossings)
    if proved and problem.kinds == {BOUND}:
        which = "the error of the solution" if len(crossings) == 1 else f"the error of {proved} of {len(crossings)}"
        said.append(f"{which} is a bound if the quantity is continuous: on either side its sign is beyond the errors")
    elif proved:
        said.append(f"on either side the sign is beyond the errors, which are no bounds: {', '.join(_loose(problem))}")
    said += [f"at {_short(x)} the sign changes by a jump, which is no solution" for x in found.jumps]
    if found.undefined:
        said.append(f"{counted(found.undefined, 'point')} of {found.points} had no value with an error")
    return tuple(said)


def _descended(problem: Problem, found: Search) -> tuple[str, ...]:
    """Say what descents in several unknowns show."""
    where = ", ".join(map(_interval, problem.axes))
    size, count = len(problem.unknowns), len(found.roots)
    extra = len(problem.targets) - size
    said = [f"{counted(count, 'solution')}: {found.arrived} of {found.starts} descents within {where} arrived"]
    if found.roots:
        if all(root.rank == size for root in found.roots):
            near = "it is the only one near it" if count == 1 else "each is the only one near it"
            said.append(f"the Jacobian has full rank, {size}: {near}")
        said.append("descents cannot rule out further solutions elsewhere")
    else:
        reached = ", ".join(_range(target, found, place) for place, target in enumerate(problem.targets))
        said = [
            f"no solution: none of {found.starts} descents within {where} met the targets",
            f"on {counted(found.points, 'sampled point')}: {reached}",
        ]
    if extra > 0:
        said.append(f"{counted(extra, 'target')} more than unknowns: least squares of the residuals")
    if found.undefined:
        said.append(f"{counted(found.undefined, 'point')} of {found.points} had no value with an error")
    return tuple(said)


def _range(target, found: Search, place: int = 0) -> str:
    """Say how far a quantity went."""
    reach = found.ranges[place] if place < len(found.ranges) else None
    if reach is None:
        return f"{target.quantity.text} has no value"
    if target.equals.number is None:
        return f"{target.quantity.text} − {target.equals.text} goes from {_short(reach[0])} to {_short(reach[1])}"
    low, high = (end + target.equals.number for end in reach)
    if _short(low) == _short(high):
        return f"{target.quantity.text} is {_short(low)} throughout"
    return f"{target.quantity.text} goes from {_short(low)} to {_short(high)}"


def _interval(axis) -> str:
    return f"{axis.name} in [{_short(axis.low)}, {_short(axis.high)}]"


def _short(x: float) -> str:
    return significant(x, 6)


# -- the report


def report(answer: Answer) -> Report:
    """Return the report of an answer: the same for problems and recipes."""
    shown = answer.solutions or ((answer.nearest,) if answer.nearest else ())
    data = {
        "schema": SCHEMA, "generator": f"normcal {__version__}", "assumptions": answer.assumptions, **answer.data,
        "status": answer.status, "established": list(answer.established),
        "solutions": [solution.data() for solution in answer.solutions],
        "nearest": answer.nearest.data() if answer.nearest else None,
    }  # fmt: skip
    records = [{"status": answer.status, **solution.record()} for solution in shown] or [{"status": answer.status}]
    blocks: list[Block] = [Paragraph(answer.asked)]
    for place, solution in enumerate(shown):
        if len(shown) > 1:
            blocks.append(Heading(f"Solution {place + 1}", 2))
        elif not answer.solutions:
            blocks.append(Heading("The nearest point, which is no solution", 2))
        blocks += _blocks(solution)
    blocks.append(Items(answer.established))
    if answer.references:
        blocks.append(Items(answer.references))
    return Report(data, records, tuple(blocks))


def _blocks(solution: Solution) -> list[Block]:
    kind = STANDARD_ERROR if solution.error_kind == STANDARD_ERROR else BOUND
    values = tuple((name, Number(value, kind), Error(value.error)) for name, value in solution.values.items())
    checks = tuple(
        (check.quantity, Number(check.value, kind), check.asked, Error(abs(check.left.value)), Error(check.left.error))
        for check in solution.checks if check.left.value is not None
    )  # fmt: skip
    blocks: list[Block] = [Table(("unknown", "value", f"error ({solution.error_kind})"), values, words=("unknown",))]
    if checks:
        columns = ("quantity", "value", "asked", "residual", "its error")
        blocks.append(Table(columns, checks, words=("quantity", "asked")))
    if solution.command:
        blocks.append(Paragraph(solution.command))
    if solution.note:
        blocks.append(Paragraph(solution.note))
    return blocks
