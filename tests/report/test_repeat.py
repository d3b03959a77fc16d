"""The command of a report: the same settings, and the same labels."""

from __future__ import annotations

import ast
import re
import shlex
import subprocess
from html import unescape
from pathlib import Path

import pytest
from anndata import read_h5ad
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from napari_semst.cli import run as run_command
from napari_semst.cli.main import app
from napari_semst.config import STAGES, Request, number_of_domains
from napari_semst.config.presets import PRESETS
from napari_semst.errors import ConfigError
from napari_semst.io.export.h5ad import write
from napari_semst.methods.resolve import resolve
from napari_semst.report.repeat import (
    RUN_OPTIONS,
    RunAsked,
    python_call,
    shell_command,
)
from tests.cli.test_main import call
from tests.conftest import banded_tissue
from tests.small import named

# Where the path of a file must lead to one.
_NO_FILE = ("morphology.image",)
_TEXTS = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=12)


def values_of(field):
    """Return a strategy of values that a setting accepts."""
    kind, known = type(field.default), field.metadata
    low, high = known["low"], known["high"]
    if known["choices"]:
        return st.sampled_from(known["choices"])
    if kind is bool:
        return st.booleans()
    if kind is int:
        return st.integers(low or 0, min(high or 2**40, 2**40))
    if kind is float:
        return st.floats(low or 0.0, high, allow_nan=False)
    return _TEXTS


@st.composite
def requests(draw):
    """Return what somebody may ask for."""
    asked = {"domains": {"n_domains": draw(st.sampled_from([-1, 1, 7]))}}
    for stage in draw(st.sets(st.sampled_from(list(STAGES)), max_size=4)):
        fields = [
            field
            for field in STAGES[stage].__dataclass_fields__.values()
            if f"{stage}.{field.name}" not in ("domains.n_domains", *_NO_FILE)
        ]
        for field in draw(st.lists(st.sampled_from(fields), max_size=4)):
            asked.setdefault(stage, {})[field.name] = draw(values_of(field))
    return Request(draw(st.sampled_from(list(PRESETS))), asked)


def parsed(command, folder, monkeypatch):
    """Return the settings that the lines of a shell come to, nothing being run."""
    seen = {}

    def note(sources, request, name, scoring, *_, **__):
        seen.update(sources=sources, request=request, run=name, spots=scoring.spots)

    monkeypatch.setattr(run_command, "run_one", note)
    monkeypatch.chdir(folder)
    head, _, line = command.rpartition("\n")
    if head:
        first, *text, last = head.split("\n")
        marker = re.fullmatch(r"cat > again.toml <<'(\w+)'", first).group(1)
        assert last == marker
        assert marker not in text
        Path("again.toml").write_text("\n".join(text) + "\n", encoding="utf-8")
    done = CliRunner().invoke(app, shlex.split(line)[1:], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return seen


def resolved(request):
    try:
        return resolve(request)
    except ConfigError:
        return None


@settings(
    max_examples=60,
    suppress_health_check=[
        HealthCheck.function_scoped_fixture,
        HealthCheck.filter_too_much,
        HealthCheck.too_slow,
    ],
)
@given(asked=requests(), source=st.sampled_from(["a b.h5ad", "-x.h5ad", "é'$(x).zarr"]))
@example(
    asked=Request("quick", {"domains": {"n_domains": 3}, "semantics": {"n_genes": 3}}),
    source="a",
)
@example(
    asked=Request(
        "dlpfc",
        {
            "domains": {"n_domains": -1, "refine": 3},
            "semantics": {"source": "table", "table": "-it's;$x.csv"},
        },
    ),
    source="a",
)
@example(
    asked=Request(
        "default",
        {
            "domains": {"n_domains": 4, "refine": 2},
            "model": {"weights": "./a//b"},
            "prepare": {"part": "16", "counts_layer": "a\nb"},
            "semantics": {"source": "server", "url": "http://h/v1", "per": "gene"},
        },
    ),
    source="a",
)
@example(
    asked=Request(
        "default",
        {
            "domains": {"n_domains": 4},
            "model": {"method": "image-guided"},
            "image_guided": {"reference": '"left, again",right'},
        },
    ),
    source="a",
)
def test_the_command_comes_to_the_same_settings(asked, source, tmp_path_factory):
    config = resolved(asked)
    if config is None:
        return
    known = RunAsked((source,), "one", "with a column")
    command = shell_command(config, known)
    with pytest.MonkeyPatch.context() as patch:
        seen = parsed(command, tmp_path_factory.mktemp("again"), patch)
    assert resolve(seen["request"]) == config
    assert seen["run"] == "one"
    assert seen["spots"] == "with a column"
    assert [str(Path(one)) for one in seen["sources"]] == [source]


@settings(max_examples=60)
@given(asked=requests())
def test_the_call_comes_to_the_same_settings(asked):
    config = resolved(asked)
    if config is None:
        return
    text = python_call(config, RunAsked(("a'b.h5ad",)))
    call_of = ast.parse(text).body[1].value
    found = {
        word.arg: eval(compile(ast.Expression(word.value), "", "eval"))
        for word in call_of.keywords
    }
    assert ast.literal_eval(call_of.args[0]) == "a'b.h5ad"
    request = Request(found["preset"], found["overrides"])
    request = request.with_settings("training", seed=found["seed"]).with_settings(
        "domains", n_domains=number_of_domains(found["n_domains"])
    )
    assert resolve(request) == config


def test_the_options_are_those_of_the_command():
    groups = (run_command._METHOD_SETTINGS, run_command._RUN_SETTINGS)
    known = {setting for group in groups for setting in group._settings.values()}
    assert {"domains.n_domains", *known} == set(RUN_OPTIONS)


@pytest.fixture
def section(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write(named(banded_tissue()), "it's one.h5ad")
    return "it's one.h5ad"


def commands_of(page):
    text = Path(page).read_text(encoding="utf-8")
    return [unescape(one) for one in re.findall(r"<pre>(.*?)</pre>", text, re.DOTALL)]


def test_a_run_is_repeated_by_its_report(section, tmp_path):
    Path("my.toml").write_text("[prepare]\nn_top_genes = 40\n[domains]\nn_starts = 2\n")
    words = ("-k", "3", "--method", "quick", "--seed", "4", "--config", "my.toml")
    call("run", section, *words, "-o", "out.h5ad", "-q")
    call("report", "out.h5ad", "-o", "out.html")
    command = commands_of("out.html")[0]
    assert "n_top_genes = 40" in command
    head, _, line = command.rpartition("\n")
    # As a shell does it, but for the program, which is not installed everywhere.
    subprocess.run(["/bin/sh", "-c", head], check=True)
    call(*shlex.split(line)[1:], "-q")
    one, other = (read_h5ad(name) for name in ("out.h5ad", "again.h5ad"))
    assert (one.obs["semst_domain"] == other.obs["semst_domain"]).all()
    assert "9805e63c01134d196196ce604a6329fa50391ce676e15836cd612cc7c7548773" in (
        Path("out.html").read_text(encoding="utf-8")
    )
