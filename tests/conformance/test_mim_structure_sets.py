"""Structure sets that MIM wrote for a sarcoma set, read onto the CT grid, against the masks that their publishers filled."""

import io
import lzma
from pathlib import Path

import numpy as np
import pytest
from pydicom import Dataset

from rtseg.data import read_nifti
from rtseg.dicom import CtGrid, SeriesIdentity, SliceIdentity, read_rtstruct
from rtseg.dicom.rtstruct_file import load_rtstruct


def read(file: Path, geometry):
    """The masks of an xz-packed structure set, from memory; of its CT nothing but the grid is there."""
    packed = io.BytesIO(lzma.decompress(file.read_bytes()))
    about = load_rtstruct(packed)
    header = Dataset()
    header.PatientID = about.patient_id
    images = tuple(SliceIdentity("", str(i), ("0", "0", "0"), Path()) for i in range(geometry.shape[0]))
    identity = SeriesIdentity(header, "", next(iter(about.series), ""), about.rois[0].frame_of_reference_uid, images)
    return read_rtstruct(packed, CtGrid(geometry, identity))


def cases(test_data):
    folder = test_data("sts_ct_mr/cases")
    return sorted(path for path in folder.iterdir() if (path / "rtstruct" / "RS_CT.dcm.xz").is_file())


def from_edges_mm(file: Path, points) -> float:
    """Largest distance from points (n, 3) to the nearest contour edge on their plane, mm."""
    (roi,) = load_rtstruct(io.BytesIO(lzma.decompress(file.read_bytes()))).rois
    loops = [contour.points() for contour in roi.contours]
    furthest = 0.0
    for point in points:
        nearest = np.inf
        for loop in (loop for loop in loops if abs(loop[0, 2] - point[2]) < 1.0):
            start, along = loop, np.roll(loop, -1, axis=0) - loop
            share = np.clip(((point - start) * along).sum(1) / np.maximum((along**2).sum(1), 1e-12), 0, 1)
            nearest = min(nearest, np.linalg.norm(start + share[:, None] * along - point, axis=1).min())
        furthest = max(furthest, nearest)
    return furthest


@pytest.mark.conformance
def test_every_mask_is_that_of_the_publishers(test_data):
    """Even-odd at voxel centres: exact in 36 of 39; in three, voxels whose centre lies on an edge: either rule may take them."""
    exact = 0
    for folder in cases(test_data):
        mask = read_nifti(folder / "mask.nii.gz")
        file = folder / "rtstruct" / "RS_CT.dcm.xz"
        (organ,) = read(file, mask.geometry).structures.structures.values()
        mine = np.zeros(mask.geometry.shape, dtype=np.bool_)
        mine[organ.box] = organ.mask
        differing = np.argwhere(mine != (mask.array > 0))
        exact += len(differing) == 0
        if len(differing):
            assert from_edges_mm(file, mask.geometry.points(differing.astype(float))) < 0.002, folder.name
    assert exact == 36


@pytest.mark.conformance
def test_those_of_the_mr_are_read_too(test_data):
    """Drawn on the MR, in the same frame of reference, mostly on other planes: all are read, with a word where planes differ."""
    for folder in cases(test_data):
        file = folder / "rtstruct" / "RS_MR_T1.dcm.xz"
        contents = read(file, read_nifti(folder / "ct.nii.gz").geometry)
        assert len(contents.structures) == 1
        (name,) = contents.structures
        if contents.structures[name].is_empty:
            assert {"contour_outside_stack", "roi_without_contours"} & {finding.kind for finding in contents.findings}
