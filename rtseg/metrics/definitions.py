"""What each figure's name stands for, in one sentence: it goes with every table that shows the figure."""

from __future__ import annotations

import re

from rtseg.metrics.surface import SurfaceModel

SURFACES = {
    SurfaceModel.SURFEL: "surface pieces of the marching-cubes surface, weighted by area (Nikolov 2021)",
    SurfaceModel.VOXEL: "border voxels (the mask less its 6-connected erosion), each counting the same",
}

DEFINITIONS = {
    "dsc": "Dice similarity coefficient, twice the shared volume over the sum of the volumes; 0 for a missed organ",
    "jaccard": "shared volume over that of the union",
    "precision": "part of the prediction that lies in the reference",
    "recall": "part of the reference that was predicted (sensitivity)",
    "volume_reference_ml": "volume of the reference",
    "volume_predicted_ml": "volume of the prediction",
    "volume_difference_ml": "predicted minus reference",
    "volume_ratio": "predicted over reference",
    "centroid_distance_mm": "distance between the centres of mass",
    "centroid_left_mm": "shift of the prediction's centre of mass to the patient's left",
    "centroid_posterior_mm": "the same to posterior",
    "centroid_superior_mm": "the same to superior",
    "hd_mm": "Hausdorff distance, the largest surface distance in either direction",
    "hd95_mm": "the larger of the two directed 95th percentiles of surface distance",
    "hd95_pooled_mm": "95th percentile of both directions' surface distances together",
    "assd_mm": "mean of both directions' surface distances together",
    "msd_mm": "mean of the two directed mean surface distances",
    "rmsd_mm": "root mean square of both directions' surface distances together",
    "dsc_in_reference_range": "dsc of the slices between the reference's ends",
    "hd95_in_reference_range_mm": "hd95_mm of the slices between the reference's ends",
}

WITH_TOLERANCE = {
    r"nsd_(?P<mm>[\d.e+-]+)": "normalised surface Dice: part of both surfaces within {mm} mm of the other; 0 for a missed organ",
    r"apl_(?P<mm>[\d.e+-]+)_mm": "added path length: length of reference contour further than {mm} mm from the predicted one",
}


def definition(name: str) -> str:
    """The sentence for a figure's name, as ``figures`` gives it. Raises KeyError for a name that stands for nothing."""
    if name in DEFINITIONS:
        return DEFINITIONS[name]
    for pattern, words in WITH_TOLERANCE.items():
        if match := re.fullmatch(pattern, name):
            return words.format(**match.groupdict())
    raise KeyError(name)
