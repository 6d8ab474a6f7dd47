"""In a process with pydicom 2: reads a structure set with dcmrtstruct2nii; arguments: structure set, CT folder, output folder."""

import sys

from dcmrtstruct2nii import dcmrtstruct2nii

dcmrtstruct2nii(sys.argv[1], sys.argv[2], sys.argv[3], convert_original_dicom=False)
