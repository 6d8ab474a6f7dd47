"""A small picture of a patient with all contours, for an overview of many."""

from __future__ import annotations

import io

from rtseg.core import StructureSet, Volume
from rtseg.report.figures import png
from rtseg.report.page import outlines, whole_body
from rtseg.report.planes import AXIAL, CORONAL, image_at, located

HEIGHT_PX = 240


def thumbnail(ct: Volume, structures: StructureSet) -> bytes:
    """An axial and a coronal picture side by side through the mean of the organs' middles, as a PNG."""
    from PIL import Image

    pictures = []
    for view in (AXIAL, CORONAL):
        raster = whole_body(ct, structures, view)
        drawn = png(
            raster, image_at(ct, located(ct.geometry, raster)), outlines(structures, raster, list(structures), manual=False)
        )
        picture = Image.open(io.BytesIO(drawn)).convert("RGB")
        pictures.append(picture.resize((max(1, round(picture.width * HEIGHT_PX / picture.height)), HEIGHT_PX)))
    both = Image.new("RGB", (sum(picture.width for picture in pictures) + 4, HEIGHT_PX))
    both.paste(pictures[0], (0, 0))
    both.paste(pictures[1], (pictures[0].width + 4, 0))
    buffer = io.BytesIO()
    both.quantize(256, Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE).save(buffer, "png")
    return buffer.getvalue()
