"""The contract that every layer of the catalogue keeps; a failure says what to add."""

import math
import re

import numpy as np
import pytest

from normcal import catalog, contract, discover, engine, spec
from normcal.engine import Effort
from normcal.errors import RequestError, Unsupported
from normcal.law import STANDARD, Normal
from normcal.layer import DIRECTIONS, FORWARD, Component, Elementwise, Layer, Reference
from normcal.numerics.arrays import ARRAYS
from normcal.numerics.duals import Duals

CLASSES = list(catalog.classes().values())
every_class = pytest.mark.parametrize("cls", CLASSES, ids=lambda cls: cls.name)
ODD = np.array([0.0, -0.0, 5e-324, -5e-324, 1e-300, -1e-8, 0.5, -37.0, 710.0, -746.0, 1e3, -1e5, 1e100, -1e100])


def variants(cls):
    """A layer with its defaults, and with each typical value and word of each parameter in turn."""
    given = [{}]
    for param in (p for p in cls.params if not p.quiet):
        given += [{param.name: value} for value in (param.domain if isinstance(param.domain, tuple) else param.typical)]
    found = [cls(**params) for params in given if fits(cls, params)]
    return list({layer.spec: layer for layer in found}.values())


def fits(cls, params) -> bool:
    """Windows of one dimension and of three at default size may not fit together; a layer says so itself."""
    try:
        cls(**params)
    except RequestError:
        return False
    return True


LAYERS = [layer for cls in CLASSES for layer in variants(cls)]
every_layer = pytest.mark.parametrize("layer", LAYERS, ids=lambda layer: layer.spec)


def test_there_are_the_layers_of_both_articles_and_more():
    articles = {
        "linear",
        "conv",
        "relu",
        "sigmoid",
        "max_pool",
        "avg_pool",
        "global_max_pool",
        "global_avg_pool",
        "dropout",
    }
    more = {"identity", "leaky_relu", "tanh", "gelu", "gelu_tanh", "silu", "softplus", "elu", "selu"}
    assert articles | more <= set(catalog.classes())


def test_names_and_aliases_are_unique_and_in_snake_case():
    spellings = [name for cls in CLASSES for name in (cls.name, *cls.aliases, *cls.presets)]
    assert len(spellings) == len(set(spellings))
    assert all(re.fullmatch(r"[a-z][a-z0-9]*(_[a-z0-9]+)*", name) for name in spellings)


def test_a_name_taken_twice_is_refused(monkeypatch):
    rectifiers = discover.load("layers", "rectifiers")

    class Impostor(Layer):
        """Takes a name that is taken."""

        name, aliases = "impostor", ("relu",)

    Impostor.__module__ = rectifiers.__name__
    monkeypatch.setattr(rectifiers, "Impostor", Impostor, raising=False)
    with pytest.raises(RuntimeError, match="Impostor: 'relu' already names relu"):
        catalog._built_in.__wrapped__()


@every_class
def test_a_layer_is_found_by_its_name_its_aliases_and_careless_spellings(cls):
    for name in (cls.name, *cls.aliases):
        for spelling in (name, name.upper(), name.replace("_", "-")):
            assert catalog.find(spelling) is cls


@every_class
def test_the_source_of_a_family_is_hint_enough_for_a_name_and_never_leads_to_another_layer(cls):
    everything = discover.names("layers")
    assert catalog._spelled(catalog._likely(cls.name), cls.name)[0] is cls
    for spelling in (*cls.aliases, *cls.presets, cls.name.replace("_", "")):
        found = catalog._spelled(catalog._likely(spelling), spelling)
        assert found in (None, catalog._spelled(everything, spelling))


@pytest.mark.parametrize("hint", [(), ("softmax",), discover.names("layers")], ids=["none", "wrong", "all"])
def test_a_layer_is_found_whatever_the_hint(hint, monkeypatch):
    monkeypatch.setattr(catalog, "_likely", lambda folded: hint)
    resolve = catalog._resolve.__wrapped__
    assert resolve("Leaky-ReLU") == (catalog.classes()["leaky_relu"], {})
    assert resolve("max_pool2d")[0] is catalog.classes()["max_pool"]
    with pytest.raises(RequestError, match="Unknown layer 'rellu'") as refused:
        resolve("rellu")
    assert "'relu'" in refused.value.hint


@every_class
def test_a_preset_is_the_layer_with_its_parameters_set(cls):
    for name, params in cls.presets.items():
        assert catalog.layer(name).spec == cls(**params).spec
        camel = "".join(part.capitalize() for part in name.split("_"))
        assert catalog.layer(camel).spec == cls(**params).spec
        for param in params:
            with pytest.raises(RequestError, match=f"{name} sets {param} itself"):
                catalog.layer(f"{name}({param}={params[param]})")


@every_class
def test_what_is_asked_of_plug_ins_is_what_the_built_in_layers_declare(cls):
    assert contract.faults(cls) == []


@every_class
def test_a_layer_has_a_first_docstring_line_that_says_what_it_is(cls):
    line = cls.summary()
    assert cls.__doc__ != (cls.__mro__[1].__doc__ or ""), f'{cls.__name__}: add """One line that says what it is."""'
    assert 5 < len(line) <= 100 and line[0].isupper() and line[-1] in ".!", f"{cls.__name__}: {line!r}"


@every_class
def test_a_layer_has_a_reference_and_a_formula_in_both_scripts(cls):
    assert cls.references, f"{cls.__name__}: add references = (Reference('Author year, Title', 'arXiv:...'),)"
    for reference in cls.references:
        assert isinstance(reference, Reference) and len(reference.title) > 5
        assert re.search(r"\b(19|20)\d\d\b", reference.title), f"{cls.__name__}: {reference.title!r} names no year"
    assert cls.formula, f"{cls.__name__}: add formula = '...', in Unicode for a terminal"
    assert cls.latex, f"{cls.__name__}: add latex = r'...', for Markdown"
    assert "\\" not in cls.formula
    assert cls.latex.count("{") == cls.latex.count("}")
    assert cls.latex.count(r"\begin") == cls.latex.count(r"\end") and cls.latex.count(r"\left") == cls.latex.count(
        r"\right"
    )
    for what, text, latex in cls.moments:
        assert what and text and latex and latex.count("{") == latex.count("}")


@every_class
def test_a_parameter_accepts_its_own_default_and_typical_values(cls):
    names = [p.name for p in cls.params] + [p.complement for p in cls.params if p.complement]
    assert len(names) == len(set(names))
    for param in cls.params:
        assert param.doc and param.accepted() and re.fullmatch(r"[a-z][a-z0-9_]*", param.name)
        assert param.name != "p", "probabilities are keep_prob or drop_prob, never a bare p"
        for value in param.typical if param.default is None else (param.default, *param.typical):
            accepted = param.accept(value, cls.name)
            assert getattr(accepted, "spec", accepted) == value, f"{cls.name}: {param.name}={value} is not accepted"
        assert param.typical or isinstance(param.domain, tuple), f"{cls.name}: give {param.name} typical values"


@every_class
def test_a_parameter_refuses_what_is_no_value_and_names_itself(cls):
    for param in cls.params:
        for value in (math.nan, "nonsense", True, [1], {}, math.inf, -math.inf, ()):
            with pytest.raises(RequestError, match=param.name) as refused:
                cls(**{param.name: value})
            assert refused.value.hint


@every_class
def test_an_unknown_parameter_is_refused(cls):
    with pytest.raises(RequestError, match="nonsense"):
        cls(nonsense=1)


@every_layer
def test_a_spec_reads_back_as_the_same_layer(layer):
    again = catalog.layer(layer.spec)
    assert type(again) is type(layer) and again.spec == layer.spec and again.values() == layer.values()
    assert spec.parse(layer.spec).name == layer.name


#: Cells whose gates share their input through random weights: no formula and no integral of few dimensions is left.
SAMPLED_ALONE = {"rnn_cell", "lstm_cell", "gru_cell"}


@every_layer
@pytest.mark.parametrize("direction", DIRECTIONS)
def test_two_engines_serve_each_direction(layer, direction):
    served = []
    for its_engine in engine.ranked():
        try:
            its_engine.estimate(layer, direction, STANDARD, Effort(samples=2))
        except Unsupported as reason:
            assert str(reason), f"{its_engine.name} declines {layer.spec} without a reason"
            continue
        served.append(its_engine.name)
    assert "monte-carlo" in served, f"{layer.spec} {direction}: only {served}"
    assert len(served) >= 2 or layer.name in SAMPLED_ALONE, f"{layer.spec} {direction}: only {served}"


@every_layer
@pytest.mark.parametrize("direction", DIRECTIONS)
def test_a_simulation_returns_rows_of_finite_numbers_that_the_seed_decides(layer, direction):
    def run(seed, rows=3):
        return layer.simulate(direction, np.random.default_rng(seed), rows, Normal(0.5, 2.0))

    y = run(1)
    parts = y if isinstance(y, dict) else {"": y}
    assert set(layer.inputs) <= set(parts) or direction == FORWARD
    again, one = (found if isinstance(found, dict) else {"": found} for found in (run(1), run(1, rows=1)))
    assert isinstance(layer.draws(), int) and layer.draws() >= 1
    for name, of in parts.items():
        assert of.ndim == 2 and len(of) == 3 and of.shape[1] >= 1 and of.dtype == float and np.all(np.isfinite(of))
        assert np.array_equal(of, again[name]) and one[name].shape == (1, of.shape[1])


@every_layer
def test_notes_are_sentences_and_components_are_components(layer):
    for law in (STANDARD, Normal(0.5, 2.0)):
        assert all(isinstance(note, str) and note for note in layer.notes(law))
        for direction in DIRECTIONS:
            try:
                components = layer.components(direction, law)
            except Unsupported as reason:
                assert str(reason)
                continue
            assert components and all(isinstance(c, Component) and c.mass >= 0.0 for c in components)
            if direction == "forward":
                assert math.fsum(c.mass for c in components) == pytest.approx(1.0, rel=1e-15)


@pytest.mark.parametrize("layer", [one for one in LAYERS if isinstance(one, Elementwise)], ids=lambda layer: layer.spec)
def test_an_elementwise_layer_is_finite_at_odd_inputs(layer):
    with np.errstate(over="ignore", under="ignore"):
        value = np.asarray(layer.f(ODD, ARRAYS))
        slope = np.asarray(Duals(ARRAYS).derivative(layer.f, ODD))
    assert value.shape == slope.shape == ODD.shape
    for found in (value, slope):  # a power or an exponential overflows where it must, and is a number all the same
        wrong = np.isnan(found) | (np.isinf(found) & (np.abs(ODD) < 40.0))
        assert not np.any(wrong), f"{layer.spec} at {ODD[wrong]}: {found[wrong]}"


@pytest.mark.parametrize("layer", [one for one in LAYERS if isinstance(one, Elementwise)], ids=lambda layer: layer.spec)
def test_an_elementwise_layer_does_not_change_its_input(layer):
    x = ODD.copy()
    with np.errstate(all="ignore"):
        layer.f(x, ARRAYS)
        Duals(ARRAYS).derivative(layer.f, x)
    assert np.array_equal(x, ODD)


def test_patterns_pick_layers_by_name_and_an_empty_pick_is_refused():
    assert {layer.name for layer in catalog.layers(["*_pool"])} >= {"max_pool", "avg_pool", "global_max_pool"}
    assert [layer.name for layer in catalog.layers(["*"])] == list(catalog.classes())
    assert [layer.spec for layer in catalog.layers(["?elu"])] == [
        cls().spec for cls in CLASSES if re.fullmatch(".elu", cls.name)
    ]
    with pytest.raises(RequestError, match="No layer's name matches"):
        catalog.layers(["*nothing*"])


@pytest.mark.parametrize(
    ("typed", "meant"), [("rellu", "relu"), ("max-pol", "max_pool"), ("droput", "dropout"), ("GELUU", "gelu")]
)
def test_a_misspelt_layer_is_offered_its_near_misses(typed, meant):
    with pytest.raises(RequestError) as refused:
        catalog.find(typed)
    assert typed in refused.value.message and f"'{meant}'" in refused.value.hint


def test_a_misspelt_parameter_is_offered_its_near_misses():
    with pytest.raises(RequestError) as refused:
        catalog.layer("max_pool(kernel_sise=3)")
    assert "kernel_sise" in refused.value.message and "kernel_size" in refused.value.hint


def test_every_layer_belongs_to_the_family_that_its_file_is():
    everything = catalog.listed().values()
    assert {catalog.family(cls) for cls in everything} == set(discover.names("layers"))


#: what people type -> the SPEC that it stands for
KNOWN = {
    "Swish": "silu",
    "swish(beta=2)": "swish(beta=2.0)",
    "hard_swish": "hardswish",
    "HardSwish": "hardswish",
    "gelu_new": "gelu_tanh",
    "leaky-relu": "leaky_relu(negative_slope=0.01)",
    "LeakyReLU": "leaky_relu(negative_slope=0.01)",
    "MaxPool2d": "max_pool(kernel_size=3, ndim=2)",
    "maxpool1d(kernel_size=2)": "max_pool(kernel_size=2, ndim=1)",
    "SiLU": "silu",
    "LogSoftmax": "log_softmax",
    "BatchNorm2d": "batch_norm",
    "LayerNorm": "layer_norm",
    "Conv2d": "conv",
    "Linear": "linear",
    "CrossEntropyLoss": "cross_entropy",
    "AlphaDropout": "alpha_dropout(keep_prob=0.5)",
}


@pytest.mark.parametrize("typed", KNOWN)
def test_a_name_that_people_know_resolves_to_the_canonical_layer(typed):
    found, expected = catalog.layer(typed).spec, KNOWN[typed]
    assert found == expected if "(" in expected else found.partition("(")[0] == expected


def test_sweeps_expand_in_order_and_say_what_is_wrong_with_one_of_them():
    specs = [layer.spec for layer in catalog.layers(["leaky_relu(negative_slope=[0.01, 0.1, 0.2])", "relu"])]
    assert specs == [*(f"leaky_relu(negative_slope={slope})" for slope in (0.01, 0.1, 0.2)), "relu"]
    sizes = [layer.kernel_size for layer in catalog.layers(["max_pool(kernel_size=[2, 3, (5, 4)])"])]
    assert sizes == [2, 3, (5, 4)]
    with pytest.raises(RequestError, match="keep_prob cannot be 2"):
        catalog.layers(["dropout(keep_prob=[0.5, 2])"])
    with pytest.raises(RequestError, match="stands for 160_000 layers"):
        many = ", ".join(map(str, range(1, 401)))
        catalog.layers([f"elu(alpha=[{many}], input_scale=[{many}])"])
