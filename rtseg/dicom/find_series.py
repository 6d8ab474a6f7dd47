"""Finds the planning CT in a folder: nested, without suffixes, among other series and files that are no DICOM at all."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from pydicom.uid import CTImageStorage, MediaStorageDirectoryStorage

from rtseg.core import Finding, InputError
from rtseg.dicom.slice_header import MULTIFRAME_CT, SliceHeader, read_header, sop_class_of_broken

NAMES_SHOWN = 5
"""So many file names stand in a message; the rest is counted."""

UID_TAIL = 8
"""Last characters of a series UID that name it in logs and reports (never the patient's name or ID)."""


@dataclass(frozen=True)
class SeriesFound:
    """Files of one series and one sort; ``left_out`` tells why they cannot be the planning CT, None if they can."""

    uid: str
    modality: str
    headers: tuple[SliceHeader, ...]
    left_out: str | None

    @property
    def description(self) -> str:
        return self.headers[0].description

    @property
    def tail(self) -> str:
        """The end of the UID, enough to choose by and safe for logs."""
        return self.uid[-UID_TAIL:]


@dataclass(frozen=True)
class FolderScan:
    """Everything in a folder: DICOM series, files that are not DICOM, broken DICOM files that are certainly no CT."""

    folder: Path
    series: tuple[SeriesFound, ...]
    not_dicom: tuple[Path, ...] = ()
    broken: tuple[Path, ...] = ()

    @property
    def candidates(self) -> tuple[SeriesFound, ...]:
        """CT series, the one with most images first."""
        return tuple(series for series in self.series if series.left_out is None)


def scan_folder(folder: Path) -> FolderScan:
    """Reads the headers of all files below ``folder``; hidden files and the DICOMDIR index are passed over.

    Raises InputError if it is not a folder, or holds a DICOM file that cannot be read and may be a CT slice.
    """
    headers, not_dicom, broken = [], [], []
    for path in _files(folder):
        try:
            header = read_header(path)
        except InputError:
            if _may_be_ct(path):
                raise
            broken.append(path)
            continue
        if header is None:
            not_dicom.append(path)
        elif header.text("SOPClassUID") != MediaStorageDirectoryStorage and path.name.upper() != "DICOMDIR":
            headers.append(header)
    return FolderScan(folder, _grouped(headers), tuple(not_dicom), tuple(broken))


def choose_series(scan: FolderScan, series: str | None = None) -> SeriesFound:
    """The CT series of a scan: the only one, or the one whose UID is or ends with ``series``.

    Raises InputError if there is none, more than one fits, or it is an enhanced multi-frame CT.
    """
    fitting = [found for found in scan.candidates if series is None or found.uid.endswith(series)]
    exact = [found for found in fitting if found.uid == series]
    fitting = exact or fitting
    if not scan.candidates:
        raise InputError(f"no CT series in {scan.folder}. Found: {_inventory(scan)}. Expected the axial CT images of one series.")
    if not fitting:
        raise InputError(
            f"no CT series in {scan.folder} has the UID or ending {series!r}. There are:\n{_listed(scan.candidates)}"
        )
    if len(fitting) > 1:
        raise InputError(
            f"{len(fitting)} CT series in {scan.folder}:\n{_listed(fitting)}\n"
            "Choose one with --series UID (the last characters are enough), or split the folder."
        )
    _refuse_multiframe(fitting[0])
    return fitting[0]


def left_out_findings(scan: FolderScan, chosen: SeriesFound) -> tuple[Finding, ...]:
    """What the folder holds beside the chosen series, one finding (kind ``left_out``) for each series and sort."""
    words = [
        f"{len(found.headers)} x {found.modality or 'no modality'} of series ...{found.tail} left out: "
        f"{found.left_out or 'another CT series was chosen'} ({_names(header.path for header in found.headers)})"
        for found in scan.series
        if found is not chosen
    ]
    if scan.not_dicom:
        words.append(f"{len(scan.not_dicom)} files left out: not DICOM ({_names(scan.not_dicom)})")
    if scan.broken:
        words.append(f"{len(scan.broken)} files left out: broken DICOM files of another kind than CT ({_names(scan.broken)})")
    return tuple(Finding("left_out", text) for text in words)


def _files(folder: Path) -> list[Path]:
    if not folder.exists():
        raise InputError(f"{folder} does not exist: a folder with the CT images of one patient was expected")
    if not folder.is_dir():
        raise InputError(
            f"{folder} is a file: name the folder that holds all slices of the CT ({folder.resolve().parent}), or a NIfTI CT"
        )
    found = []
    for parent, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        found += [Path(parent, name) for name in sorted(names) if not name.startswith(".")]
    return [path for path in found if path.is_file()]


def _may_be_ct(path: Path) -> bool:
    sop_class = sop_class_of_broken(path)
    return not sop_class or sop_class == CTImageStorage or sop_class in MULTIFRAME_CT


def _grouped(headers: list[SliceHeader]) -> tuple[SeriesFound, ...]:
    groups: dict[tuple[str, str, str | None], list[SliceHeader]] = {}
    for header in headers:
        key = (header.text("SeriesInstanceUID"), header.text("Modality"), _why_left_out(header))
        groups.setdefault(key, []).append(header)
    series = [SeriesFound(uid, modality, tuple(group), why) for (uid, modality, why), group in groups.items()]
    return tuple(sorted(series, key=lambda found: (found.left_out is not None, -len(found.headers), found.uid)))


def _why_left_out(header: SliceHeader) -> str | None:
    """None for what may be a slice of a planning CT."""
    if header.is_multiframe_ct:
        return None
    if header.text("SOPClassUID") != CTImageStorage:
        return header.class_name
    if "LOCALIZER" in header.texts.get("ImageType", ()):
        return "localizer (scout view), not a slice"
    if header.integers.get("SamplesPerPixel", 1) != 1:
        return "colour picture, not Hounsfield units"
    missing = [word for word in ("SOPInstanceUID", "SeriesInstanceUID") if not header.text(word)]
    missing += [word for word in ("Rows", "Columns") if word not in header.integers]
    if missing:
        raise InputError(
            f"{', '.join(missing)} is missing in {header.path}: the file may be cut off. "
            "Copy or export it again, or remove it if it is no slice of the CT."
        )
    return None


def _refuse_multiframe(found: SeriesFound) -> None:
    for header in found.headers:
        frames = header.text("NumberOfFrames") or "1"
        if header.is_multiframe_ct or frames != "1":
            raise InputError(
                f"{header.path} is {header.class_name} with {frames} frames in one file: rtseg reads CT with one slice per file "
                "(CT Image Storage). Export the series as single-frame CT, or convert it first."
            )


def _inventory(scan: FolderScan) -> str:
    counts = Counter(f"{found.modality or 'no modality'} ({found.left_out})" for found in scan.series for _ in found.headers)
    parts = [f"{n} x {what}" for what, n in counts.items()]
    parts += [f"{len(scan.not_dicom)} files that are not DICOM"] if scan.not_dicom else []
    parts += [f"{len(scan.broken)} broken DICOM files"] if scan.broken else []
    return ", ".join(parts) or "nothing"


def _listed(series: Iterable[SeriesFound]) -> str:
    return "\n".join(f"  {found.uid}: {len(found.headers)} slices, {found.description!r}" for found in series)


def _names(paths: Iterable[Path]) -> str:
    names = [path.name for path in paths]
    more = f" and {len(names) - NAMES_SHOWN} more" if len(names) > NAMES_SHOWN else ""
    return ", ".join(names[:NAMES_SHOWN]) + more
