"""File meta information of every DICOM file that is written (PS3.10 7.1)."""

from __future__ import annotations

from pydicom import FileDataset
from pydicom.dataset import FileMetaDataset
from pydicom.uid import UID

import rtseg

IMPLEMENTATION_UID = UID("2.25.137465421271040497235564299674526507255")
"""Names this program in file meta information (PS3.7 D.3.3.2): drawn once at random, never changed."""


def file_meta(sop_class_uid: str, sop_instance_uid: str, transfer_syntax_uid: str) -> FileMetaDataset:
    """Class, instance, transfer syntax, and who wrote it."""
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = UID(sop_class_uid)
    meta.MediaStorageSOPInstanceUID = UID(sop_instance_uid)
    meta.TransferSyntaxUID = UID(transfer_syntax_uid)
    meta.ImplementationClassUID = IMPLEMENTATION_UID
    meta.ImplementationVersionName = f"RTSEG_{rtseg.__version__}"[:16]
    return meta


def new_file(meta: FileMetaDataset) -> FileDataset:
    """An empty data set with this file meta information, to be filled and saved."""
    return FileDataset("", {}, file_meta=meta, preamble=b"\0" * 128)
