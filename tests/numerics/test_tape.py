"""Recorded functions: run, alone or together, they are the functions themselves."""

import numpy as np
import pytest

from normcal import catalog
from normcal.engines._nodes import recorded
from normcal.law import STANDARD
from normcal.layer import FORWARD, Component, Elementwise
from normcal.numerics.balls import BALLS, Ball
from normcal.numerics.duals import Dual, Duals, lift
from normcal.numerics.tape import Tape, run

X = Ball(np.linspace(-7.0, 7.0, 40).reshape(2, 20), np.full((2, 20), 1e-15))
ELEMENTWISE = [cls for cls in catalog.classes().values() if issubclass(cls, Elementwise)]


def close(a, b):
    """Whether two balls of the same overlap everywhere, and neither is much wider."""
    a, b = (Ball(*np.broadcast_arrays(x.mid, x.rad)) for x in (a, b))
    assert np.all(np.abs(a.mid - b.mid) <= a.rad + b.rad)
    assert np.all(a.rad <= 1.01 * b.rad + 1e-300)


@pytest.mark.parametrize("cls", ELEMENTWISE, ids=lambda cls: cls.name)
def test_a_recorded_layer_is_the_layer(cls):
    component = cls().components(FORWARD, STANDARD)[0]
    program = recorded(component)
    with np.errstate(all="ignore"):
        value, slope, _ = run([program], X)
        direct = lift(component.f(Dual(X, Ball(1.0)), Duals(BALLS)))
        for mine, theirs in ((value, direct.value), (slope, direct.slope)):
            theirs = theirs if isinstance(theirs, Ball) else Ball(theirs)
            close(Ball(*(np.broadcast_to(part, (1, 2, 20))[0] for part in (mine.mid, mine.rad))), theirs)


def program(f):
    tape = Tape()
    return tape.program(f(tape.variable, tape))


def test_programs_of_one_family_run_together_are_what_they_are_alone():
    programs = [program(lambda x, m, a=a: a * m.exp(x) + m.maximum(x, a)) for a in (0.5, 2.0, -3.0)]
    assert len({p.family for p in programs}) == 1
    (together,) = run(programs, X)
    for k, one in enumerate(programs):
        (alone,) = run([one], X)
        assert np.array_equal(together.mid[k], alone.mid) and np.array_equal(together.rad[k], alone.rad)


def test_programs_run_at_places_of_their_own():
    programs = [program(lambda x, m, a=a: m.tanh(a * x)) for a in (0.5, 2.0)]
    (together,) = run(programs, Ball(np.stack([X.mid, 2.0 * X.mid]), np.stack([X.rad, X.rad])))
    (alone,) = run(programs[1:], Ball(2.0 * X.mid, X.rad))
    assert np.array_equal(together.mid[1], alone.mid)


def test_what_is_exact_is_not_computed():
    assert program(lambda x, m: 1.0 * x + 0.0).code == ()
    assert program(lambda x, m: (x - 0.0) / 1.0 * m.exp(x) * 1.0).code == (("exp", 0), ("*", 0, 1))
    assert run([program(lambda x, m: 0.0 * m.exp(x))], X)[0].mid == 0.0


def test_the_same_operation_is_done_once():
    assert len(program(lambda x, m: m.exp(x) * m.exp(x)).code) == 2


def test_a_branch_on_a_parameter_is_taken_when_it_is_recorded():
    def f(x, m, slope):
        return m.maximum(x, 0.0) if slope == 0.0 else m.maximum(x, slope * x)

    assert program(lambda x, m: f(x, m, 0.0)).family != program(lambda x, m: f(x, m, 0.5)).family


def test_a_function_that_branches_on_its_variable_is_not_recorded():
    assert recorded(Component(lambda x, m: m.tanh(x) if x > -9.0 else x)) is None
    with pytest.raises(AttributeError):
        Tape().fourier(Tape().variable)
