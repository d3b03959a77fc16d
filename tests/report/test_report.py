"""The report: one page, whole, safe, and it can be repeated."""

from __future__ import annotations

import base64
import re
from html.parser import HTMLParser

import numpy as np
import pandas as pd
import pytest

from napari_semst import keys, write_report
from napari_semst.config import Request
from napari_semst.errors import ConfigError, InputError, SaveError
from napari_semst.io.export.h5ad import write
from napari_semst.io.places.landmarks import register_image
from napari_semst.methods.resolve import resolve
from napari_semst.pipeline.result import attach
from napari_semst.registration.landmarks import landmarks_from
from napari_semst.report import facts
from napari_semst.wording import for_shell
from tests.cli.test_main import call
from tests.conftest import banded_tissue
from tests.small import named
from tests.widgets.stand_in import small_tissue

EVIL = "<script>alert(1)</script>\"&'"


class Reader(HTMLParser):
    """What a browser would see: tags, their attributes, text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str]]] = []
        self.open: list[str] = []
        self.words: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in ("meta", "img", "link", "br"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join(self.words)


@pytest.fixture(scope="module")
def made(result_of):
    made = attach(named(banded_tissue()), result_of("quick"), "first").copy()
    made.obs[keys.MODULATION] = np.linspace(0, 1, made.n_obs)
    made.uns[keys.RUNS]["first"]["losses"] = {"loss": np.array([3.0, 2.0, 1.5])}
    return made


@pytest.fixture
def result(made):
    return made.copy()


def report(result, tmp_path, **options) -> tuple[str, Reader]:
    path = write_report(result, tmp_path / "report.html", dpi=40, **options)
    text = path.read_text(encoding="utf-8")
    reader = Reader(text)
    assert not reader.open
    return text, reader


def test_nothing_comes_from_outside(result, tmp_path):
    text, reader = report(result, tmp_path, annotation="ground_truth")
    assert not {"script", "link", "iframe", "object"} & {t for t, _ in reader.tags}
    sources = [values["src"] for tag, values in reader.tags if tag == "img"]
    assert len(sources) == 5  # domains, annotation, confidence, modulation, training
    for source in sources:
        kind, data = source.split(",")
        assert kind == "data:image/png;base64"
        assert base64.b64decode(data).startswith(b"\x89PNG")
    plain = re.sub(r"base64,[^']*", "", text)
    assert "http" not in plain.replace("http-equiv", "")
    assert "url(" not in plain
    assert "default-src 'none'" in text


@pytest.mark.parametrize(("axis", "n_wide"), [(0, 0), (1, 4)])
def test_pictures_of_wide_sections_take_the_whole_page(result, tmp_path, axis, n_wide):
    """Side by side, their writing could not be read; the loss stays as it is."""
    result.obsm["spatial"] = result.obsm["spatial"].copy()
    result.obsm["spatial"][:, axis] *= 0.1
    _, reader = report(result, tmp_path, annotation="ground_truth")
    kinds = [values.get("class") for tag, values in reader.tags if tag == "figure"]
    assert (len(kinds), kinds.count("wide")) == (5, n_wide)


def test_it_tells_what_was_found(result, tmp_path):
    rows = result.obs[keys.DOMAIN].value_counts()
    _, reader = report(result, tmp_path, annotation="ground_truth")
    assert f"3 spatial domains of {result.n_obs} spots, run first" in reader.text
    for name, count in rows.items():
        assert f"{name} {count} {100 * count / result.n_obs:.1f} %" in reader.text
    facts = result.uns[keys.RUNS]["first"]
    assert facts["input_hash"] in reader.text
    assert facts["versions"]["torch"] in reader.text
    assert facts["device"]["reason"] in reader.text
    assert "Adjusted Rand index" in reader.text


def test_the_settings_repeat_the_run(result, tmp_path):
    text, _ = report(result, tmp_path)
    command, _, settings = re.findall(r"<pre>(.*?)</pre>", text, flags=re.DOTALL)
    assert "--run first -o again.h5ad" in command
    again = resolve(Request.from_toml(Reader(settings).text))
    assert again.to_dict() == result.uns[keys.RUNS]["first"]["config"]


def test_words_of_the_data_stay_words(result, tmp_path):
    old = result.obs[keys.DOMAIN].cat.categories[0]
    result.obs[keys.DOMAIN] = result.obs[keys.DOMAIN].cat.rename_categories({old: EVIL})
    result.obs[EVIL] = result.obs["ground_truth"].cat.rename_categories(
        {"band 0": EVIL}
    )
    result.uns[keys.RUNS]["first"]["warnings"] = np.array([EVIL], dtype=object)
    result.uns["semst_input"] = {"name": EVIL, "warnings": [EVIL]}
    result.uns[f"{keys.DOMAIN}_colors"] = ["red;}</style><script>", "lime", "#0000ff"]
    markers = pd.DataFrame({"domain": [EVIL], "score": [1.23456]})
    text, reader = report(result, tmp_path, annotation=EVIL, markers=markers)
    assert "script" not in {tag for tag, _ in reader.tags}
    assert "<script" not in text
    assert EVIL in reader.text
    assert "1.23" in reader.text


def test_an_explanation_is_told(result, tmp_path):
    name = result.obs[keys.DOMAIN].cat.categories[0]
    genes = {"gene": ["MBP", "PLP1"], "auc": [0.91, 0.8]}
    told = {"sentence": "Domain 1 is white.", "genes": genes}
    result.uns[keys.RUNS]["first"]["explanation"] = {"domains": {name: told}}
    _, reader = report(result, tmp_path)
    assert "Domain 1 is white." in reader.text
    assert "PLP1" in reader.text


def test_domains_without_a_record(result, tmp_path):
    for key in (keys.RUNS, keys.LATEST, "semst_input"):
        result.uns.pop(key, None)
    text, reader = report(result, tmp_path, source=tmp_path / "a.h5ad")
    assert "To repeat it" not in reader.text
    assert "<h1>a.h5ad</h1>" in text


def test_what_cannot_be_reported_is_said(result, tmp_path):
    place = tmp_path / "a.html"
    with pytest.raises(InputError, match="semst_domain_second"):
        write_report(result, place, run="second")
    with pytest.raises(InputError, match="nothing"):
        write_report(result, place, annotation="nothing")
    with pytest.raises(ConfigError, match="dpi"):
        write_report(result, place, dpi=0)
    with pytest.raises(SaveError, match=r"\.html"):
        write_report(result, tmp_path / "a.txt", dpi=40)
    assert not list(tmp_path.iterdir())


def test_the_shell_writes_it(result, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write(result, tmp_path / "a.h5ad")
    pd.DataFrame({"domain": ["1"], "gene": ["MBP"]}).to_csv("m.csv", index=False)
    said = call("report", "a.h5ad", "-o", "a.html", "--markers", "m.csv",
                "--annotation", "ground_truth", "-c", "array_row")  # fmt: skip
    assert said == "Wrote a.html.\n"
    text = (tmp_path / "a.html").read_text()
    assert "<td>MBP</td>" in text
    assert "Coloured by array_row." in text
    with pytest.raises(SaveError) as refused:
        call("report", "a.h5ad", "-o", "a.html")
    assert "add --overwrite" in for_shell(refused.value)


def test_a_registration_is_told_wherever_the_coordinates_are():
    tissue = small_tissue()
    places = np.array([[0.0, 0.0], [900.0, 100.0], [100.0, 800.0]])
    register_image(tissue, "one", landmarks_from(places, places + 5.0))
    tissue.obs["x"], tissue.obs["y"] = tissue.obsm.pop("spatial").T
    told = dict(facts._given(tissue, {}, {}, None))
    assert told["Image one"].startswith("Similarity map of 3 pairs")
