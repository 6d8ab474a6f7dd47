"""Finds the planning CT in a folder: nested, without suffixes, among other series and files that are no DICOM at all."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from pydicom.uid import CTImageStorage, MediaStorageDirectoryStorage

from rtseg.core import Finding, InputError
from rtseg.dicom.slice_header import MULTIFRAME_CT, SliceHeader, read_header, shown, sop_class_of_broken

NAMES_SHOWN = 5
"""So many file names stand in a message; the rest is counted."""

INDEX = "DICOMDIR"
"""Name of the file that lists the others of a medium."""

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
        return shown(self.uid)[-UID_TAIL:]


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


Told = Callable[[int, int], None]
"""Hears how many files of how many have been looked at."""


def scan_folder(folder: Path, files: Sequence[Path] | None = None, told: Told | None = None) -> FolderScan:
    """Reads the headers of all files below ``folder``, or of these alone; hidden files and the DICOMDIR index are passed over.

    Raises InputError if it is not a folder, or holds a DICOM file that cannot be read and may be a CT slice.
    """
    headers, not_dicom, broken = [], [], []
    looked_at = files_below(folder) if files is None else files
    for count, path in enumerate(looked_at, start=1):
        if told is not None:
            told(count, len(looked_at))
        try:
            header = read_header(path)
        except InputError:
            if may_be_ct(path):
                raise
            broken.append(path)
            continue
        if header is None:
            not_dicom.append(path)
        elif not is_index(header):
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
        raise InputError(
            f"no CT series in {scan.folder}. Found: {_inventory(scan)}. "
            "Expected the axial CT images of one series: name the folder that holds them."
        )
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
        words.append(f"{_files(scan.not_dicom)} left out: not DICOM ({_names(scan.not_dicom)})")
    if scan.broken:
        words.append(f"{_files(scan.broken)} left out: broken DICOM of another kind than CT ({_names(scan.broken)})")
    return tuple(Finding("left_out", text) for text in words)


def files_below(folder: Path, unreachable: Callable[[Path, InputError], None] | None = None) -> list[Path]:
    """All files below a folder, by name; hidden ones and a DICOMDIR are passed over, links are followed.

    unreachable hears of what may not be looked at or is a link to nothing, and why: it may be a slice of a CT.
    Raises InputError if it is not a folder, or where nobody listens to what is unreachable.
    """
    if not os.access(folder, os.F_OK):  # Path.exists raises where a folder above may not be entered
        raise InputError(f"{folder} does not exist: a folder with the CT images of one patient was expected")
    if not folder.is_dir():
        raise InputError(
            f"{folder} is a file: name the folder that holds all slices of the CT ({folder.resolve().parent}), or a NIfTI CT"
        )
    found: list[Path] = []
    entered = {os.path.realpath(folder)}

    def refuse(error: OSError) -> None:
        refusal = _refusal(error)
        if unreachable is None:
            raise refusal from error
        unreachable(Path(error.filename), refusal)

    for parent, folders, names in os.walk(folder, onerror=refuse, followlinks=True):
        folders[:] = sorted(name for name in folders if not name.startswith(".") and _is_new(Path(parent, name), entered))
        for name in sorted(name for name in names if not name.startswith(".") and name.upper() != INDEX):
            try:
                if stat.S_ISREG(Path(parent, name).stat().st_mode):
                    found.append(Path(parent, name))
            except OSError as error:
                refuse(error)
    return found


def _is_new(folder: Path, entered: set[str]) -> bool:
    """Whether a folder has not been entered yet: links may lead in a circle."""
    place = os.path.realpath(folder)
    is_new = place not in entered
    entered.add(place)
    return is_new


def _refusal(error: OSError) -> InputError:
    if isinstance(error, FileNotFoundError):
        return InputError(
            f"{error.filename} is a link to nothing, or has just gone: it may be a slice of the CT. "
            "Bring the file back, or remove the link."
        )
    return InputError(
        f"{error.filename} may not be looked at ({error.strerror}): it may hold slices of the CT. "
        "Give yourself the right to read it, or move it out of the folder."
    )


def is_index(header: SliceHeader) -> bool:
    """Whether it is a DICOMDIR, which lists the other files."""
    return header.text("SOPClassUID") == MediaStorageDirectoryStorage or header.path.name.upper() == INDEX


def may_be_ct(path: Path) -> bool:
    """Whether a DICOM file that cannot be read may be a slice of a CT."""
    sop_class = sop_class_of_broken(path)
    return not sop_class or sop_class == CTImageStorage or sop_class in MULTIFRAME_CT


def _grouped(headers: list[SliceHeader]) -> tuple[SeriesFound, ...]:
    groups: dict[tuple[str, str, str | None], list[SliceHeader]] = {}
    for header in headers:
        key = (header.text("SeriesInstanceUID"), shown(header.text("Modality")), why_left_out(header))
        groups.setdefault(key, []).append(header)
    series = [SeriesFound(uid, modality, tuple(group), why) for (uid, modality, why), group in groups.items()]
    return tuple(sorted(series, key=lambda found: (found.left_out is not None, -len(found.headers), found.uid)))


def why_left_out(header: SliceHeader) -> str | None:
    """Why it is no slice of a planning CT, None for what may be one. Raises InputError if what a slice needs is missing."""
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
        frames = shown(header.text("NumberOfFrames")) or "1"
        if header.is_multiframe_ct or frames != "1":
            raise InputError(
                f"{header.path} is {header.class_name} with {frames} frames in one file: rtseg reads CT with one slice per file "
                "(CT Image Storage). Export the series as single-frame CT, or convert it first."
            )


def _inventory(scan: FolderScan) -> str:
    """What a folder without CT holds, file names and all."""
    kinds: dict[str, list[Path]] = {}
    for found in scan.series:
        kinds.setdefault(f"{found.modality or 'no modality'} ({found.left_out})", []).extend(h.path for h in found.headers)
    parts = [f"{len(paths)} x {kind}: {_names(paths)}" for kind, paths in kinds.items()]
    parts += [f"{_files(scan.not_dicom)} not DICOM: {_names(scan.not_dicom)}"] if scan.not_dicom else []
    parts += [f"{_files(scan.broken)} broken: {_names(scan.broken)}"] if scan.broken else []
    return "; ".join(parts) or "nothing"


def _files(paths: Sequence[Path]) -> str:
    return f"{len(paths)} file{'' if len(paths) == 1 else 's'}"


def _listed(series: Iterable[SeriesFound]) -> str:
    return "\n".join(f"  {shown(found.uid)}: {len(found.headers)} slices, {found.description!r}" for found in series)


def _names(paths: Iterable[Path]) -> str:
    names = [path.name for path in paths]
    more = f" and {len(names) - NAMES_SHOWN} more" if len(names) > NAMES_SHOWN else ""
    return ", ".join(names[:NAMES_SHOWN]) + more
