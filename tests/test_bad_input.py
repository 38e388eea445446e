"""Bad input: each gets exit code 2, one message that names the item and what would do, and leaves nothing behind."""

import os
import re
import subprocess
import sys
import time

import numpy as np
import pytest

from tests.program import environment, invoke, run

SECONDS = 20
WHOLE = "a whole number"

#: (id, argv, what the message names, what it says would be accepted)
REFUSED = [
    # names
    ("layer", ["compute", "rellu"], "'rellu'", "Did you mean 'relu'"),
    ("layer-like-nothing", ["compute", "qqqqqq"], "'qqqqqq'", "normcal layers"),
    ("layer-of-explain", ["explain", "rellu"], "'rellu'", "Did you mean 'relu'"),
    ("layer-of-verify", ["verify", "rellu"], "'rellu'", "Did you mean 'relu'"),
    ("layer-list-filter", ["layers", "qqqqqq"], "'qqqqqq'", "normcal layers"),
    ("wildcard", ["compute", "zz*"], "'zz*'", "normcal layers"),
    ("parameter", ["compute", "max_pool(kernel=2)"], "'kernel'", "Did you mean 'kernel_size'"),
    ("parameter-of-none", ["compute", "relu(a=1)"], "'a'", "input_scale"),
    ("bare-p-of-dropout", ["compute", "dropout(p=0.5)"], "'p'", "keep_prob"),
    ("word", ["compute", "dropout(scaling=sideways)"], "'sideways'", "plain, inverted, unit"),
    ("format", ["compute", "relu", "--format", "jsn"], "'jsn'", "Did you mean 'json'"),
    ("format-like-nothing", ["compute", "relu", "--format", "xml"], "'xml'", "yaml"),
    ("engine", ["compute", "relu", "--engine", "montecarlo"], "'montecarlo'", "Did you mean 'monte-carlo'"),
    ("engine-like-nothing", ["compute", "relu", "--engine", "x"], "'x'", "closed-form"),
    ("engine-empty", ["compute", "relu", "--engine", ""], "''", "closed-form"),
    ("direction", ["compute", "relu", "--direction", "sideways"], "'sideways'", "forward, backward, both"),
    ("command", ["comptue", "relu"], "'comptue'", "Did you mean 'compute'"),
    ("command-like-nothing", ["qqqqqq"], "'qqqqqq'", "compute"),
    ("option", ["compute", "relu", "--directon", "both"], "--directon", "--direction"),
    ("option-without-value", ["compute", "relu", "--mean"], "--mean", "requires an argument"),
    ("no-layer", ["compute"], "No layer", "normcal compute relu"),
    ("no-spec", ["explain"], "No layer given", "normcal explain relu"),
    ("two-specs", ["explain", "relu", "gelu"], "2 layers are too many", "one SPEC"),
    ("extra-argument", ["table", "default", "default"], "default", "normcal table --help"),
    ("specs-and-config", ["verify", "relu", "--config", "default"], "--config", "not both"),
    # SPECs
    ("spec-empty", ["compute", ""], "''", "A SPEC is"),
    ("spec-open", ["compute", "relu("], "'relu('", "A SPEC is"),
    ("spec-trailing", ["compute", "relu)"], "'relu)'", "A SPEC is"),
    ("spec-code", ["compute", "__import__('os').system('true')"], "__import__", "A SPEC is"),
    ("spec-expression", ["compute", "leaky_relu(negative_slope=1/3)"], "'/'", "A SPEC is"),
    ("spec-expr-bare", ["compute", "expr"], "'expr'", 'expr("x * tanh(x)")'),
    ("spec-expr-word", ["compute", "expr(x)"], "'expr(x)'", "A SPEC is"),
    ("expr-empty", ["compute", "--expr", ""], "is empty", "numbers, names"),
    ("expr-caret", ["compute", "--expr", "x * tan(x^2)"], "'^' at character 10", "           ^\nWrite **"),
    ("expr-function", ["compute", "--expr", "x * tanhh(x)"], "'tanhh', which is no function", "Did you mean tanh"),
    ("expr-code", ["compute", "--expr", "__import__('os')"], "character", "Accepted: numbers"),
    ("expr-attribute", ["compute", "--expr", "x.__class__"], "no part of the grammar", "Accepted: numbers"),
    ("expr-huge", ["compute", "--expr", "x * 9**9**9"], "too large", "from -1000 to 1000"),
    ("expr-endless", ["compute", "--expr", "x" * 1_000_000], "1_000_000 characters", "at most 4_000"),
    ("expr-no-value", ["compute", "--expr", "a * x"], "uses 'a', which has no value,", "-p a=1.3"),
    ("expr-verify", ["verify", "--expr", "a * x"], "uses 'a', which has no value,", "-p a=1.3"),
    ("param-unused", ["compute", "--expr", "x", "-p", "a=1"], "-p a: no --expr uses 'a'", "x"),
    ("param-near", ["compute", "--expr", "alpha * x", "-p", "alfa=1"], "-p alfa", "Did you mean 'alpha'"),
    ("param-alone", ["compute", "relu", "-p", "a=1"], "-p a", "--expr"),
    ("param-no-value", ["compute", "--expr", "a * x", "-p", "a"], "-p 'a'", "NAME=VALUE"),
    ("param-word", ["compute", "--expr", "a * x", "-p", "a=b"], "a cannot be 'b'", "any finite number"),
    ("param-smuggled", ["compute", "--expr", "a * x", "-p", "a=1, name=b"], "-p 'a=1, name=b'", "NAME=VALUE"),
    ("param-range", ["compute", "--expr", "a * x", "-p", "a=0:1"], "how many values", "NAME=VALUE"),
    ("name-alone", ["compute", "relu", "--name", "mine"], "1 --name for 0 --expr", "one --name for each"),
    ("name-words", ["compute", "--expr", "x", "--name", "two words"], "name cannot be 'two words'", "a word"),
    ("spec-positional", ["compute", "leaky_relu(0.2)"], "'0.2'", "A SPEC is"),
    ("spec-control", ["compute", "relu\n\x1b[31m"], r"'relu\n\x1b[31m'", "A SPEC is"),
    ("spec-endless", ["compute", "r" * 1_000_001], "1_000_001 characters", "at most"),
    ("spec-nested", ["compute", "max_pool(kernel_size=" + "(" * 400], "no more than 12 levels", "A SPEC is"),
    ("spec-many-digits", ["compute", f"softplus(beta={'9' * 900})"], "fewer digits", "A SPEC is"),
    ("spec-twice", ["compute", "max_pool(kernel_size=2, kernel_size=3)"], "kernel_size is given twice", ""),
    (
        "spec-complement-twice",
        ["compute", "dropout(keep_prob=0.5, drop_prob=0.5)"],
        "keep_prob or drop_prob",
        "not both",
    ),
    # parameters
    ("negative-probability", ["compute", "dropout(keep_prob=-0.1)"], "keep_prob", "(0, 1]"),
    ("zero-probability", ["compute", "dropout(keep_prob=0)"], "keep_prob", "(0, 1]"),
    ("probability-above-one", ["compute", "dropout(keep_prob=1.5)"], "keep_prob", "(0, 1]"),
    ("complement-of-one", ["compute", "dropout(drop_prob=1)"], "drop_prob", "[0, 1)"),
    ("complement-word", ["compute", "dropout(drop_prob=half)"], "drop_prob", "[0, 1)"),
    ("number-as-word", ["compute", "leaky_relu(negative_slope=steep)"], "'steep'", "number"),
    ("nan-parameter", ["compute", "leaky_relu(negative_slope=nan)"], "'nan'", "number"),
    ("inf-parameter", ["compute", "leaky_relu(negative_slope=inf)"], "'inf'", "number"),
    ("parameter-beyond-double", ["compute", "leaky_relu(negative_slope=1e999)"], "1e999", "A SPEC is"),
    ("word-as-number", ["compute", "dropout(scaling=2)"], "scaling", "plain, inverted, unit"),
    ("kernel-zero", ["compute", "max_pool(kernel_size=0)"], "kernel_size cannot be 0", WHOLE),
    ("kernel-negative", ["compute", "max_pool(kernel_size=-3)"], "kernel_size cannot be -3", WHOLE),
    ("kernel-fraction", ["compute", "max_pool(kernel_size=2.5)"], "kernel_size cannot be 2.5", WHOLE),
    ("kernel-zero-in-tuple", ["compute", "avg_pool(kernel_size=(3, 0))"], "kernel_size cannot be (3, 0)", WHOLE),
    ("kernel-of-other-rank", ["compute", "max_pool(kernel_size=(2, 2, 2))"], "3 entries for ndim=2", "2 of them"),
    ("stride-zero", ["compute", "max_pool(stride=0)"], "stride cannot be 0", WHOLE),
    ("stride-zero-of-conv", ["compute", "conv(stride=0)"], "stride cannot be 0", WHOLE),
    ("ndim-four", ["compute", "max_pool(ndim=4)"], "ndim cannot be 4", "from 1 to 3"),
    ("features-zero", ["compute", "linear(in_features=0)"], "in_features cannot be 0", WHOLE),
    ("gain-zero", ["compute", "linear(gain=0)"], "gain cannot be 0", "number"),
    # absurd sizes
    ("kernel-1e9", ["compute", "max_pool(kernel_size=1000000000)"], "kernel_size cannot be 1000000000", WHOLE),
    ("kernel-1e9-average", ["compute", "avg_pool(kernel_size=1000000000)"], "kernel_size", WHOLE),
    ("kernel-1e9-conv", ["compute", "conv(kernel_size=1000000000)"], "kernel_size", WHOLE),
    ("kernel-1e15-in-3d", ["compute", "max_pool(kernel_size=100000, ndim=3)"], "1e+15 entries", "at most"),
    ("stride-1e15-in-3d", ["compute", "max_pool(stride=100000, ndim=3)"], "stride", "at most"),
    ("input-1e15", ["compute", "global_max_pool(input_size=100000, ndim=3)"], "input_size", "at most"),
    ("kernel-30-digits", ["compute", f"max_pool(kernel_size={'9' * 29})"], "kernel_size", WHOLE),
    ("features-1e12", ["compute", "linear(in_features=1000000000000)"], "in_features", WHOLE),
    ("samples-1e12", ["compute", "relu", "--engine", "monte-carlo", "--samples", "1e12"], "samples cannot be", WHOLE),
    ("samples-1e12-of-auto", ["compute", "relu", "--samples", "1000000000000"], "samples cannot be", WHOLE),
    ("samples-1e12-of-verify", ["verify", "relu", "--samples", "1e12"], "samples cannot be", WHOLE),
    ("samples-1e400", ["compute", "relu", "--samples", "1e400"], "--samples", WHOLE),
    (
        "draws-1e13",
        ["compute", "linear", "--engine", "monte-carlo", "--samples", "1e9"],
        "random numbers each",
        "--samples",
    ),
    (
        "too-large-to-simulate",
        ["compute", "max_pool(kernel_size=10000)", "--engine", "monte-carlo"],
        "monte-carlo engine cannot serve",
        "--engine auto",
    ),
    ("workers-1e9", ["compute", "relu", "--workers", "1000000000"], "workers cannot be", WHOLE),
    # numbers of options
    ("std-negative", ["compute", "relu", "--std", "-1"], "std cannot be -1", "a number in [0,"),
    ("std-nan", ["compute", "relu", "--std", "nan"], "std cannot be nan", "a number in [0,"),
    ("std-inf", ["compute", "relu", "--std", "inf"], "std cannot be inf", "a number in [0,"),
    ("std-word", ["compute", "relu", "--std", "wide"], "--std", "'wide' is not a valid float"),
    ("mean-nan", ["compute", "relu", "--mean", "nan"], "mean cannot be nan", "a number in [-"),
    ("mean-inf", ["explain", "relu", "--mean=-inf"], "mean cannot be -inf", "a number in [-"),
    ("mean-inf-of-table", ["table", "--mean", "inf"], "mean cannot be inf", "a number in [-"),
    ("mean-1e308", ["compute", "relu", "--mean", "1e308"], "mean cannot be 1e+308", "a number in [-"),
    ("mean-word", ["compute", "relu", "--mean", "half"], "--mean", "'half' is not a valid float"),
    ("tol-zero", ["compute", "relu", "--tol", "0"], "tol cannot be 0", "a number in (0, 1]"),
    ("tol-negative", ["compute", "relu", "--tol", "-1"], "tol cannot be -1", "a number in (0, 1]"),
    ("tol-nan", ["compute", "relu", "--tol", "nan"], "tol cannot be nan", "a number in (0, 1]"),
    ("samples-zero", ["compute", "relu", "--samples", "0"], "samples cannot be 0", WHOLE),
    ("samples-one", ["compute", "relu", "--samples", "1"], "samples cannot be 1", "from 2"),
    ("samples-fraction", ["compute", "relu", "--samples", "1.5"], "--samples cannot be '1.5'", WHOLE),
    ("samples-word", ["compute", "relu", "--samples", "many"], "--samples cannot be 'many'", WHOLE),
    ("seed-negative", ["compute", "relu", "--seed", "-1"], "seed cannot be -1", WHOLE),
    ("seed-word", ["compute", "relu", "--seed", "x"], "--seed cannot be 'x'", WHOLE),
    ("workers-zero", ["compute", "relu", "--workers", "0"], "workers cannot be 0", WHOLE),
    ("workers-1e6", ["compute", "relu", "--workers", "1e6"], "workers cannot be 1000000", WHOLE),
    ("rtol-zero", ["compute", "relu", "--rtol", "0"], "rtol cannot be 0", "a number in (0, 1]"),
    ("rtol-nan", ["compute", "relu", "--rtol", "nan"], "rtol cannot be nan", "a number in (0, 1]"),
    ("sampler-unknown", ["compute", "relu", "--sampler", "sobl"], "Unknown sampler 'sobl'", "'sobol'"),
    ("executor-unknown", ["compute", "relu", "--executor", "thread"], "Unknown executor 'thread'", "'threads'"),
    ("executor-without-cluster", ["compute", "relu", "--executor", "dask"], "needs a cluster", "--cluster"),
    (
        "cluster-of-threads",
        ["compute", "relu", "--executor", "threads", "--cluster", "tcp://127.0.0.1:1"],
        "works on this machine",
        "--executor dask",
    ),
    ("cluster-no-address", ["compute", "relu", "--cluster", "nowhere"], "'nowhere'", "tcp://"),
    ("verify-by-replicates", ["verify", "relu", "--sampler", "sobol"], "cannot sample by sobol", "plain"),
    ("checkpoint-folder", ["compute", "relu", "--checkpoint", "/"], "--checkpoint '/' is a folder", "path of a file"),
    ("checkpoint-nowhere", ["compute", "relu", "--checkpoint", "no/where.json"], "does not exist", "Create it"),
    (
        "sobol-too-many",
        ["compute", "linear", "--engine", "monte-carlo", "--sampler", "sobol"],
        "coordinates",
        "--engine auto",
    ),
    ("digits-zero", ["compute", "relu", "--digits", "0"], "digits", "from 1 to 17"),
    ("digits-zero-of-table", ["table", "--digits", "0"], "digits", "from 1 to 17"),
    ("digits-18", ["explain", "relu", "--digits", "18"], "digits", "from 1 to 17"),
    ("digits-word", ["layers", "--digits", "x"], "--digits cannot be 'x'", WHOLE),
    # an engine that does not serve
    (
        "no-closed-form",
        ["compute", "tanh", "--engine", "closed-form"],
        "closed-form engine cannot serve",
        "--engine auto",
    ),
    # configs
    ("config-missing", ["table", "nosuch.yaml"], "'nosuch.yaml'", "articles, default"),
    ("config-missing-of-verify", ["verify", "--config", "nosuch.yaml"], "'nosuch.yaml'", "articles, default"),
    ("config-folder", ["table", "folder"], "'folder'", "articles, default"),
    ("config-empty-name", ["table", ""], "''", "articles, default"),
    # generate, check, schema
    ("generate-nothing", ["generate"], "'normcal.yaml'", "in the current folder"),
    ("generate-missing", ["generate", "nosuch.yaml"], "'nosuch.yaml'", "articles, default"),
    ("generate-folder", ["generate", "folder"], "'folder'", "articles, default"),
    ("generate-table", ["generate", "file.yaml"], "no 'outputs'", "path: "),
    ("generate-device", ["generate", "/dev/zero"], "/dev/zero", "a smaller one"),
    ("generate-empty", ["generate", "/dev/null"], "is empty", "'outputs:'"),
    ("generate-root", ["generate", "file.yaml", "--root", "nosuch"], "no 'outputs'", "path: "),
    ("generate-two", ["generate", "file.yaml", "file.yaml"], "file.yaml", "normcal generate --help"),
    ("check-nothing", ["check"], "'normcal.yaml'", "generated files"),
    ("check-missing", ["check", "nosuch.py"], "'nosuch.py'", "generated files"),
    ("check-folder", ["check", "folder"], "'folder'", "generated files"),
    ("check-table", ["check", "file.yaml"], "no 'outputs'", "'outputs:'"),
    ("check-device", ["check", "/dev/zero"], "'/dev/zero'", "generated files"),
    ("check-format", ["check", "--format", "jsn"], "'jsn'", "Did you mean 'json'"),
    ("schema-unknown", ["schema", "confg"], "'confg'", "Did you mean 'config'"),
    ("schema-nothing", ["schema"], "Missing argument", "normcal schema --help"),
    ("schema-output", ["schema", "config", "-o", "no/x.json"], "'no/x.json'", "does not exist"),
    # outputs
    ("output-suffix", ["compute", "relu", "-o", "x.foo"], "'.foo'", ".json"),
    ("output-no-suffix", ["compute", "relu", "-o", "x"], "'x'", "--format"),
    ("output-folder", ["compute", "relu", "-o", "folder", "--format", "json"], "'folder'", "the path of a file"),
    ("output-missing-folder", ["compute", "relu", "-o", "no/x.json"], "'no/x.json'", "does not exist"),
    ("output-in-a-file", ["table", "-o", "file.yaml/x.json"], "'file.yaml/x.json'", "does not exist"),
    ("output-long-name", ["compute", "relu", "-o", "x" * 300 + ".json"], "cannot be written", "too long"),
    ("output-empty-name", ["compute", "relu", "-o", "", "--format", "json"], "--output ''", "the path of a file"),
    ("output-of-verify", ["verify", "relu", "-o", "no/x.json"], "'no/x.json'", "does not exist"),
]

#: Parameters that a family checks itself: (SPEC, what the message names, what it says would be accepted).
OF_FAMILIES = [
    # normalisation
    ("batch_norm(group_size=1)", "group_size cannot be 1", "at least 2"),
    ("batch_norm(shape=(1, 64, 1, 1))", "shape leaves 1 entry a group", "at least 2"),
    ("batch_norm(group_size=32, shape=(32, 64))", "give group_size or shape", "either"),
    ("batch_norm(shape=64)", "shape cannot be 64", "(N, C, ...)"),
    ("batch_norm(eps=-1)", "eps cannot be -1", "[0, ∞)"),
    ("batch_norm(mode=eval)", "'eval'", "training, inference"),
    ("group_norm(num_groups=3, shape=(2, 64, 8, 8))", "num_groups=3 does not divide the 64 channels", "a divisor"),
    ("group_norm(num_groups=64, shape=(2, 64))", "shape leaves 1 entry a group", "at least 2"),
    ("instance_norm(shape=(2, 64, 1, 1))", "shape leaves 1 entry a group", "at least 2"),
    ("layer_norm(group_size=1)", "group_size cannot be 1", "at least 2"),
    ("local_response_norm(k=0)", "k cannot be 0", "(0, ∞)"),
    ("weight_standardization(fan_in=1)", "fan_in cannot be 1", WHOLE),
    ("meta_norm(shape=(2, 3, 4, 4), u=((1, 0), (0, 2)))", "u cannot be ((1, 0), (0, 2))", "a binary matrix"),
    ("meta_norm(shape=(2, 3, 4, 4), u=((1, 0), (0, 0.5)))", "u cannot be ((1, 0), (0, 0.5))", "a binary matrix"),
    ("meta_norm(shape=(2, 3, 4, 4), u=((1, 0), (0, 0)))", "row 1 of u is empty", "at least one 1"),
    ("meta_norm(shape=(1, 2, 4, 4), v=((0, 0), (0, 1)))", "row 0 of v is empty", "at least one 1"),
    ("meta_norm(shape=(2, 3, 4, 4), u=((1, 0), (0,)))", "u must have 2 rows and columns", "a binary matrix"),
    ("meta_norm(u=nonsense)", "'nonsense'", "a binary matrix"),
    ("switchable_norm(mean_logits=(0, 0))", "mean_logits cannot be (0.0, 0.0)", "three finite numbers"),
    ("switchable_norm(shape=(1, 1, 1, 1))", "shape leaves 1 entry", "at least 2 positions"),
    ("switchable_norm(shape=(512, 2048, 224, 224))", "shape makes 5.26e+10 entries", "at most"),
    ("sparse_switchable_norm(radius=0.82)", "radius cannot be 0.82", "[0, 0.8164965809277261]"),
    # pooling and padding
    ("max_pool(kernel_size=9, padding=1, input_size=5)", "input_size 5 padded to 7 is too small", "holds a window"),
    ("avg_pool(kernel_size=5, input_size=3)", "input_size 3 is too small", "holds a window"),
    ("max_pool(kernel_size=3, padding=2)", "padding=2 is more than half of kernel_size=3", "at most 1"),
    ("avg_pool(padding=(1, 2, 3), input_size=9)", "padding has 3 entries for ndim=2", "2 of them"),
    ("avg_pool(divisor_override=0)", "divisor_override cannot be 0", WHOLE),
    ("avg_pool(ceil_mode=perhaps)", "'perhaps'", "true"),
    ("adaptive_max_pool(output_size=0)", "output_size cannot be 0", WHOLE),
    ("lp_pool(norm_type=0)", "norm_type cannot be 0", "a number from 1 to 50, or inf"),
    ("lp_pool(norm_type=nan)", "norm_type cannot be 'nan'", "a number from 1 to 50, or inf"),
    ("lse_pool(beta=0)", "beta cannot be 0", "(0, ∞)"),
    ("reflection_padding(padding=7, input_size=7)", "padding=7 does not fit input_size=7", "at most 6"),
    ("circular_padding(padding=8, input_size=7)", "padding=8 does not fit input_size=7", "at most 7"),
    ("up_sampling(mode=trilinear, ndim=2)", "mode=trilinear does not fit ndim=2", "trilinear in 3"),
    ("up_sampling(scale_factor=1.5)", "scale_factor cannot be 1.5", WHOLE),
    # dropouts
    ("gaussian_dropout(keep_prob=0)", "keep_prob cannot be 0", "(0, 1]"),
    ("alpha_dropout(keep_prob=-0.5)", "keep_prob cannot be -0.5", "(0, 1]"),
    ("drop_path(drop_prob=1)", "drop_prob cannot be 1", "[0, 1)"),
    ("drop_connect(keep_prob=2)", "keep_prob cannot be 2", "(0, 1]"),
    # structure
    ("weighted_sum(correlation=1.5)", "correlation cannot be 1.5", "[-1, 1]"),
    ("weighted_sum(weights=(1, 2, 3), correlation=-0.9)", "correlation cannot be -0.9 among 3 inputs", "-0.5 to 1"),
    ("weighted_sum(weights=(1,))", "weights cannot be (1.0,)", "2 to 26 numbers"),
    ("weighted_sum(weights=(a, b))", "weights cannot be (a, b)", "2 to 26 numbers"),
    ("concat(sizes=(0, 1))", "sizes cannot be (0, 1)", "whole numbers from 1"),
    (f"concat(sizes=({', '.join(map(str, range(1, 900)))}))", "20, 21, 22, ....", "2 to 26 whole numbers"),
    ("residual(tau=2, weighting=share)", "tau cannot be 2.0", "[0, 1]"),
    ("multiply(k=1000)", "k cannot be 1000", "from 2 to 26"),
    # softmax and attention
    ("softmax(n=0)", "n cannot be 0", WHOLE),
    ("softmax(temperature=0)", "temperature cannot be 0", "(0, ∞)"),
    ("cross_entropy(label_smoothing=2)", "label_smoothing cannot be 2", "[0, 1]"),
    ("attention(head_dim=0)", "head_dim cannot be 0", WHOLE),
    ("attention(causal=maybe)", "'maybe'", "no, yes"),
    # parametric and recurrent
    ("conv(groups=3)", "groups=3 does not divide in_channels=64", "divide in_channels and out_channels"),
    ("conv(padding=-1)", "padding cannot be -1", "same or valid"),
    ("conv(init=normal(std=-1))", "std cannot be -1", "(0, ∞)"),
    ("conv(init=normal(0.02))", "takes parameters by name", "std=1.0"),
    ("conv(init=normal(sd=1))", "'sd'", "Did you mean 'std'"),
    ("conv(init=uniform(a=2, b=1))", "a=2.0 is not below b=1.0", "a < b"),
    ("linear(init=he)", "'he'", "he_normal"),
    ("embedding(tokens=0)", "tokens cannot be 0", WHOLE),
    ("lstm_cell(hidden_size=0)", "hidden_size cannot be 0", WHOLE),
    ("rnn_cell(nonlinearity=relu6)", "'relu6'", "Did you mean 'relu'"),
    # activations and their nesting
    ("hardtanh(min_val=1, max_val=-1)", "min_val=1 is not below max_val=-1", "min_val < max_val"),
    ("rrelu(lower=0.5, upper=0.1)", "lower=0.5 is above upper=0.1", "lower <= upper"),
    ("polynomial(coefficients=(1, (2, 3)))", "coefficients cannot be (1, (2, 3))", "finite numbers"),
    ("monomial(power=0.5)", "power cannot be 0.5", WHOLE),
    ("quantiser(bits=64)", "bits cannot be 64", WHOLE),
    ("quantiser(bits=1)", "bits=1", "bits >= 2"),
    ("gated(activation=softmax)", "activation cannot be softmax", "an elementwise layer of one output"),
    ("gated(activation=swish(beta=nan))", "beta cannot be 'nan'", "(0, ∞)"),
    ("gated(activation=leaky_relu(negative_slope=[0.1, x]))", "negative_slope cannot be 'x'", "any finite number"),
    ("gated(activation=" * 200 + "tanh" + ")" * 200, "no more than 12 levels", "A SPEC is"),
    # sweeps
    (f"max_pool(kernel_size=[{'1, ' * 2000}1], stride=[{'1, ' * 999}1])", "2_001_000 layers", "at most 20_000"),
    ("max_pool(kernel_size=[])", "expected a number", "A SPEC is"),
]  # fmt: skip

BOMB = "a: &a [x, x]\n" + "".join(
    f"{c}: &{c} [*{b}, *{b}, *{b}, *{b}]\n" for b, c in zip("abcdefgh", "bcdefghi", strict=True)
)
RELU = "layers: [relu]\n"
PRINTED = "printed: '1', layer: relu, quantity: forward.mean"
FORMULA = PRINTED.replace("1", "p")

#: (id, content, what the message names, what it says would be accepted); the file is config.yaml
BAD_CONFIGS = [
    ("empty", "", "empty", "layers:"),
    ("only-comments", "# nothing\n", "empty", "layers:"),
    ("null", "null", "empty", "layers:"),
    ("list", "- relu\n", "list", "layers:"),
    ("word", "relu", "str", "layers:"),
    ("not-yaml", "layers: [relu", "line", ""),
    ("tab", "layers:\n\t- relu\n", "line 2", ""),
    ("two-documents", "layers: [relu]\n---\nlayers: [tanh]\n", "line", ""),
    ("binary", b"\x00\x01\x02\xff", "UTF-8", "UTF-8"),
    ("latin-1", "title: Köln\n".encode("latin-1"), "UTF-8", "UTF-8"),
    ("nul", "layers: [relu]\x00", "config.yaml", ""),
    ("bomb", BOMB, "alias", ""),
    ("alias", "layers: &a [relu]\ntitle: *a\n", "alias", ""),
    ("merge-key", "base: &b {mean: 1}\n<<: *b\nlayers: [relu]\n", "config.yaml", ""),
    ("python-tag", "layers: !!python/object/apply:os.system ['touch pwned']", "python/object/apply", ""),
    ("python-name", "title: !!python/name:os.system\nlayers: [relu]", "python/name", ""),
    ("own-tag", "layers: !mine [relu]", "!mine", ""),
    ("bool-tag", RELU + "mean: !!bool x", "config.yaml", ""),
    ("int-tag", RELU + "mean: !!int ''", "config.yaml", ""),
    ("float-tag", RELU + "mean: !!float ''", "config.yaml", ""),
    ("timestamp-tag", RELU + "title: !!timestamp x", "config.yaml", ""),
    ("map-tag", "!!map [a]", "config.yaml", ""),
    ("map-tag-on-text", "!!map abc", "config.yaml", ""),
    ("set", "!!set {relu}", "config.yaml", ""),
    ("impossible-date", RELU + "title: 2001-99-99", "config.yaml", ""),
    ("duplicate-key", "layers: [relu]\nlayers: [tanh]\n", "'layers' is given twice", ""),
    ("deep-nesting", "layers: " + "[" * 20_000, "nest", ""),
    ("deep-mapping", "{a: " * 5_000, "nest", ""),
    ("list-as-key", "? [a, b]\n: c\nlayers: [relu]\n", "config.yaml", ""),
    ("huge", "# " + "x" * 2_000_000, "larger than", "smaller"),
    ("unknown-key", "layers: [relu]\nlayrs: [relu]\n", "'layrs'", "Did you mean 'layers'"),
    ("unknown-key-like-nothing", "layers: [relu]\nqqqqqq: 1\n", "'qqqqqq'", "layers"),
    ("number-as-key", "layers: [relu]\n1: 2\n", "'1'", "layers"),
    ("no-layers", "mean: 1\n", "'layers'", "[relu, gelu]"),
    ("layers-empty", "layers: []\n", "'layers'", "[relu, gelu]"),
    ("layers-word", "layers: relu\n", "'layers'", "[relu, gelu]"),
    ("layers-number", "layers: [1]\n", "layers[0]", "text"),
    ("layers-mapping", "layers: [{relu: {}}]\n", "layers[0].relu", "expr"),
    ("expr-character", "layers: [relu, {expr: x^2}]\n", "config.yaml:1: layers[1]: The expression 'x^2'", "   ^"),
    ("expr-line", "layers:\n  - relu\n  - expr: a * x\n", "config.yaml:3: layers[1]", "a=1.3"),
    ("expr-key", "layers: [{exp: x}]\n", "layers[0].exp", "Did you mean 'expr'"),
    ("expr-number", "layers: [{expr: 5}]\n", "layers[0].expr", "text"),
    ("expr-missing", "layers: [{name: mine}]\n", "layers[0]", "expr"),
    ("expr-name", "layers: [{expr: x, name: two words}]\n", "name cannot be 'two words'", "a word"),
    ("expr-unused", "layers: [{expr: x, params: {a: 1}}]\n", "'a'", "Accepted: x"),
    ("expr-value", "layers: [{expr: a * x, params: {a: word}}]\n", "a cannot be 'word'", "any finite number"),
    ("expr-smuggled", "layers: [{expr: a * x, params: {a: '1, name=b'}}]\n", "'a=1, name=b'", "NAME=VALUE"),
    ("expr-params-list", "layers: [{expr: a * x, params: [1]}]\n", "layers[0].params", "a mapping"),
    ("layers-unknown", "layers: [relu, rellu]\n", "'rellu'", "Did you mean 'relu'"),
    ("mean-word", RELU + "mean: half\n", "mean cannot be 'half'", "a number in"),
    ("mean-nan", RELU + "mean: .nan\n", "mean cannot be nan", "a number in"),
    ("mean-400-digits", RELU + f"mean: {'9' * 400}\n", "mean", "a number in"),
    ("std-negative", RELU + "std: -1\n", "std cannot be -1", "a number in [0,"),
    ("std-list", RELU + "std: [1]\n", "std cannot be", "a number in [0,"),
    ("std-yes", RELU + "std: yes\n", "std cannot be True", "a number in [0,"),
    ("seed-20000-bits", RELU + f"seed: 0x{'f' * 5000}\n", "seed", WHOLE),
    ("samples-1e12", RELU + "samples: 1000000000000\n", "samples cannot be", WHOLE),
    ("samples-fraction", RELU + "samples: 2.5\n", "samples cannot be 2.5", WHOLE),
    ("engine-number", RELU + "engine: 5\n", "engine cannot be", "closed-form"),
    ("engine-unknown", RELU + "engine: montecarlo\n", "'montecarlo'", "Did you mean 'monte-carlo'"),
    ("direction-number", RELU + "direction: 1\n", "direction cannot be", "forward, backward, both"),
    ("format-unknown", RELU + "format: jsn\n", "'jsn'", "Did you mean 'json'"),
    ("format-number", RELU + "format: 1\n", "format", "text"),
    ("digits-word", RELU + "digits: many\n", "digits", "from 1 to 17"),
    ("digits-zero", RELU + "digits: 0\n", "digits", "from 1 to 17"),
    ("title-list", RELU + "title: [a]\n", "title", "text"),
    ("grid-list", RELU + "grid: []\n", "'grid'", ""),
    ("grid-without-rows", RELU + "grid: {columns: {b: relu}}\n", "'rows'", "labels"),
    ("grid-key", RELU + "grid: {raws: {}}\n", "'raws'", "Did you mean 'rows'"),
    ("grid-quantity", RELU + "grid: {rows: {a: forward.men}, columns: {b: relu}}\n", "'forward.men'", "'forward.mean'"),
    ("grid-column", RELU + "grid: {rows: {a: forward.mean}, columns: {b: 1}}\n", "'b'", "one SPEC"),
    ("grid-column-row", RELU + "grid: {rows: {a: forward.mean}, columns: {b: {c: relu}}}\n", "'b'", "one SPEC"),
    ("grid-layer", RELU + "grid: {rows: {a: forward.mean}, columns: {b: rellu}}\n", "'rellu'", "'relu'"),
    ("printed-mapping", RELU + "printed: {a: 1}\n", "'printed'", ""),
    ("printed-number", RELU + "printed: [1]\n", "'printed'", "quantity"),
    ("printed-key", RELU + "printed: [{prnted: '1'}]\n", "'prnted'", "'printed'"),
    ("printed-unquoted", RELU + "printed: [{printed: 1, layer: relu, quantity: forward.mean}]\n", "'printed'", "Quote"),
    ("printed-no-quantity", RELU + "printed: [{printed: '1', layer: relu}]\n", "'quantity'", ""),
    ("printed-quantity", RELU + "printed: [{printed: '1', layer: relu, quantity: mean}]\n", "'mean'", "forward.mean"),
    (
        "printed-code",
        RELU + "printed: [{printed: '__import__(\"os\")', layer: relu, quantity: forward.mean}]\n",
        "import",
        "sqrt()",
    ),
    (
        "printed-division-by-zero",
        RELU + "printed: [{printed: '1/0', layer: relu, quantity: forward.mean}]\n",
        "'1/0'",
        "sqrt()",
    ),
    ("printed-with-number", RELU + f"printed: [{{{FORMULA}, with: 3}}]\n", "with", ""),
    ("printed-with-list", RELU + f"printed: [{{{FORMULA}, with: {{p: [1]}}}}]\n", "p", ""),
    ("printed-with-word", RELU + f"printed: [{{{FORMULA}, with: {{p: x}}}}]\n", "p", ""),
    ("printed-with-number-key", RELU + f"printed: [{{{FORMULA}, with: {{1: 1}}}}]\n", "p", ""),
    ("printed-without-with", RELU + f"printed: [{{{FORMULA}}}]\n", "'p'", "sqrt()"),
    ("printed-samples-word", RELU + f"printed: [{{{PRINTED}, samples: many}}]\n", "samples", ""),
    ("printed-samples-negative", RELU + f"printed: [{{{PRINTED}, samples: -5}}]\n", "samples", ""),
    ("printed-samples-1e15", RELU + f"printed: [{{{PRINTED}, samples: 1000000000000000}}]\n", "samples", ""),
    ("printed-where-number", RELU + f"printed: [{{{PRINTED}, where: 5}}]\n", "where", ""),
    ("printed-remark-list", RELU + f"printed: [{{{PRINTED}, remark: [a]}}]\n", "remark", ""),
]


#: (id, the keys of the second output of normcal.yaml, what the message names, what it says would be accepted)
BAD_OUTPUTS = [
    ("no-path", "layers: [relu]", "outputs[1]: the key 'path' is missing", "the path of a file"),
    ("path-number", "path: 5", "outputs[1].path: 'path' cannot be 5", "the path of a file"),
    ("path-outside", "path: ../a.py", "'../a.py' leads out of", "--root FOLDER"),
    ("path-absolute", "path: /tmp/a.py", "'/tmp/a.py' leads out of", "--root FOLDER"),
    ("path-folder", "path: folder, format: c", "'folder' is a folder", "the path of a file"),
    ("path-control", 'path: "a\\e.py"', "is not the path of a file", "without control characters"),
    ("path-twice", "path: x/../fine.py", "is already written by outputs[0]", "its own path"),
    ("path-of-the-config", "path: normcal.yaml", "is the config itself", "its own path"),
    ("path-suffix", "path: a.foo", "'.foo'", ".json"),
    ("key", "path: a.py, colums: []", "'colums'", "Did you mean 'columns'"),
    ("profile", "path: a.py, profile: tim", "'tim'", "Did you mean 'timm'"),
    ("format-of-an-output", "path: a, format: pyton", "'pyton'", "Did you mean 'python'"),
    ("document", "path: a.py, document: tabel", "'tabel'", "Did you mean 'table'"),
    ("column", "path: a.py, columns: [forward.men]", "columns[0]: Unknown quantity 'forward.men'", "'forward.mean'"),
    ("column-number", "path: a.py, columns: [5]", "item 0 cannot be 5", "text"),
    ("columns-none", "path: a.py, columns: []", "columns", "quantities"),
    ("column-twice", "path: a.py, columns: [forward.std, forward.std]", "Two columns are called 'forward_std'", ""),
    ("column-part", "path: a.py, columns: [backward.gate.std]", "'gate'", "none"),
    ("constraint", "path: a.py, constraint: geometrical", "'geometrical'", "'geometric'"),
    ("keys", "path: a.py, keys: Camel", "'Camel'", "'camel'"),
    ("layout", "path: a.py, layout: list", "'list'", "mapping"),
    ("layer-of-an-output", "path: a.py, layers: [rellu]", "layers[0]: Unknown layer 'rellu'", "'relu'"),
    ("layer-named", "path: a.py, layers: {x: 'relu('}", "layers.x: 'relu('", "A SPEC is"),
    ("layer-named-sweep", "path: a.py, layers: {x: 'elu(alpha=[1, 2])'}", "stands for 2 layers", "one name"),
    ("layer-twice", "path: a.py, layers: [relu], also: {relu: gelu}", "Two layers are called 'relu'", "mapping"),
    ("family", "path: a.py, families: [rectifier]", "'rectifier'", "'rectifiers'"),
    ("digits-18-of-an-output", "path: a.py, digits: 18", "digits", "from 1 to 17"),
    ("digits-word-of-an-output", "path: a.py, digits: all", "digits", "round-trip"),
    ("digits-of-a-table", "path: a.md, document: table, layers: [relu], digits: error", "'error'", WHOLE),
    ("mean-nan-of-an-output", "path: a.py, mean: .nan", "outputs[1].mean", "a number"),
    ("samples-of-an-output", "path: a.py, samples: 1e12", "outputs[1].samples", WHOLE),
    ("engine-of-an-output", "path: a.py, layers: [silu], engine: closed-form", "closed-form engine", "--engine auto"),
    ("epilogue", "path: a.json, epilogue: x", "takes no code", "Leave 'epilogue' out"),
    ("template-missing", "path: a.txt, template: nosuch.j2", "'nosuch.j2' is no file", "Jinja2"),
    ("template-device", "path: a.txt, template: /dev/zero", "'/dev/zero' is no file", "Jinja2"),
    ("table-config", "path: a.md, document: table, config: nosuch", "'nosuch'", "articles, default"),
    ("table-format", "path: a.py, document: table, layers: [relu], columns: []", "columns", ""),
    ("schema-name", "path: a.json, document: schema, schema: confg", "'confg'", "'config'"),
    ("schema-missing", "path: a.json, document: schema", "the key 'schema' is missing", "config"),
    ("alias", "path: &x a.py, name: *x", "aliases", ""),
    ("merge", "<<: {path: a.py}", "merges", ""),
    ("tag", "path: !!python/name:os.system a.py", "the tag", ""),
    ("half-character", 'path: a.py, header: "\\ud800"', "half of a character", ""),
]


def cases(table):
    return [pytest.param(*rest, id=name) for name, *rest in table]


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder to run in that must look the same afterwards."""
    (tmp_path / "folder").mkdir()
    (tmp_path / "file.yaml").write_text(RELU)
    monkeypatch.chdir(tmp_path)
    yield tmp_path


def snapshot(folder):
    return {str(path.relative_to(folder)): path.is_file() and path.read_bytes() for path in folder.rglob("*")}


def refused(folder, argv, names, accepted):
    """Run and insist on everything that bad input must get; return the message."""
    before, started = snapshot(folder), time.monotonic()
    result = invoke(*argv)
    assert time.monotonic() - started < SECONDS
    assert result.exit_code == 2, result.output
    assert result.stdout == ""
    assert names in result.stderr
    assert accepted in result.stderr
    assert "Traceback" not in result.stderr
    assert "Error" in result.stderr
    assert len(result.stderr) < 1500
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f]", result.stderr)
    assert snapshot(folder) == before
    return result.stderr


@pytest.mark.parametrize(("argv", "names", "accepted"), cases(REFUSED))
def test_bad_input_is_refused(folder, argv, names, accepted):
    refused(folder, argv, names, accepted)


@pytest.mark.parametrize(("spec", "names", "accepted"), OF_FAMILIES, ids=[case[0][:60] for case in OF_FAMILIES])
def test_a_bad_parameter_of_a_family_is_refused(folder, spec, names, accepted):
    refused(folder, ["compute", spec], names, accepted)


@pytest.mark.parametrize(("content", "names", "accepted"), cases(BAD_CONFIGS))
def test_a_bad_config_is_refused_by_name(folder, content, names, accepted):
    (folder / "config.yaml").write_bytes(content if isinstance(content, bytes) else content.encode())
    message = refused(folder, ["table", "config.yaml"], names, accepted)
    assert "config.yaml" in message


@pytest.mark.parametrize(("keys", "names", "accepted"), cases(BAD_OUTPUTS))
@pytest.mark.parametrize("command", ["generate", "check"])
def test_a_bad_output_is_refused_by_file_line_and_key(folder, command, keys, names, accepted):
    layers = "" if re.search("layers|families|document|profile", keys) else ", layers: [relu]"
    outputs = f"outputs:\n  - {{path: fine.py, layers: [relu]}}\n  - {{{keys}{layers}}}\n"
    (folder / "normcal.yaml").write_text(outputs)
    message = refused(folder, [command], names, accepted)
    assert re.search(r"normcal\.yaml(:3: outputs\[1\]|: not a YAML config at line 3)", message)


@pytest.mark.parametrize("table", [REFUSED, BAD_CONFIGS, BAD_OUTPUTS], ids=["arguments", "configs", "outputs"])
def test_every_case_has_a_name_of_its_own(table):
    names = [case[0] for case in table]
    assert len(names) == len(set(names))


@pytest.mark.parametrize(
    "argv",
    [
        ["compute", "rellu"],
        ["compute", "relu", "--std", "-1"],
        ["compute", "max_pool(kernel_size=1000000000)", "--engine", "monte-carlo"],
        ["compute", "relu", "--engine", "monte-carlo", "--samples", "1e12"],
        ["table", "bomb.yaml"],
        ["table", "tag.yaml"],
        ["compute", "relu", "-o", "no/x.json"],
    ],
    ids=" ".join,
)
def test_the_real_program_refuses_alike(folder, argv):
    (folder / "bomb.yaml").write_text(BOMB)
    (folder / "tag.yaml").write_text("layers: !!python/object/apply:os.system ['touch pwned']")
    before = snapshot(folder)
    done = run(*argv, cwd=folder, timeout=SECONDS)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("Error: ")
    assert "Traceback" not in done.stderr
    assert snapshot(folder) == before


@pytest.mark.skipif(not os.path.exists("/proc/self/status"), reason="reads the peak memory from /proc")
@pytest.mark.parametrize(
    "argv",
    [
        ["table", "bomb.yaml"],
        ["table", "deep.yaml"],
        ["compute", "max_pool(kernel_size=1000000000)"],
        ["compute", "conv(kernel_size=10000, in_channels=1000000)", "--engine", "monte-carlo"],
        ["compute", "linear(in_features=1000000, out_features=1000000)", "--engine", "monte-carlo"],
    ],
    ids=lambda argv: argv[1],
)
def test_absurd_sizes_fill_no_memory(folder, argv):
    (folder / "bomb.yaml").write_text(BOMB)
    (folder / "deep.yaml").write_text("[" * 900_000)
    call = (
        "import sys\nfrom normcal.cli import main\n"
        "try:\n    main(sys.argv[1:])\nexcept SystemExit as stop:\n    code = stop.code\n"
        "print(code, *(line.split()[1] for line in open('/proc/self/status') if line.startswith('VmHWM')))"
    )
    done = subprocess.run(
        [sys.executable, "-c", call, *argv],
        env=environment(),
        cwd=folder,
        timeout=SECONDS,
        capture_output=True,
        text=True,
    )
    code, kilobytes = map(int, done.stdout.split())
    assert code == 2, done.stderr
    assert kilobytes < 400_000


def test_the_sampling_error_of_a_ratio_is_served_or_refused(folder):
    entry = PRINTED.replace("forward.mean", "jacobian_factor")
    (folder / "config.yaml").write_text(RELU + f"printed: [{{{entry}, samples: 1000}}]\n")
    assert invoke("table", "config.yaml").exit_code in (0, 2)


def test_an_output_without_permission_is_refused(tmp_path, monkeypatch):
    locked = tmp_path / "locked"
    locked.mkdir(mode=0o555)
    if os.access(locked, os.W_OK):  # root may write anywhere
        monkeypatch.setattr(os, "access", lambda *_, **__: False)
    result = invoke("compute", "relu", "-o", str(locked / "x.json"))
    assert (result.exit_code, result.stdout) == (2, "")
    assert "permission denied" in result.stderr
    assert not list(locked.iterdir())


def test_an_output_is_checked_before_any_work(tmp_path):
    started = time.monotonic()
    done = run("compute", "relu", "--engine", "monte-carlo", "--samples", "1e11", "-o", str(tmp_path / "no" / "x.json"))
    assert done.returncode == 2
    assert time.monotonic() - started < SECONDS


#: Legal however odd: these must end well, without a warning from below.
ODD = [
    ("constant", ["compute", "relu", "--std", "0"]),
    ("constant-everywhere", ["compute", "*", "--std", "0", "--mean", "1"]),
    ("negative-zero", ["compute", "relu", "--std", "-0.0"]),
    ("tiny-std", ["compute", "*", "--std", "1e-300"]),
    ("huge-std", ["compute", "*", "--std", "1e300"]),
    ("far-left", ["compute", "*", "--mean=-1e300"]),
    ("far-right", ["compute", "*", "--mean", "1e300", "--std", "1e300"]),
    ("sampled-huge-std", ["compute", "relu", "--std", "1e300", "--engine", "monte-carlo", "--samples", "500"]),
    (
        "sampled-huge-mean",
        ["compute", "elu(alpha=0)", "--mean", "1e100", "--engine", "monte-carlo", "--samples", "500"],
    ),
    (
        "sampled-far-left",
        ["compute", "gelu_tanh", "--mean=-1e10", "--std", "1e154", "--engine", "monte-carlo", "--samples", "500"],
    ),
    (
        "sampled-huge-slope",
        ["compute", "leaky_relu(negative_slope=-1e10)", "--mean=-1e300", "--engine", "monte-carlo", "--samples", "500"],
    ),
    ("explained-huge-std", ["explain", "relu", "--std", "1e300", "--samples", "500"]),
    ("explained-huge-mean", ["explain", "gelu_tanh", "--mean=-1e10", "--std", "1e154", "--samples", "500"]),
    ("verified-huge-std", ["verify", "relu", "gelu_tanh", "--std", "1e300", "--samples", "500"]),
    ("two-samples", ["compute", "relu", "--engine", "monte-carlo", "--samples", "2"]),
    ("huge-slope", ["compute", "leaky_relu(negative_slope=1e308)", "--std", "1e10"]),
    ("tiny-probability", ["compute", "dropout(keep_prob=1e-320)"]),
    ("largest-window", ["compute", "max_pool(kernel_size=10000)"]),
    ("largest-linear", ["compute", "linear(in_features=1000000, out_features=1000000)"]),
    ("largest-seed", ["compute", "relu", "--seed", str(2**64 - 1)]),
]


@pytest.mark.parametrize("word", ["True", "true", "YES", "yes"])
def test_yes_and_no_are_understood_as_python_writes_them(word):
    assert "causal=yes" in invoke("compute", f"attention(causal={word})").stdout


@pytest.mark.parametrize("entry", [1e308, 1e-320, 0.0])
def test_weights_at_the_edge_of_the_doubles_are_served(tmp_path, entry):
    np.save(tmp_path / "w.npy", np.array([[entry, entry], [entry, -entry]]))
    result = invoke("compute", "linear", "--weights", tmp_path / "w.npy", "--format", "json")
    assert result.exit_code == 0, result.output
    assert not re.search(r"NaN|Infinity", result.stdout)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("argv", cases(ODD))
@pytest.mark.parametrize("format", ["text", "json"])
def test_odd_but_legal_input_is_served(argv, format):
    result = invoke(*argv, "--format", format)
    assert result.exit_code == 0, result.output
    assert result.stdout
    assert not re.search(r"\b(nan|inf|NaN|Infinity)\b", result.stdout)
    assert all(line.startswith("Note: ") for line in result.stderr.splitlines())
