"""Our structure sets in the hands of others: dciodvfy, rt-utils, plastimatch, dcmrtstruct2nii, DicomRTTool."""

import numpy as np
import pytest
from conformance.peer_readers import READERS, environment, read_by
from dciodvfy import errors, said, wants_dciodvfy
from rtstruct_cases import MAKER
from rtstruct_masks import PLACES, place

from rtseg.dicom import Export, foreign_check, write_rtstruct

pytestmark = pytest.mark.conformance

KNOWN = {
    ("plastimatch", "slice gap"): "resamples to even slices",
    ("dcmrtstruct2nii", "slice gap"): "takes slices for even",
    ("dicomrttool", "slice gap"): "gives its masks, right slice by slice, an image of even slices",
    ("dicomrttool", "oblique"): "looks slices up by z",
    ("dicomrttool", "sagittal"): "looks slices up by z",
    ("dicomrttool", "coronal"): "looks slices up by z",
}
"""Geometries in which a reader is known to be wrong: whoever becomes right is told by a failing test."""


@pytest.fixture(scope="module")
def at(tmp_path_factory):
    made = {}

    def find(name):
        if name not in made:
            where = place(name, tmp_path_factory.mktemp(name.replace(" ", "_")))
            write_rtstruct(where.organs, where.ct, where.folder / "rs.dcm", Export(MAKER))
            made[name] = where
        return made[name]

    return find


@wants_dciodvfy
@pytest.mark.parametrize("name", PLACES)
def test_dciodvfy_finds_no_error(at, name):
    assert "RTStructureSet" in said(at(name).folder / "rs.dcm")
    assert errors(at(name).folder / "rs.dcm") == []


@pytest.mark.parametrize("name", PLACES)
def test_rt_utils_reads_every_voxel_where_it_can(at, name):
    where = at(name)
    kinds = [finding.kind for finding in foreign_check(where.folder / "rs.dcm", where.ct.identity, where.organs)]
    unable = name in ("pixels not square", "image not square", "sagittal", "coronal")  # the last two are not square either
    assert kinds == (["foreign_reader_not_applicable"] if unable else [])


@pytest.mark.parametrize("name", PLACES)
@pytest.mark.parametrize("reader", READERS)
def test_others_read_every_voxel(at, reader, name):
    if environment(reader) is None:
        pytest.skip(f"{reader} cannot be installed here")
    where = at(name)
    try:
        found = read_by(reader, where.folder / "rs.dcm", where.folder / "ct", where.ct.geometry)
    except RuntimeError as error:
        found = {"error": np.array([str(error)])}
    differing = {}
    for organ in where.organs:
        mask = next((found[key] for key in found if key.casefold() == organ.casefold()), None)
        if mask is None or not np.array_equal(mask, where.organs.mask(organ).array):
            differing[organ] = "lost" if mask is None else "other voxels"
    if (reader, name) in KNOWN:
        assert differing, f"{reader} has become right: {KNOWN[reader, name]} is no longer so"
    else:
        assert differing == {}, found.get("error")
