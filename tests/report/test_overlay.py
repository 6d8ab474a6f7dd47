"""The picture of the worst place: the plane where most voxels differ, left on its side, whatever is missing."""

import base64
import io

import numpy as np
from evaluations import GRID, moved, organs_of
from PIL import Image

from rtseg.core import EMPTY, Structure, StructureSet
from rtseg.report.overlay import colour, overlay

ORGANS = organs_of()


def pixels(source: str) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(source.split(",")[1]))).convert("RGB")).astype(int)


def where(picture: np.ndarray, rgb: str) -> np.ndarray:
    """(n, 2) rows and columns near a colour."""
    wanted = np.frombuffer(bytes.fromhex(rgb.removeprefix("#")), dtype=np.uint8).astype(int)
    return np.argwhere(np.abs(picture - wanted).sum(axis=2) < 60)


def test_the_plane_is_that_where_most_voxels_differ():
    """A block of 2 x 2 voxels beside the organ in slice 20, 1 voxel elsewhere."""
    array = ORGANS.mask("Brainstem").array.copy()
    array[20, 5:7, 5:7] = True
    array[8, 50, 50] = True
    drawn = StructureSet(GRID, {"Brainstem": Structure.from_full(array)})
    axial = overlay(None, ORGANS, {"auto": drawn}, "Brainstem").captions[0]
    assert axial == f"axial, z {GRID.points([[20, 0, 0]])[0][2]:.1f} mm"


def test_a_prediction_to_the_left_lies_to_the_right_on_the_axial_picture():
    pictures = overlay(None, ORGANS, {"left": moved(ORGANS, columns=3), "right": moved(ORGANS, columns=-3)}, "Brainstem")
    axial = pixels(pictures.sources[0])
    left, right = (where(axial, colour(number))[:, 1].mean() for number in (0, 1))
    assert left > axial.shape[1] / 2 > right


def test_a_missed_organ_and_one_that_is_nowhere_have_a_picture_too():
    missed = overlay(None, ORGANS, {"auto": StructureSet(GRID)}, "Brainstem")
    assert len(missed.sources) == 3
    nowhere = overlay(None, StructureSet(GRID, {"Larynx": EMPTY}), {"auto": StructureSet(GRID)}, "Larynx")
    assert all(source.startswith("data:image/png;base64,") for source in nowhere.sources)
