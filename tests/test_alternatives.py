"""What a constant may be mistaken for: nearer mistakes first, siblings by rule."""

import math

import pytest

from normcal import alternatives, audit, catalog, quantity
from normcal.law import Normal
from normcal.layer import Elementwise


def names(spec, claimed):
    return [str(one) for one in alternatives.of(catalog.layer(spec), quantity.parse(claimed))]


@pytest.mark.parametrize(
    ("one", "other", "steps"),
    [
        ("forward.gain", "forward.gain", 0),
        ("forward.gain", "forward.rms_gain", 1),
        ("forward.gain", "forward.std", 1),
        ("forward.gain", "forward.gain^2", 1),
        ("forward.gain", "backward.gain", 1),
        ("forward.rms_gain", "backward.gain", 1),
        ("forward.std", "forward.rms_gain", 2),
        ("forward.mean", "-forward.mean", 1),
        ("forward.gain", "jacobian_factor", 3),
        ("scale.geometric", "forward.gain", 1),
        ("backward.gate.gain", "backward.gain", 1),
        ("backward.gate.gain", "backward.value.gain", 1),
    ],
)
def test_steps_between_quantities(one, other, steps):
    pair = quantity.parse(one), quantity.parse(other)
    assert alternatives.steps(*pair) == alternatives.steps(*reversed(pair)) == steps


@pytest.mark.parametrize("claimed", ["forward.gain", "backward.std", "forward.rms_gain^2", "-forward.mean"])
def test_no_alternative_is_the_claim_and_none_comes_twice(claimed):
    found = names("gelu", claimed)
    assert claimed not in found
    assert len(found) == len(set(found))


def test_the_moment_that_is_mistaken_most_comes_first():
    assert names("relu", "forward.rms_gain")[0] == "forward.gain"
    assert names("relu", "forward.std")[0] == "forward.rms"
    assert names("softplus", "backward.std")[0] == "forward.std of the slope of softplus(beta=1.0)"


@pytest.mark.parametrize(
    ("spec", "others"),
    [
        ("gelu", {"gelu_tanh", "quick_gelu"}),
        ("silu", {"hardswish", "swish(beta=0.5)"}),
        ("swish(beta=1.702)", {"hardswish", "swish(beta=1.0)"}),
        ("relu", {"leaky_relu(negative_slope=0.01)", "relu6", "relu_squared"}),
        ("leaky_relu(negative_slope=0.2)", {"relu", "leaky_relu(negative_slope=0.01)"}),
        ("softplus", {"softplus(beta=10.0)", "shifted_softplus"}),
        ("sigmoid", {"hardsigmoid", "log_sigmoid"}),
        ("tanh", {"hardtanh(min_val=-1.0, max_val=1.0)"}),
        ("elu", {"celu(alpha=1.0)", "selu"}),
    ],
)
def test_siblings_share_a_stem_or_stand_for_each_other(spec, others):
    found = {one.spec for one in alternatives.siblings(catalog.layer(spec))}
    assert others <= found
    assert catalog.layer(spec).spec not in found


def test_siblings_are_of_the_family():
    for name, cls in catalog.classes().items():
        for one in alternatives.siblings(catalog.layer(name)):
            assert catalog.family(type(one)) == catalog.family(cls)


@pytest.mark.parametrize("spec", ["softplus", "gelu", "relu", "leaky_relu(negative_slope=0.2)", "tanh", "abs"])
def test_the_slope_is_the_derivative(spec):
    """The rms of the slope is the backward std: they differ in nothing but the mean."""
    layer, law = catalog.layer(spec), Normal(0.3, 1.2)
    slope = alternatives.slope(layer)
    rms = audit.known(slope, law, quantity.parse("forward.rms")).value
    backward = audit.known(layer, law, quantity.parse("backward.std")).value
    assert rms.value == pytest.approx(backward.value, rel=1e-12)
    mean = audit.known(slope, law, quantity.parse("forward.mean")).value.value
    std = audit.known(slope, law, quantity.parse("forward.std")).value.value
    assert math.hypot(mean, std) == pytest.approx(rms.value, rel=1e-12)


@pytest.mark.parametrize("spec", ["max_pool", "glu", "crelu", "rrelu", "relu(input_scale=2)", "binarise"])
def test_what_is_not_one_plain_function_has_no_slope(spec):
    assert alternatives.slope(catalog.layer(spec)) is None


def test_the_slope_of_every_plain_elementwise_layer_can_be_had():
    for cls in catalog.classes().values():
        layer = cls()
        if isinstance(layer, Elementwise) and layer.single and layer.plain:
            found = audit.known(alternatives.slope(layer), Normal(), quantity.parse("forward.std")).value
            assert found.value is None or found.value >= 0.0
