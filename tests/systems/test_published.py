"""What others published is read as it stands, under names that rtseg knows, with its cautions."""

import pytest

from rtseg.core import ConfigError
from rtseg.systems.published import Published, read_published
from rtseg.systems.words import validated


def test_the_table_that_ships_is_whole():
    published = read_published()
    dai = next(source for source in published.sources if source.key == "dai2021")
    assert dai.organs["Brainstem"] == (0.90, 0.06)
    assert dai.organs["Parotid_L"] == 0.83
    assert "0.77" in dai.cautions
    assert published.cautions


def test_an_organ_that_nobody_knows_is_named():
    content = {"sources": [{"key": "k", "what": "w", "where": "x", "organs": {"Spleeen": 0.5}}], "cautions": []}
    with pytest.raises(ConfigError, match="Spleeen"):
        validated(Published, content, "published.yaml")
