"""In a process of its own: reads a structure set with DicomRTTool (GPL-3); arguments: folder with CT and it, output folder."""

import sys
from pathlib import Path

import SimpleITK as sitk  # noqa: N813
from DicomRTTool.ReaderWriter import DicomReaderWriter

reader = DicomReaderWriter(description="interoperability", verbose=False)
reader.walk_through_folders(sys.argv[1])
for name in reader.return_rois(print_rois=False):
    reader.set_contour_names_and_associations(contour_names=[name])
    reader.get_images_and_mask()
    mask = sitk.GetImageFromArray((reader.mask > 0).astype("uint8"))
    mask.CopyInformation(reader.dicom_handle)
    sitk.WriteImage(mask, str(Path(sys.argv[2]) / f"{name}.nii.gz"))
