"""The foreign reading of what we wrote: exact where rt-utils is right about geometry, said in words where it is not."""

import builtins

import numpy as np
import pytest
from rtstruct_cases import GEOMETRIES, case

from rtseg.core import Structure, StructureSet
from rtseg.dicom.foreign import foreign_check


@pytest.fixture(scope="module")
def square(tmp_path_factory):
    return case(tmp_path_factory.mktemp("square"), GEOMETRIES["square"])


def kinds(findings):
    return [finding.kind for finding in findings]


def test_rt_utils_reads_square_pixels_exactly(square):
    assert foreign_check(square.path, square.ct.identity, square.organs) == ()


def test_a_difference_is_told_with_organ_and_voxels(square):
    mask = square.organs.mask("Brainstem").array.copy()
    mask[tuple(np.argwhere(mask)[0])] = False
    changed = StructureSet(square.organs.geometry, {**square.organs.structures, "Brainstem": Structure.from_full(mask)})
    (finding,) = foreign_check(square.path, square.ct.identity, changed)
    assert (finding.kind, finding.organ, finding.value) == ("foreign_reader_differs", "Brainstem", 1)


def test_an_organ_that_is_missing_is_told(square):
    more = StructureSet(square.organs.geometry, {**square.organs.structures, "Lens_L": square.organs["Brainstem"]})
    (finding,) = foreign_check(square.path, square.ct.identity, more)
    assert (finding.kind, finding.organ) == ("foreign_reader_differs", "Lens_L")


@pytest.mark.parametrize("name", ["pixels not square", "image not square"])
def test_what_rt_utils_misreads_is_not_asked_of_it(name, tmp_path):
    odd = case(tmp_path, GEOMETRIES[name])
    assert kinds(foreign_check(odd.path, odd.ct.identity, odd.organs)) == ["foreign_reader_not_applicable"]


def test_a_ct_that_rt_utils_cannot_read_is_told_not_fatal(tmp_path):
    """Slices without preamble and file meta information: rt-utils passes over them and finds no image."""
    bare = case(tmp_path, GEOMETRIES["square"])
    for image in bare.ct.identity.slices:
        whole = image.path.read_bytes()
        image.path.write_bytes(whole[whole.index(b"\x08\x00\x05\x00CS") :])
    (finding,) = foreign_check(bare.path, bare.ct.identity, bare.organs)
    assert finding.kind == "foreign_reader_not_applicable"
    assert "No DICOM Images found" in finding.words


def test_a_missing_rt_utils_is_told_not_fatal(square, monkeypatch):
    real = builtins.__import__

    def without(name, *args, **kwargs):
        if name == "rt_utils":
            raise ImportError("libGL.so.1: cannot open shared object file")
        return real(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", without)
    (finding,) = foreign_check(square.path, square.ct.identity, square.organs)
    assert finding.kind == "foreign_reader_unavailable"
    assert "libGL" in finding.words
