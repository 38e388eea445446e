"""Wavelets as activations: they are local, and tell where the input is."""

from normcal.layer import Elementwise, Param, Reference


class MexicanHat(Elementwise):
    """The negative second derivative of the Gaussian, the Mexican hat."""

    name = "mexican_hat"
    aliases = ("ricker",)
    formula, latex = "(1 − x²) exp(−x²/2)", r"(1 - x^2)\,e^{-x^2/2}"
    references = (Reference("Ricker 1953, The form and laws of propagation of seismic wavelets, Geophysics 18"),)

    def f(self, x, m):
        return (1.0 - x * x) * m.exp(x * x * -0.5)


class Morlet(Elementwise):
    """A cosine in a Gaussian window, the real Morlet wavelet."""

    name = "morlet"
    params = (Param("frequency", 5.0, "[0, 100]", "angular frequency of the cosine", typical=(1.75, 5.0)),)
    formula, latex = "cos(ωx) exp(−x²/2)", r"\cos(\omega x)\,e^{-x^2/2}"
    references = (Reference("Grossmann & Morlet 1984, Decomposition of Hardy functions, SIAM J. Math. Anal. 15"),)

    def f(self, x, m):
        return m.cos(x * self.frequency) * m.exp(x * x * -0.5)


class Hat(Elementwise):
    """The hat: a triangle of height 1 over the interval from -1 to 1."""

    name = "hat"
    kinks = (-1.0, 0.0, 1.0)
    formula, latex = "max(0, 1 − |x|)", r"\max(0, 1 - |x|)"
    references = (Reference("Faber 1909, Über stetige Funktionen, Math. Annalen 66"),)

    def f(self, x, m):
        return m.maximum(1.0 - m.abs(x), 0.0)
