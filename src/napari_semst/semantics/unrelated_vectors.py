"""Sentences that have nothing to do with genes, for the control of sources of text."""

from __future__ import annotations

import numpy as np

_SUBJECTS = (
    "The ferry to the island",
    "An old clock in the hall",
    "The baker across the street",
    "A letter from the lawyer",
    "The second violin",
    "Their neighbour's bicycle",
    "The train from the coast",
    "A painter of ships",
    "The referee",
    "My grandmother's kettle",
    "The library's new roof",
    "A flock of geese",
    "The night porter",
    "An unpaid bill",
    "The mountain hut",
    "A glass of cider",
)
_VERBS = (
    "waits for",
    "was late because of",
    "has never seen",
    "reminds us of",
    "is older than",
    "costs less than",
    "stands beside",
    "was sold with",
    "made way for",
    "outlasted",
    "is named after",
    "will be followed by",
)
_OBJECTS = (
    "the winter timetable",
    "a box of chalk",
    "the village choir",
    "two empty benches",
    "the harbour lights",
    "a borrowed umbrella",
    "the last tram",
    "an argument about chess",
    "the blue curtains",
    "a bridge of stone",
    "the postman's whistle",
    "a basket of pears",
    "the football results",
    "an afternoon of rain",
    "the school play",
    "a map of the suburbs",
)
_TIMES = (
    "on Sundays",
    "at half past seven",
    "before the holidays",
    "in any weather",
    "since last spring",
    "for no good reason",
    "once a year",
    "until further notice",
)


def sentences(number: int, seed: int) -> list[str]:
    """Return that many sentences, drawn from some 25,000 with replacement.

    Parameters
    ----------
    number
        How many.
    seed
        The same seed gives the same sentences.
    """
    random = np.random.default_rng(seed)
    parts = (_SUBJECTS, _VERBS, _OBJECTS, _TIMES)
    picks = [random.integers(len(part), size=number).tolist() for part in parts]
    return [
        " ".join(part[i] for part, i in zip(parts, chosen, strict=True)) + "."
        for chosen in zip(*picks, strict=True)
    ]
