"""Runs `check` on broken series, or reads broken structure sets, in a process of its own with little memory and time.

`python -m fuzz.worker series|structures FIRST END` tells of each number in one line of JSON. One that hangs ends the process
with a traceback; one that wants too much memory or raises anything but an RtsegError is told in its line.
"""

from __future__ import annotations

import faulthandler
import io
import json
import re
import resource
import sys
import tempfile
import traceback
import warnings
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from fuzz.broken_ct import EXPLICIT, broken_file, whole_series, write_broken_series
from pydicom import dcmread
from pydicom.uid import ExplicitVRLittleEndian

from rtseg.core import RtsegError, Structure, StructureSet
from rtseg.dicom import Clash, Export, Maker, PlanningCT, append, read_planning_ct, read_rtstruct, verify, write_rtstruct
from rtseg.jobs.check import check_ct

SECONDS, BYTES, HANGS_S = 10, 2 * 10**9, 100
"""What a series may take at most; and when one that waits for something is given up."""

BOTH = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)

MOVED = re.compile("swapped|renamed|doubled")
"""Ways that put one attribute's text into another: then a name may stand where no name should be."""

SECRETS = ("SECRET", "Änne", "19500102")
"""Patient's name, ID and birth date: in no answer."""


def main() -> None:
    """Answers for the `series` or the `structures` of these numbers."""
    what, first, end = sys.argv[1], *map(int, sys.argv[2:])
    resource.setrlimit(resource.RLIMIT_AS, (BYTES, BYTES))
    warnings.simplefilter("error")  # a library's remark may hold a patient's name: none may get through
    reader = structure_set_reader() if what == "structures" else None
    for number in range(first, end):
        with tempfile.TemporaryDirectory() as folder:
            made = write_broken_series(number, Path(folder)) if reader is None else reader.write_broken(number, Path(folder))
            told = {"number": number, "made": made}
            before = contents(folder)
            faulthandler.dump_traceback_later(HANGS_S, exit=True)
            begin = cpu_seconds()
            try:
                told["verdict"] = verdict(Path(folder)) if reader is None else reader.verdict(Path(folder))
                assert MOVED.search(told["made"]) or not any(secret in told["verdict"] for secret in SECRETS)
            except Exception:  # noqa: BLE001  # what it is, is told
                told["bug"] = traceback.format_exc()
            told["seconds"] = round(cpu_seconds() - begin, 3)
            if told["seconds"] > SECONDS:
                told["bug"] = f"it took {told['seconds']} s"
            faulthandler.cancel_dump_traceback_later()
            if contents(folder) != before:
                told["bug"] = "the input was changed"
        told["peak_gb"] = round(max(peak_kb(), resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss) / 1e6, 3)
        sys.stdout.write(json.dumps(told) + "\n")
        sys.stdout.flush()


def peak_kb() -> int:
    """Resident memory of this process at its most; ru_maxrss would count what the process that started it had."""
    return int(Path("/proc/self/status").read_text().partition("VmHWM:")[2].split()[0])


def cpu_seconds() -> float:
    """Of this process and of decoders that have ended: other work on the machine does not count."""
    return sum(usage.ru_utime + usage.ru_stime for usage in map(resource.getrusage, BOTH))


def verdict(folder: Path) -> str:
    """The answer of `check` as JSON; what was read must also be good for a structure set."""
    result = check_ct(folder)
    told = json.dumps(result.as_dict(), allow_nan=False, ensure_ascii=False)
    if result.error is None:
        write_box(read_planning_ct(folder))
    return told


def write_box(ct: PlanningCT) -> None:
    """A box is written for this CT and read back, or refused in words."""
    mask = np.zeros(ct.volume.geometry.shape, dtype=bool)
    mask[:, 3:-3, 3:-3] = True
    box = StructureSet(ct.volume.geometry, {"Brainstem": Structure.from_full(mask)})
    assert ct.identity is not None
    with tempfile.TemporaryDirectory() as folder, suppress(RtsegError):
        file = write_rtstruct(box, ct, Path(folder) / "rs.dcm", Export(Maker("fuzz", "1", "0" * 64))).path
        read_rtstruct(file, ct)


@dataclass(frozen=True)
class StructureSetReader:
    """Reads broken structure sets of one CT; the whole one has two organs on each of its slices."""

    ct: PlanningCT
    whole: bytes

    def write_broken(self, number: int, folder: Path) -> str:
        content, made = broken_file(number, self.whole)
        (folder / "rs.dcm").write_bytes(content)
        return made

    def verdict(self, folder: Path) -> str:
        """What reading says; verifying and appending may say anything in words, and nothing else."""
        file = folder / "rs.dcm"
        words = []
        try:
            found = verify(file, self.ct.grid)
            words += [finding.words for finding in (*found.defects, *found.warnings)]
        except RtsegError as error:
            words.append(str(error))
        new = StructureSet(self.ct.volume.geometry, {"Larynx": Structure(np.ones((1, 3, 3), dtype=bool), (1, 4, 4))})
        try:
            append(new, self.ct, file, io.BytesIO(), Export(Maker("fuzz", "1", "0" * 64)), Clash.SUFFIX)
        except RtsegError as error:
            words.append(str(error))
        try:
            read = read_rtstruct(file, self.ct)
        except RtsegError as error:
            return str(error)
        return f"read: {len(read.structures)} organs, {len(read.findings)} findings; {' '.join(words)}"


def structure_set_reader() -> StructureSetReader:
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        for i, content in enumerate(whole_series(EXPLICIT)):
            (folder / f"{i}.dcm").write_bytes(content)
        ct = read_planning_ct(folder)
        masks = np.zeros((2, *ct.volume.geometry.shape), dtype=bool)
        masks[0, :, 2:8, 2:8], masks[0, :, 4:6, 4:6], masks[1, 1:3, 3:9, 9:14] = True, False, True
        organs = {name: Structure.from_full(mask) for name, mask in zip(("Brainstem", "Parotid_L"), masks, strict=True)}
        file = write_rtstruct(
            StructureSet(ct.volume.geometry, organs), ct, folder / "rs", Export(Maker("fuzz", "1", "0" * 64))
        ).path
        data = dcmread(file)
        for keyword in ("SOPInstanceUID", "SeriesInstanceUID"):
            setattr(data, keyword, "1.2.9")
        for element in data.iterall():  # the same whenever it is made
            if element.VR in ("DA", "TM"):
                element.value = "20260101" if element.VR == "DA" else "120000"
        data.file_meta.MediaStorageSOPInstanceUID = "1.2.9"
        data.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
        data.save_as(file, implicit_vr=False, little_endian=True)
        return StructureSetReader(ct, file.read_bytes())


def contents(folder: str) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in Path(folder).iterdir()}


if __name__ == "__main__":
    main()
