"""What a run warns of: settings unused, sections unlike, spots too few."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from napari_semst.methods.section_texts import (
    pixel_warnings,
    power_text,
    section_warnings,
)
from napari_semst.methods.spec import method_spec

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np
    from anndata import AnnData
    from numpy.typing import NDArray

    from napari_semst.config import Config
    from napari_semst.methods.base import Fit
    from napari_semst.methods.image_guided.discordance_result import Discordance
    from napari_semst.methods.image_guided.handling import ImageOffset
    from napari_semst.prepare.section import Section


# Sections of one tissue were found at 1.2 to 1.9, unrelated ones at 2.3 to 5.6.
_FARTHEST = 2.0


# Rates of calls were measured on sections of 3,000 spots.
_FEW_FOR_DISCORDANCE = 1000
# The recipe's own, which asks for nothing.
_FUSION = "fsm"
_READS_COMPONENTS = "stagate"


def tissue_warnings(tissue: AnnData, section: Section) -> list[str]:
    """Return what is to be said of a tissue before anything is trained on it.

    What reading noticed, features that are no genes, species and sections that one
    table mixes, and an image on which few spots lie.
    """
    from napari_semst.io import notes
    from napari_semst.io.coordinates import locate_coordinates
    from napari_semst.io.feature_names import say_references
    from napari_semst.io.gene_features import genes_of
    from napari_semst.io.places.mixed_sections import mixed_sections
    from napari_semst.io.places.on_image import few_on_image
    from napari_semst.pipeline.inputs import SectionInputs

    apart = len(section.sections.names) > 1
    sections = section.sections if apart else None
    # At the places of this run, which may be others than were read.
    places = section.coordinates
    mixing = mixed_sections(tissue, places, sections and sections.codes)
    kinds = genes_of(tissue, section.config.features)
    # What reading noticed is of the places that it found.
    key = section.config.coordinates
    found = [
        *(locate_coordinates(tissue, key).remarks if key else ()),
        kinds.sentence(),
        say_references(tissue.var.loc[kinds.genes]),
        *SectionInputs(tissue, section.config).remarks,
        "" if mixing is None else mixing.warning,
        few_on_image(tissue, places, sections),
    ]
    return [*notes.input_warnings(tissue, told_apart=True), *filter(None, found)]


def run_warnings(config: Config, section: Section, fit: Fit) -> list[str]:
    """Return warnings of settings unused, sections unlike and spots too few."""
    return [
        *unused_settings(config),
        *unlike_sections(section, fit),
        *few_spots(fit),
        *handling_warnings(fit),
        *section_warnings(fit.notes),
        *pixel_warnings(_images(section)),
    ]


def other_number(wanted: int, found: int) -> list[str]:
    """Return a warning where the readout found another number of domains."""
    if found == wanted:
        return []
    other = "fewer" if found < wanted else "more"
    return [
        f"{wanted} domains were asked for; the readout found {found}. Ask for {other}, "
        "or try another readout."
    ]


def unused_settings(config: Config) -> list[str]:
    """Return warnings for settings that were changed and that the recipe ignores."""
    training, method, unused = config.training, config.model.method, []
    spec = method_spec(method)
    if training.ensemble > 1 and spec.networks != "ensemble":
        trained = {"none": "no network", "one": "one network"}[spec.networks]
        unused.append(
            f"The method {method!r} trains {trained}: the ensemble is not used."
        )
    if config.morphology.encoder != "none" and not spec.reads_image(config):
        unused.append(
            f"The method {method!r} reads no image here: features of the image are "
            "kept, and change no domain. Choose the method image-guided, or semst with "
            "model.morphology view or modulation."
        )
    if training.average_last and not spec.averages_latents:
        unused.append(
            f"The method {method!r} averages no latents of its last epochs "
            "(training.average_last): the setting is not used."
        )
    if config.model.fusion != _FUSION and config.semantics.source == "none":
        unused += _unfused(config)
    if config.semantics.smoothing_rounds >= 0 and not spec.smooths_semantics:
        unused.append(
            f"The method {method!r} takes each spot's own semantic vector: "
            "semantics.smoothing_rounds is not used."
        )
    if config.model.input_components and method != _READS_COMPONENTS:
        unused.append(
            f"The method {method!r} reads no components in place of genes: "
            "model.input_components is not used."
        )
    if config.model.weights and not spec.published_weights:
        unused.append(
            f"The method {method!r} begins with no published weights: model.weights "
            "is not used."
        )
    if training.checkpoints > 1 and not spec.hears_checkpoints:
        unused.append(f"The method {method!r} hears no late checkpoints.")
    elif training.checkpoints > 1 and training.average_last:
        unused.append(
            "Latents of the last epochs are averaged (training.average_last): late "
            "checkpoints are not heard apart."
        )
    return unused


def _unfused(config: Config) -> list[str]:
    """Return a warning for a fusion that has no semantics to bring in."""
    if config.model.fusion == "none":
        return []
    return [
        "No semantics was read: the fusion (model.fusion) is not used. Choose a "
        "source, and a method that reads it."
    ]


def few_spots(fit: Fit) -> list[str]:
    """Return a warning where few spots tell what the image predicts, or none does."""
    discordance = fit.discordance
    # Of several sections each is spoken of for itself.
    if discordance is None or discordance.sections:
        return []
    warnings = []
    # Unknown is NaN, which is not itself.
    usable = int((discordance.p_value == discordance.p_value).sum())
    few = f"; or {usable} spots are too few" if usable < _FEW_FOR_DISCORDANCE else ""
    if discordance.offset is not None:
        warnings.append(_image_beside(discordance.offset))
    elif not len(discordance.predicted):
        warnings.append(
            "The image does not reliably predict any expression, no more than moved "
            "elsewhere on the slide: nothing was compared, and no spot is discordant. "
            "Look at how image and spots are aligned, and how many pixels lie across "
            f"a spot{few}."
        )
    elif usable < _FEW_FOR_DISCORDANCE:
        warnings.append(
            f"Only {usable} spots tell what the image predicts; below "
            f"{_FEW_FOR_DISCORDANCE} the map is rough and calls may be false: "
            f"{_power_of(discordance)}. Sections that are read together help each "
            "other. Look at the patches of the brightest spots."
        )
    else:
        asked = discordance.p_unexplained == discordance.p_unexplained
        left = usable - int(asked.sum())
        if left:
            warnings.append(
                f"What is unexplained was not asked of {left} spots, which are of "
                f"sections with fewer than {_FEW_FOR_DISCORDANCE} usable spots each: "
                "that no region of it is found there says nothing."
            )
    return warnings


def _power_of(discordance: Discordance) -> str:
    """Return how strong a region has to be to be found in a single section."""
    (power,) = discordance.power
    return power_text(*power)


def _images(section: Section) -> Mapping[str, Any]:
    """Return what was noted of each section's image."""
    notes = {} if section.morphology is None else section.morphology.notes
    images: Mapping[str, Any] = notes.get("images", {})
    return images


def _image_beside(offset: ImageOffset) -> str:
    """Return that the image lies beside its spots, and what to do."""
    return (
        "The image seems to lie beside its spots: taken from "
        f"({offset.x:+.4g}, {offset.y:+.4g}) away (x and y in units of the "
        f"coordinates, {offset.pitches:.1f} distances between spots) it predicts "
        f"{offset.gain:.1f} times as much of what spots express. Nothing was compared, "
        "and no spot is discordant. Align the image and run again."
    )


def handling_warnings(fit: Fit) -> list[str]:
    """Return warnings on what is handling, and on regions like no other place."""
    from napari_semst.methods.image_guided.level_stain import STAIN_TREND

    if fit.discordance is None:
        return []
    warnings = []
    trend = fit.discordance.stain_trend
    if trend >= STAIN_TREND:
        warnings.append(
            f"The stain changes across the slide: {trend:.0%} of what varies in the "
            "image is a trend that expression does not tell. It was taken away before "
            "image and expression were compared."
        )
    aside = fit.discordance.aside
    if not aside:
        return warnings
    sizes = ", ".join(str(len(one.spots)) for one in aside)
    return [
        *warnings,
        f"Regions that are no discordance: {len(aside)} of {sizes} spots differ in "
        "expression, and in the image are like no other place of the section, as "
        "necrosis, a stromal reaction or what lies beside a fold. Nothing tells what "
        "to expect there, and they are not called.",
    ]


def unlike_sections(section: Section, fit: Fit) -> list[str]:
    """Return warnings for sections that are not of one kind with the others."""
    ratios = fit.notes.get("apart", [])
    assert isinstance(ratios, list)
    return [
        f"Most spots of section {name!r} have no like in the other sections (they lie "
        f"{ratio:.1f} times as far from them as from their own; 1.2 to 1.9 is usual): "
        "the same domain there may be another tissue here. Compare it with a run of "
        "its own."
        for name, ratio in zip(section.sections.names, ratios, strict=False)
        if ratio > _FARTHEST
    ]


def absent_domains(codes: NDArray[np.int32], names: tuple[str, ...]) -> list[str]:
    """Return a warning where domains of a model have no spot in a section."""
    gone = [name for code, name in enumerate(names) if not (codes == code).any()]
    if not gone:
        return []
    return [
        f"{len(gone)} of the model's {len(names)} domains have no spot here "
        f"({', '.join(gone)}). Either the section lacks them, or it differs from the "
        "model's by donor or chemistry more than by tissue, and its labels are not to "
        "be trusted: compare them with those of a run of its own."
    ]
