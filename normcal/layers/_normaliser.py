r"""Moments of :math:`y = (b\cdot x)/\sqrt{x^\top A x + \varepsilon}` for Gaussian x: what every normalisation comes to.

With :math:`D = x^\top A x + \varepsilon`, each :math:`D^{-p} = \int_0^\infty t^{p-1}e^{-tD}dt/\Gamma(p)`, and under
:math:`e^{-tD}` x is Gaussian again: in the eigenspace e of A (eigenvalue a, dimension d, squared projection
:math:`b_e^2`) its variance is :math:`\sigma^2 r_e`, with :math:`r = 1/(1+\Lambda)` and :math:`\Lambda = 2t\sigma^2a`.
So all moments are integrals over :math:`t = e^s` of elementary functions.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from normcal.errors import Unsupported

if TYPE_CHECKING:
    from normcal.law import Normal
    from normcal.numerics.balls import Ball

#: Beyond so many standard deviations the sign of a Gaussian number is no longer in doubt.
_CERTAIN = 40.0
#: Terms of Brouncker's fraction: at s >= 47 they leave nothing.
_TERMS = 200
#: A variance whose bound is relatively wider is worth a double integral, from this exponent on.
_CANCELLED, _FEW = 2e-14, 0.05
#: Its step in the logit, and where it ends, times the exponent.
_STEP, _LAST = 0.25, 45.0


class Space(NamedTuple):
    """An eigenspace of A: its eigenvalue, its dimension, and the squared length of b in it (both balls)."""

    value: Ball
    dimension: int
    share: Ball


def centred_spaces(size: int) -> list[Space]:
    """Return the spaces of an entry standardised by mean and variance of its own group of ``size`` entries."""
    from normcal.numerics.balls import Ball

    one = Ball(1.0)
    return [Space(one / float(size), size - 1, Ball(float(size - 1)) / float(size))]


def scale_of(*sizes: float) -> float:
    """Return the power of two that brings the largest of ``sizes`` near 1; scaling by it rounds nothing."""
    from normcal.numerics.balls import power_of_two_near

    return power_of_two_near(max(map(abs, sizes)))


def rms_of_output(spaces: Sequence[Space], law: Normal, eps: float, q, m) -> Ball:
    r"""Return :math:`\sqrt{E y^2} = \sigma\,(\int_0^\infty G \sum_e b_e^2 r_e\,dt)^{1/2}`, the mean being 0.

    Parameters
    ----------
    spaces: the eigenspaces that matter; the mean of x lies in none of them.
    law, eps: the law of x and what is added to the quadratic form; not both of std and eps are 0.
    q, m: who integrates over the line, and the functions on balls.

    Returns
    -------
    A ball of relative radius near 1e-15, from 2 to 10^9 entries.

    Examples
    --------
    >>> from normcal.engines._integrate import PanelIntegrals
    >>> from normcal.law import Normal
    >>> from normcal.numerics.balls import BALLS
    >>> found = rms_of_output(centred_spaces(8), Normal(), 0.0, PanelIntegrals(), BALLS)
    >>> bool(abs(found.mid - 1.0) <= found.rad < 1e-13)
    True
    """
    scale = scale_of(law.std, math.sqrt(eps))
    std, eps = law.std * scale, eps * scale * scale

    stack = _Stack(spaces, std, m)

    def integrand(s):
        exponent, _, r = stack.tilted(s, eps, m)
        return [m.exp(exponent) * _across(r * stack.share)]

    return m.sqrt(q.line(integrand)[0]) * std


def rms_of_gradient(spaces: Sequence[Space], law: Normal, eps: float, q, m) -> Ball:
    r"""Return :math:`\sqrt{E\lVert\nabla y\rVert^2}`, parameters as for ``rms_of_output``.

    The three terms of :math:`\lVert b/\sqrt D - (b\cdot x)Ax/D^{3/2}\rVert^2` combine, with
    :math:`u = \Lambda/(2(1+\Lambda))`, into

    .. math:: \int_0^\infty G\,\Bigl[\sum_e b_e^2(1-u_e)^2
              + \tfrac14\sum_e b_e^2r_e\,\sum_f d_f\Lambda_fu_f\Bigr]dt,

    in which nothing cancels.
    """
    scale = scale_of(law.std, math.sqrt(eps))
    std, eps = law.std * scale, eps * scale * scale

    stack = _Stack(spaces, std, m)

    def integrand(s):
        exponent, grown, r = stack.tilted(s, eps, m)
        own = _across(((grown * 0.5 + 1.0) * r).square() * stack.share)
        kept, spread = _across(r * stack.share), _across(grown * (grown * r) * stack.halved)
        return [m.exp(exponent) * (own + kept * spread * 0.25)]

    return m.sqrt(q.line(integrand)[0]) * scale


class _Stack:
    """The eigenspaces in columns, so that one operation serves all of them at all points: (spaces, points)."""

    def __init__(self, spaces: Sequence[Space], std: float, m) -> None:
        from normcal.numerics.balls import Ball

        there = [space for space in spaces if space.dimension]
        self.pull = _column([space.value for space in there]) * (Ball(std).square() * 2.0)
        self.share = _column([space.share for space in there])
        self.halved = _column([Ball(0.5 * space.dimension) for space in there])

    def tilted(self, s, eps: float, m) -> tuple[Ball, Ball, Ball]:
        """Return log(t G(t)) at t = e^s, and Lambda and r of every space."""
        t = m.exp(s)
        grown = t * self.pull
        return s - t * eps - _across(m.log1p(grown) * self.halved), grown, 1.0 / (grown + 1.0)


def _column(balls: Sequence[Ball]) -> Ball:
    import numpy as np

    from normcal.numerics.balls import Ball

    return Ball(*(np.array([[float(getattr(x, part))] for x in balls]) for part in Ball.__slots__))


def _across(terms: Ball) -> Ball:
    """Return the sum over the first axis."""
    import numpy as np

    from normcal.numerics.balls import GROW, Ball, U

    mid, size = terms.mid.sum(axis=0), np.abs(terms.mid).sum(axis=0)
    return Ball(mid, (terms.rad.sum(axis=0) + 0.5 * (len(terms.mid) - 1) * U * size) * GROW)


# -- no mean removed: y = x / sqrt(|x|^2 / M + eps) ------------------------------------------------


def uncentred_output(size: int, law: Normal, eps: float, q, m) -> tuple[Ball, Ball, Ball]:
    r"""Return (mean, std, rms) of an entry of :math:`x/\sqrt{\lVert x\rVert^2/M + \varepsilon}`.

    With :math:`\bar x` the mean of the group, W the rest of :math:`\lVert x\rVert^2/M`,
    :math:`h = \bar x/\sqrt{\bar x^2+\varepsilon}` and :math:`k = h - \bar x/\sqrt D \ge 0`, the variance is

    .. math:: \varepsilon\,E\bigl[(\bar x^2+\varepsilon)^{-1} - D^{-1}\bigr] + \mathrm{Var}\,h + E k\,(E h + E y),

    a sum of terms of one sign however far the mean is from 0.
    """
    from normcal.numerics.balls import Ball

    scale = scale_of(law.mean, law.std, math.sqrt(eps))
    mean, std, eps = law.mean * scale, law.std * scale, eps * scale * scale
    if std == 0.0:
        value = Ball(mean) / m.sqrt(Ball(mean).square() + eps)
        return value, Ball(0.0), m.abs(value)
    if mean == 0.0:
        rms = rms_of_output([Space(Ball(1.0) / float(size), size, Ball(1.0))], law, eps / scale / scale, q, m)
        return Ball(0.0), rms, rms
    growth = Ball(std).square() * 2.0 / float(size)
    root_pi = m.sqrt(Ball(math.pi, 2.0**-52))

    def integrand(s):
        t = m.exp(s)
        grown = t * growth
        r, logarithm = 1.0 / (grown + 1.0), m.log1p(grown)
        shared = t * (r * mean * mean) + t * eps + logarithm * 0.5
        rest = logarithm * (0.5 * (size - 1))
        lost = -m.expm1(-rest)  # 1 - E exp(-t W)
        square = m.exp(s - shared - rest) * (r * (std * std) + (r * mean).square())
        first = m.exp(s * 0.5 - shared - rest) * r
        return [square, first, m.exp(s - shared) * lost * eps, m.exp(s * 0.5 - shared) * r * lost]

    square, first, within, less = q.line(integrand)
    expected, short = first * mean / root_pi, less * mean / root_pi
    its_mean, its_std = _of_the_mean(size, mean, std, eps, q, m)
    variance = within + its_std.square() + short * (its_mean + expected)
    return expected, m.sqrt(variance), m.sqrt(square)


def _of_the_mean(size: int, mean: float, std: float, eps: float, q, m) -> tuple[Ball, Ball]:
    """Return (mean, std) of h = u / sqrt(u^2 + eps) for the mean u of ``size`` entries."""
    from normcal.law import Normal
    from normcal.layer import Component
    from normcal.numerics.balls import Ball

    root = m.sqrt(Ball(float(size)))
    sign, certain = math.copysign(1.0, mean), abs(mean) > _CERTAIN * std
    if eps == 0.0:
        if certain:
            return Ball(sign, 1e-300), Ball(0.0, 1e-150)
        below = m.Phi(-(root * abs(mean) / std))
        return (1.0 - below * 2.0) * sign, m.sqrt(below * (1.0 - below)) * 2.0

    def h(x, n):
        u = x / n.sqrt(x * 0.0 + float(size)) + mean  # the root is taken in the arithmetic of x
        return u / n.sqrt(u * u + eps)

    steep = () if certain else ((-mean * math.sqrt(size), math.sqrt(eps * size)),)
    component = Component(h, features=steep)
    found = q.moments(component, Normal(0.0, std))
    return found[0], found[1]


def uncentred_gradient(size: int, law: Normal, eps: float, q, m) -> Ball:
    r"""Return the std of one entry of dx: :math:`\sqrt{E[(M-1 + (\varepsilon/D)^2)/D]/M}`."""
    from normcal.numerics.balls import Ball

    scale = scale_of(law.mean, law.std, math.sqrt(eps))
    mean, std, eps = law.mean * scale, law.std * scale, eps * scale * scale
    growth = Ball(std).square() * 2.0 / float(size)

    def integrand(s):
        t = m.exp(s)
        grown = t * growth
        exponent = s - t * (1.0 / (grown + 1.0) * mean * mean) - m.log1p(grown) * (0.5 * size)
        half = t * eps * m.exp(t * (-0.5 * eps))
        return [m.exp(exponent - t * eps) * float(size - 1) + m.exp(exponent) * half.square() * 0.5]

    return m.sqrt(q.line(integrand)[0] / float(size)) * scale


# -- a power of the window's mean square: y = x / (k + alpha/n sum x^2)^beta ------------------------


def response_output(size: int, alpha: float, beta: float, k: float, law: Normal, q, m) -> tuple[Ball, Ball, Ball]:
    r"""Return (mean, std, rms) of :math:`x_1 (k + \frac{\alpha}{n}\sum_{i\le n} x_i^2)^{-\beta}`."""
    from normcal.numerics.balls import Ball

    if law.std == 0.0:
        value = _power(Ball(law.mean).square() * alpha + k, -beta, m) * law.mean
        return value, Ball(0.0), m.abs(value)
    growth = Ball(law.std).square() * alpha * 2.0 / float(size)
    pull = Ball(law.mean).square() * alpha

    def integrand(s):
        exponent, r = _response(s, growth, pull, size, k, m)
        once, twice = m.exp(exponent + s * beta), m.exp(exponent + s * (2.0 * beta))
        return [once * r, twice * r, twice * r.square()]

    first, within, square = q.line(integrand)
    within, square = m.sqrt(within / _gamma(2.0 * beta)) * law.std, square / _gamma(2.0 * beta)
    if law.mean == 0.0:
        return Ball(0.0), within, within
    first = first / _gamma(beta)
    between = square - first.square()
    if beta >= _FEW and between.rad * law.mean * law.mean > _CANCELLED * float(within.mid) ** 2:
        finer = _between(size, growth, pull, beta, k, q, m)
        between = finer if finer.rad < between.rad else between
    rms = m.sqrt(within.square() + square * law.mean * law.mean)
    return first * law.mean, m.sqrt(within.square() + between * law.mean * law.mean), rms


def _between(size: int, growth: Ball, pull: Ball, beta: float, k: float, q, m) -> Ball:
    r"""Return :math:`E[r^2D^{-2\beta}] - (E[rD^{-\beta}])^2` of the tilted means without their cancellation.

    As a double integral over t and u, with F(t) the transform of the window's sum, the integrand is
    :math:`F(t)F(u)r_tr_u(e^L - 1)`, in which

    .. math:: L = (\tfrac n2 + 1)\log\frac{(1+At)(1+Au)}{1+At+Au} - \log(1+At+Au)
              + \alpha\mu^2\frac{Atu}{1+At+Au}\Bigl(\frac1{1+At} + \frac1{1+Au}\Bigr)

    is a sum of small terms where the spread is small. With :math:`t = \tau w, u = \tau(1-w)`, the logit of w is
    summed by the trapezoidal rule, whose step is checked against the double one.
    """
    import numpy as np

    from normcal.numerics.balls import Ball

    v = np.arange(0.0, _LAST / beta, _STEP)
    left, right = -m.log1p(m.exp(Ball(-v))), -m.log1p(m.exp(Ball(v)))  # log w, log(1 - w)
    weights = np.where(v > 0.0, 2.0, 1.0) * _STEP
    power = 0.5 * size + 1.0

    def integrand(s):
        line = Ball(np.reshape(s.mid, (-1, 1)))
        t, u = m.exp(line + left), m.exp(line + right)
        at, au = t * growth, u * growth
        of_t, of_u, shared = 1.0 / (at + 1.0), 1.0 / (au + 1.0), 1.0 / (at + au + 1.0)
        gained = m.log1p(at * (au * shared)) * power + pull * (t * (au * shared)) * (of_t + of_u)
        change = gained - m.log1p(at + au)
        exponent = (line * 2.0 + left + right) * beta - m.exp(line) * k - pull * (t * of_t + u * of_u)
        exponent = exponent - (m.log1p(at) + m.log1p(au)) * power
        rises = change.mid > 0.0  # e^L - 1 = -e^L (e^-L - 1)
        exponent = exponent + Ball(np.where(rises, change.mid, 0.0), np.where(rises, change.rad, 0.0))
        terms = m.exp(exponent) * m.expm1(Ball(-np.abs(change.mid), change.rad)) * np.where(rises, -1.0, 1.0)
        return [_rows(terms * weights)]

    def _rows(terms):
        sums = (
            np.array([math.fsum(row) for row in terms.mid]) if np.all(np.isfinite(terms.mid)) else terms.mid.sum(axis=1)
        )
        double = 2.0 * terms.mid[:, ::2].sum(axis=1)
        last = np.abs(terms.mid[:, -1]) / (_STEP * beta)
        return Ball(sums, terms.rad.sum(axis=1) * (1.0 + 1e-9) + np.abs(sums - double) + last + 4e-16 * np.abs(sums))

    return q.line(integrand)[0] / _gamma(beta).square()


def response_gradient(size: int, alpha: float, beta: float, k: float, law: Normal, q, m) -> Ball:
    r"""Return the std of dx: the root of :math:`E D^{-2\beta}[1 - \frac1n + \frac1n(1-2\beta+2\beta k/D)^2]`."""
    from normcal.numerics.balls import Ball

    growth = Ball(law.std).square() * alpha * 2.0 / float(size)
    pull = Ball(law.mean).square() * alpha
    off = 1.0 - Ball(beta) * 2.0
    spread, shift = Ball(law.std).square() * alpha, pull

    def integrand(s):
        # 1/Gamma(2 beta + 1) = 1/(2 beta Gamma(2 beta)): all three powers of 1/D over one gamma function
        exponent, r = _response(s, growth, pull, size, k, m)
        terms = [m.exp(exponent + s * (2.0 * beta + power)) for power in (0.0, 1.0, 2.0)]
        last = Ball(2.0 * beta) / (Ball(2.0 * beta) + 1.0)
        by_rest = terms[0] * (off.square() + float(size - 1)) + terms[1] * (off * k * 2.0)
        by_rest = by_rest + terms[2] * (last * k * k)
        # the same by u = 1 - k/D, of which alpha S/n e^(-tD) has these two moments
        first = r * spread + r.square() * shift
        second = first.square() + r * spread * (r * spread + r.square() * shift * 2.0) * (2.0 / size)
        by_share = terms[0] * float(size) - terms[1] * first * 2.0 + terms[2] * second * last
        return [by_rest, by_share]

    if law.std == 0.0:
        inverse = 1.0 / (pull + k)
        bracket = float(size - 1) + (off + inverse * k * (2.0 * beta)).square()
        return _power(inverse, beta, m) * m.sqrt(bracket / float(size))
    best = min(q.line(integrand), key=lambda found: found.rad)
    return m.sqrt(best / _gamma(2.0 * beta) / float(size))


def _response(s, growth, pull, size: int, k: float, m):
    t = m.exp(s)
    grown = t * growth
    r = 1.0 / (grown + 1.0)
    return -(t * k) - t * pull * r - m.log1p(grown) * (0.5 * size), r


def _gamma(x: float) -> Ball:
    from normcal.numerics.balls import Ball, U

    if not 1e-300 < x < 170.0:
        raise Unsupported("the power is so small or large that its gamma function is no double")
    value = math.gamma(x)
    return Ball(value, 32.0 * U * value)


def response_to_constant(alpha: float, beta: float, k: float, law: Normal, m) -> Ball:
    """Return mu/(k + alpha mu^2)^beta: the output of a local response normalisation where every input is mu."""
    from normcal.numerics.balls import Ball

    return Ball(law.mean) * _power(Ball(law.mean).square() * alpha + k, -beta, m)


def _power(x: Ball, power: float, m) -> Ball:
    """Return x^power for a positive ball."""
    from normcal.numerics.balls import Ball, U

    if not (0.0 < x.mid < math.inf and x.rad < x.mid):
        raise Unsupported("the divisor over- or underflows at this input")
    logarithm = math.log(float(x.mid))
    return m.exp(Ball(logarithm, 4.0 * U * abs(logarithm) + 2.0 * float(x.rad / x.mid)) * power)


# -- the batch statistics themselves ----------------------------------------------------------------


def chi_moments(dimension: int, m) -> tuple[Ball, Ball]:
    r"""Return mean and variance of the length of a standard Gaussian vector.

    Brouncker's fraction :math:`b(s) = s + 1^2/(2s + 3^2/(2s + 5^2/\cdots)) = 4(\Gamma(\frac{s+3}4)/
    \Gamma(\frac{s+1}4))^2`
    at :math:`s = 2d - 1` gives the squared mean b/2 and the variance :math:`(1 - (b - s))/2` without cancellation; its
    terms are positive, so that consecutive convergents enclose it. Small d climb by :math:`b(s)b(s+2) = (s+1)^2`.

    >>> from normcal.numerics.balls import BALLS
    >>> mean, variance = chi_moments(1, BALLS)  # sqrt(2/pi), 1 - 2/pi
    >>> round(float(mean.mid), 12), round(float(variance.mid), 12)
    (0.797884560803, 0.363380227632)
    """
    from normcal.numerics.balls import Ball

    top = max(dimension, 24)
    s = 2.0 * top - 1.0
    tail, after = Ball(2.0 * s), Ball(2.0 * s + (2.0 * _TERMS + 1.0) ** 2 / (2.0 * s))
    for n in range(_TERMS, 1, -1):
        tail, after = 2.0 * s + (2.0 * n - 1.0) ** 2 / tail, 2.0 * s + (2.0 * n - 1.0) ** 2 / after
    found, other = 1.0 / tail, 1.0 / after
    over = Ball(found.mid, found.rad + other.rad + abs(found.mid - other.mid))
    for d in range(top - 1, dimension - 1, -1):
        s = 2.0 * d - 1.0
        over = Ball((s + 1.0) ** 2) / (over + (s + 2.0)) - s
    return m.sqrt((over + s) * 0.5), (1.0 - over) * 0.5
