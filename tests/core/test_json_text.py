from __future__ import annotations

import pytest

from napari_semst.config import Request
from napari_semst.core.json_text import parse_json
from napari_semst.errors import ConfigError


def test_json_is_read_and_deep_nesting_is_an_error_of_values():
    assert parse_json(b'{"a": [1, null]}') == {"a": [1, None]}
    for text in ("[" * 200_000, "{", ""):
        with pytest.raises(ValueError, match=r"."):
            parse_json(text)


@pytest.mark.parametrize(
    "text",
    [
        "x = " + "[" * 200_000,
        "[training]\nepochs = " + "9" * 5000,
        "[training]\nepochs = 0x" + "f" * 5000,
        "[training]\nlearning_rate = 1" + "0" * 400,
    ],
)
def test_settings_that_no_computer_counts_with_are_refused(text):
    with pytest.raises(ConfigError):
        Request.from_toml(text)
