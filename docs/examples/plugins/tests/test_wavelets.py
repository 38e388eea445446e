"""What this package adds to normcal: declared in full, found by name, and right."""

import math

import normcal
import pytest
from normcal import catalog, contract
from normcal_wavelets import wavelets

LAYERS = [wavelets.MexicanHat, wavelets.Morlet, wavelets.Hat]


@pytest.mark.parametrize("cls", LAYERS, ids=lambda cls: cls.name)
def test_a_layer_declares_all_that_normcal_shows(cls):
    assert contract.faults(cls) == []
    assert catalog.find(cls.name) is cls


def test_the_mexican_hat_has_the_moments_that_integration_by_hand_gives():
    found = normcal.compute("mexican_hat").forward
    mean, square = 2**-1.5, 3**-0.5 * (1 - 2 / 3 + 3 / 9)
    assert found.mean.value == pytest.approx(mean, rel=1e-14)
    assert found.std.value == pytest.approx(math.sqrt(square - mean**2), rel=1e-13)
