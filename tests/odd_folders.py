"""What must become of every folder of real, odd DICOM: read or refused, by `check` and by `contour`, and in which words."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Odd:
    """One folder of dicom_odd, or one series of it.

    refusal   what both commands say when they refuse it (a regular expression), None if the CT is read
    findings  kinds of what is told about a CT that is read
    hole      slices are missing, so that `contour` refuses what `check` can read
    """

    folder: str
    refusal: str | None = None
    findings: tuple[str, ...] = ()
    series: str | None = None
    hole: bool = False

    @property
    def name(self) -> str:
        return self.folder if self.series is None else f"{self.folder} --series {self.series}"


ODD_FOLDERS = (
    Odd(
        "big_endian_private_syntax",
        r"GH177_ivrle\S* is a DICOM file that cannot be read.*transfer syntax is Explicit VR Big Endian",
    ),
    Odd("broken_encoding", r"SeriesInstanceUID, Rows, Columns is missing in \S*UN_sequence\.dcm: the file may be cut off"),
    Odd("coronal_reformat", r"no CT series.*1 x CT \(localizer"),
    Odd("decubitus_prone_mr", r"no CT series.*4 x MR"),
    Odd("dicomdir_no_suffix", r"2 CT series(.|\n)*5 slices, 'SmartScore(.|\n)*4 slices, 'Routine Brain'(.|\n)*--series"),
    Odd("dicomdir_no_suffix", None, ("left_out", "not_head_first_supine"), series="16302.0.6"),
    Odd("dicomdir_no_suffix", None, ("left_out", "uneven_slices"), series="28319.0.2", hole=True),
    Odd("enhanced_ct_multiframe", r"CT0012\S* is Enhanced CT Image Storage with 2 frames in one file.*one slice per file"),
    Odd("gantry_tilt", r"gantry tilt.*I120.*\(16\.5 degrees\).*without tilt"),
    Odd("gantry_tilt_variable_spacing", r"gantry tilt.*18\.dcm.*\(18\.5 degrees\)"),
    Odd("localizer_and_captures_mixed", None, ("left_out",)),
    Odd("missing_slice", None, ("uneven_slices",)),
    Odd("names_in_other_scripts", r"no CT series.*3 x CR .*12 x OT"),
    Odd("no_geometry", r"no CT series.*2 x CT \(Secondary Capture"),
    Odd("no_meta_or_bad_meta", r"no CT series.*2 x RTPLAN.*1 file not DICOM: \S+"),
    Odd("oblique_ct", r"disagree on identity in one series: StudyInstanceUID of \S*1\.dcm differs from \S*0\.dcm"),
    Odd("one_ct_slice_many_syntaxes", r"3 CT series(.|\n)*15 slices, 'HELICAL CHEST'(.|\n)*--series"),
    Odd("one_ct_slice_many_syntaxes", r"two slices at one position.*the same image twice.*14 such pairs", series="949.890"),
    Odd("rle_many_fragments", r"D_CLUNIE_CT1_RLE_FRAGS\.dcm is the only slice of its series: two at least are needed"),
    Odd(
        "rt_objects_mixed", r"two slices at one position \(-75\.700.*CT_small\.dcm.*highdicom_ct_image\.dcm.*the same image twice"
    ),
    Odd("rtimage", r"no CT series.*1 x RTIMAGE"),
    Odd("rtstruct_bad_references", None, ("left_out",)),
    Odd("single_slice", r"0\.dcm is the only slice of its series"),
    Odd("small_pairs", r"CT_small\.dcm is the only slice of its series"),
    Odd("truncated", r"no CT series.*RTPLAN.*rtplan_truncated\.dcm.*MR_truncated\.dcm"),
)
"""All 22 folders; where the choice of a series decides, that series too."""
