"""Image encoders that people use, and what their makers allow."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class EncoderSuggestion:
    """An image encoder at Hugging Face.

    Parameters
    ----------
    encoder
        What the setting ``morphology.encoder`` takes.
    trained_on
        What it learnt from, in words.
    licence
        Its makers' terms, in short; theirs is what counts.
    gated
        Whether the terms must be accepted at huggingface.co, and a token be in the
        environment as ``HF_TOKEN``.
    how, hub
        What to do where the encoder cannot be read here, and its name at the hub.
    """

    encoder: str
    trained_on: str
    licence: str
    gated: bool = False
    how: str = ""
    hub: str = ""

    @property
    def model(self) -> str:
        """Its name at the hub."""
        return self.hub or self.encoder.partition(":")[2]


_NO_TRADE = "CC-BY-NC-ND-4.0: not for trade, and not to be passed on changed"

SUGGESTED_ENCODERS = (
    EncoderSuggestion("hf:facebook/dinov2-base", "photographs", "Apache-2.0"),
    EncoderSuggestion(
        "hf:owkin/phikon-v2",
        "histology",
        "Owkin's own licence: not for trade; read it before use",
    ),
    EncoderSuggestion("timm:MahmoodLab/UNI", "histology", _NO_TRADE, gated=True),
    EncoderSuggestion("timm:MahmoodLab/UNI2-h", "histology", _NO_TRADE, gated=True),
    EncoderSuggestion("timm:paige-ai/Virchow2", "histology", _NO_TRADE, gated=True),
    EncoderSuggestion(
        "timm:bioptimus/H-optimus-0", "histology", "Apache-2.0", gated=True
    ),
    EncoderSuggestion(
        "timm:prov-gigapath/prov-gigapath",
        "histology",
        "Its makers' own licence: for research; read it before use",
        gated=True,
    ),
    EncoderSuggestion(
        "obsm:conch",
        "histology and its descriptions",
        _NO_TRADE,
        gated=True,
        how="CONCH (MahmoodLab/CONCH) needs its own package: compute its features with "
        "it, put them into obsm['conch'], and choose obsm:conch.",
        hub="MahmoodLab/CONCH",
    ),
)


def suggestion_for(model: str) -> EncoderSuggestion | None:
    """Return what is known here of an encoder, if anything."""
    for suggestion in SUGGESTED_ENCODERS:
        if suggestion.model.casefold() == model.casefold():
            return suggestion
    return None


def licence_of(model: str) -> str:
    """Return the licence of an encoder, as far as it is known here."""
    known = suggestion_for(model)
    return known.licence if known else "not known here: see its page"
