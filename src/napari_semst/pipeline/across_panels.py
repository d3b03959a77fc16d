"""Sections of different panels: each by its own genes, with domains named in common."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_semst import keys
from napari_semst.core.progress import Progress
from napari_semst.core.sections import naming_section
from napari_semst.errors import ConfigError, InputError
from napari_semst.wording import Worded

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from anndata import AnnData
    from numpy.typing import NDArray

    from napari_semst.config import Config
    from napari_semst.core.progress import RunControl
    from napari_semst.core.sections import Sections
    from napari_semst.domains.common_names import CommonNames
    from napari_semst.domains.domain_meaning import Projection
    from napari_semst.pipeline.result import DomainResult

    Find = Callable[
        [AnnData, Config, RunControl], Generator[Progress, None, DomainResult]
    ]

_LATENT = 15


def find_across_panels(
    tissue: AnnData, config: Config, control: RunControl, find: Find
) -> Generator[Progress, None, DomainResult]:
    """Find the domains of every section by its own genes, and name them in common.

    Domains are matched by what their genes mean (the built-in gene table), which needs
    no gene in common. One that is like none of another section, no more than with
    shuffled gene names, keeps a name of its own.

    Parameters
    ----------
    tissue
        A joint table that keeps what its sections count of their own genes.
    config
        All settings; the number of domains is that of each section.
    find
        Finds the domains of one section, `napari_semst.pipeline.run.find_domains`.

    Raises
    ------
    ConfigError
        If settings are asked for that sections of different panels do not have.
    InputError
        If the gene table knows too few genes of a section.
    """
    from napari_semst.io.own_counts import own_sections
    from napari_semst.io.sections import sections_of
    from napari_semst.pipeline.content import content_hashes
    from napari_semst.pipeline.provenance import CONTENT

    _check(tissue, config)
    sections = sections_of(tissue, keys.SECTION)
    parts = own_sections(tissue, sections)
    meanings = [_projection(name, part) for name, part in parts.items()]
    single = config.with_overrides(
        {"prepare": {"section_key": "", "counts_layer": "", "coordinates": ""}}
    )
    found = []
    for name, part in parts.items():
        yield Progress("prepare", 0, 0, f"Section {name}, by its own genes")
        with naming_section(name):
            found.append((yield from find(part, single, control)))
        control.check()
    yield Progress("assign", 0, 0, "Naming domains in common")
    named = _Named.of(sections, meanings, found, config.training.seed)
    result = named.result(tissue, config)
    # Of the joint table, which is what is saved and may be read again.
    content = yield from content_hashes(tissue, config, control)
    return replace(result, provenance={**result.provenance, CONTENT: content})


def _check(tissue: AnnData, config: Config) -> None:
    from napari_semst.methods.spec import method_spec

    if method_spec(config.model.method).discordance:
        raise ConfigError(
            "Expected sections of one panel for a map of discordance; these have few "
            "genes in common. Run them one by one, or choose another method."
        )
    source = config.semantics
    if source.source == "precomputed" and source.embedding not in tissue.obsm:
        raise ConfigError(
            "Expected an embedding in obsm for sections of different panels; got a "
            "file. Put its rows into obsm of every section, under one name."
        )


def _projection(name: str, part: AnnData) -> Projection:
    from napari_semst.domains.domain_meaning import Projection
    from napari_semst.genes.table import builtin_table
    from napari_semst.io.own_counts import FEWEST_KNOWN

    genes = part.var_names.to_numpy(dtype=str)
    found = Projection.of_panel(part.X, genes, builtin_table())
    if found.n_known < FEWEST_KNOWN:
        raise InputError(
            f"Expected at least {FEWEST_KNOWN} genes of section {name!r} that the "
            f"built-in gene table knows, to compare it with sections of other panels; "
            f"found {found.n_known} among {len(genes)}. Give genes as symbols or human "
            "Ensembl ids, or run the section alone."
        )
    return found


def named_in_common(
    meanings: list[Projection], codes: list[NDArray[np.int32]], seed: int
) -> CommonNames:
    """Return common names of domains that were found apart, the largest section first.

    Parameters
    ----------
    meanings
        Of the panel of every section.
    codes
        Domain of each spot of every section, ``0 .. n_domains - 1``.
    seed
        Of the null.
    """
    from napari_semst.domains.common_names import common_names

    profiles = [
        meaning.domain_profiles(own)
        for meaning, own in zip(meanings, codes, strict=True)
    ]

    def shuffled(code: int, state: int) -> NDArray[np.float64]:
        meaning = meanings[code]
        order = np.random.default_rng(state).permutation(meaning.n_known)
        return meaning.signatures(profiles[code], order)

    signatures = [
        meaning.signatures(one) for meaning, one in zip(meanings, profiles, strict=True)
    ]
    order = np.argsort([-len(own) for own in codes], kind="stable").tolist()
    return common_names(signatures, shuffled, order, seed)


@dataclass(frozen=True)
class _Named:
    """Domains of all sections, found apart, and their common names."""

    sections: Sections
    meanings: list[Projection]
    found: list[DomainResult]
    common: CommonNames

    @classmethod
    def of(
        cls,
        sections: Sections,
        meanings: list[Projection],
        found: list[DomainResult],
        seed: int,
    ) -> _Named:
        codes = [one.codes for one in found]
        return cls(sections, meanings, found, named_in_common(meanings, codes, seed))

    def result(self, tissue: AnnData, config: Config) -> DomainResult:
        """Return one result for all sections, in the table's order of spots."""
        from napari_semst.domains.cluster import largest_first
        from napari_semst.pipeline.apply_sections import rows_in_order

        labels = [
            names[result.codes]
            for names, result in zip(self.common.names, self.found, strict=True)
        ]
        raw = rows_in_order(labels, self.sections)
        assert raw is not None
        codes = largest_first(raw)
        number = np.empty(int(raw.max()) + 1, np.int64)
        number[raw] = codes
        names = tuple(str(code + 1) for code in range(int(codes.max()) + 1))
        arrays: dict[str, Any] = {}
        for key in ("confidence", "modulation", "modulation_scale", "modulation_shift",
                    "coverage", "scale", "shift"):  # fmt: skip
            arrays[key] = rows_in_order(
                [getattr(one, key) for one in self.found], self.sections
            )
        return replace(
            self.found[0],
            codes=codes,
            names=names,
            latent=self._latent(tissue),
            fine=None,
            model=None,
            morphology=None,
            provenance=self._provenance(tissue, config, number),
            **arrays,
        )

    def _latent(self, tissue: AnnData) -> NDArray[np.float32]:
        """Return what spots and their neighbours mean, on axes common to all."""
        from napari_semst.pipeline.apply_sections import rows_in_order
        from napari_semst.prepare import components, graphs

        places = np.asarray(tissue.obsm[keys.SPATIAL], dtype=np.float64)
        averaged = []
        for spots, meaning in zip(self.sections.spots(), self.meanings, strict=True):
            near = graphs.n_touching(places[spots])
            average = components.neighbour_average(places[spots], near)
            averaged.append(
                components.smooth_over_neighbours(meaning.spots(), average, 1)
            )
        values = rows_in_order(averaged, self.sections)
        assert values is not None
        mean, axes = components.dense_axes(values)
        return components.rotate_to_axes(values, mean, axes[:, :_LATENT])

    def _provenance(
        self, tissue: AnnData, config: Config, number: NDArray[np.int64]
    ) -> dict[str, Any]:
        import hashlib

        from napari_semst.pipeline.provenance import spots_hash

        told = dict(self.found[0].provenance)
        told.pop("hierarchy", None)
        told.pop("number_of_domains", None)
        each = [one.provenance for one in self.found]
        names = self.sections.names
        told["config"] = config.to_dict()
        told["section"] = {
            **told["section"],
            "sections": dict(zip(names, map(int, self.sections.sizes), strict=True)),
            "own_genes": {
                n: int(one["section"]["genes"])
                for n, one in zip(names, each, strict=True)
            },
        }
        hashes = "".join(one["input_hash"] for one in each)
        told["input_hash"] = hashlib.sha256(hashes.encode()).hexdigest()
        told["spots_hash"] = spots_hash(tissue.obs_names)
        stages = dict.fromkeys(stage for one in each for stage in one["seconds"])
        told["seconds"] = {
            stage: round(sum(one["seconds"].get(stage, 0) for one in each), 3)
            for stage in stages
        }
        told["semantics"] = self._semantics(told["semantics"])
        told["common_names"] = self._matches(number)
        told["warnings"] = [
            *_of_joining(tissue),
            *(
                Worded(f"{name}: ", text)
                for name, one in zip(names, each, strict=True)
                for text in one["warnings"]
            ),
            *self._alone(number),
        ]
        return told

    def _semantics(self, first: dict[str, Any]) -> dict[str, Any]:
        """Return the record of gene semantics, with what is known of every panel."""
        names, each = self.sections.names, [one.provenance for one in self.found]
        known = [one["semantics"].get("genes") for one in each]
        shares = [one["semantics"].get("coverage") for one in each]
        told = dict(first)
        if all(known):
            parts = (f"{n}: {one}" for n, one in zip(names, known, strict=True))
            told["genes"] = "; ".join(parts)
        if all(isinstance(share, int | float) for share in shares):
            mean = np.average(np.array(shares, float), weights=self.sections.sizes)
            told["coverage"] = float(mean)
        return told

    def _matches(self, number: NDArray[np.int64]) -> dict[str, Any]:
        """Return, for every section but the first, how like its domains are."""
        return {
            name: {
                "domains": (number[own] + 1).tolist(),
                "similarity": np.round(like, 3).tolist(),
                "chance": round(chance, 3),
            }
            for name, own, like, chance in zip(
                self.sections.names,
                self.common.names,
                self.common.similarity,
                self.common.chance,
                strict=True,
            )
            if np.isfinite(chance)
        }

    def _alone(self, number: NDArray[np.int64]) -> list[str]:
        """Return a warning of each section's domains that none before it is like."""
        warnings = []
        for name, own, like, chance in zip(
            self.sections.names,
            self.common.names,
            self.common.similarity,
            self.common.chance,
            strict=True,
        ):
            if not np.isfinite(chance) or not np.isnan(like).any():
                continue
            left = sorted((number[own[np.isnan(like)]] + 1).tolist())
            if len(left) == len(own):
                warnings.append(
                    f"No domain of section {name!r} means what one of the others does, "
                    "no more than with shuffled gene names: all have names of their "
                    "own. Do not compare them by name."
                )
                continue
            one = len(left) == 1
            warnings.append(
                f"Domain{'' if one else 's'} {', '.join(map(str, left))} of section "
                f"{name!r} {'is' if one else 'are'} like none of the sections before, "
                "no more than with shuffled gene names: "
                f"{'it has a name' if one else 'they have names'} of their own."
            )
        return warnings


def _of_joining(tissue: AnnData) -> list[str]:
    from napari_semst.io import notes

    return list(notes.input_warnings(tissue, told_apart=True))
