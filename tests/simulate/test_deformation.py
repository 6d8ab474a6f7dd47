"""Organs reach their volumes, bone is at rest, nothing folds."""

from __future__ import annotations

import numpy as np
import pytest

from rtseg.simulate import deformation
from rtseg.simulate.anatomy import BONES, Label, anatomy
from rtseg.simulate.deformation import at_rest, grown, jacobian, moved, still, swayed, volume_ml

MAN = anatomy()


@pytest.mark.parametrize(
    ("label", "ml"), [(Label.BLADDER, 500.0), (Label.BLADDER, 30.0), (Label.PROSTATE, 80.0), (Label.RECTUM, 40.0)]
)
def test_an_organ_is_brought_to_its_volume(label, ml):
    field = grown(MAN, still(MAN), label, ml, np.random.default_rng(0))
    assert volume_ml(moved(at_rest(MAN, label), field)) == pytest.approx(ml, rel=0.03)
    assert jacobian(field).min() > 0
    assert np.abs(field[:, at_rest(MAN, *BONES) < -4]).max() == 0


def test_a_full_bladder_pushes_its_neighbours_and_takes_no_voxel_of_bone():
    """What is bladder afterwards was bladder before: the map is one to one, so that organs cannot overlap."""
    field = grown(MAN, still(MAN), Label.BLADDER, 500.0, np.random.default_rng(0), upward=0.6)
    before, after = (at_rest(MAN, Label.PROSTATE), moved(at_rest(MAN, Label.PROSTATE), field))
    down = np.argwhere(before < 0)[:, 0].mean() - np.argwhere(after < 0)[:, 0].mean()
    assert 0 < down * deformation.STEP_MM < 12
    bone = at_rest(MAN, *BONES)
    assert ((moved(bone, field) < 0) == (bone < 0)).all()


def test_a_sway_is_as_wide_as_asked_for_and_folds_nothing():
    field = swayed(MAN, still(MAN), 6.0, np.random.default_rng(1))
    assert 3 < np.abs(field).max() <= 6.5
    assert jacobian(field).min() > 0.3


def test_a_volume_out_of_reach_is_told(monkeypatch):
    monkeypatch.setattr(deformation, "MOST_STEPS", 2)
    with pytest.raises(ValueError, match=r"BLADDER cannot be brought to 600 ml: \d+ ml is as far as it goes"):
        grown(MAN, still(MAN), Label.BLADDER, 600.0, np.random.default_rng(0))
