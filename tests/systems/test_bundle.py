"""Model bundles: what is loaded is what was bundled, byte for byte, and nothing is ever unpickled."""

from __future__ import annotations

import json
import pickle
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor

from rtseg.core import BundleError, OutputError
from rtseg.segmentation.confidence import Calibration
from rtseg.segmentation.expected import Expected
from rtseg.segmentation.inference import Segmenter, segment_logits
from rtseg.segmentation.review import Limits
from rtseg.systems import (
    About,
    Parts,
    load_bundle,
    read_system,
    read_task,
    shipped_bundles,
    verify_bundle,
    write_bundle,
    write_calibration,
    write_card,
)
from rtseg.systems.bundle import COMMON, OF_SEGMENTER, SUMS
from rtseg.training import Compute

CPU = Compute(torch.device("cpu"), torch.float32)
SYSTEM, TASK = read_system("ct_only").at_size("tiny"), read_task("head_neck")
FILES = COMMON + OF_SEGMENTER
ABOUT = About("head_neck_ct", "0.3", 1200)
SIDE = ((1.0, 2.0), (-3.0, 4.5), (5.0, 6.0))
EXPECTED = Expected({"Larynx": (10.0, 50.5)}, {"Larynx": {"Brainstem": SIDE}}, ("SpinalCord",))
CALIBRATION = {"Larynx": Calibration((0.85, 0.9), (0.4, 0.75), 0.08, 0.2, 0.5, 19, pooled=True)}


def network() -> torch.nn.Module:
    torch.manual_seed(1)
    return SYSTEM.segmenter.build(inputs=2, outputs=len(TASK.organs)).eval()


def parts() -> Parts:
    return Parts(ABOUT, SYSTEM, TASK, network().state_dict(), Limits(), "# A card\n")


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    return write_bundle(tmp_path / "model", parts())


def resealed(folder: Path) -> Path:
    """The folder with its checksums made anew, as somebody would who altered it on purpose."""
    write_card(folder, (folder / "card.md").read_text())
    return folder


def test_a_bundle_gives_the_networks_own_answers_up_to_half_precision(bundle: Path) -> None:
    model = load_bundle(bundle, CPU)
    own = Segmenter(network(), TASK.organs, SYSTEM.windows_hu, SYSTEM.segmentation.sampling.patch, 0.25, CPU)
    hu = torch.randint(-200, 200, (1, 1, 20, 34, 40), generator=torch.Generator().manual_seed(0)).float()
    ours, theirs = segment_logits(hu, model.segmenter), segment_logits(hu, own)

    # half precision keeps eleven bits: 1 / 2048 of each weight
    torch.testing.assert_close(torch.sigmoid(ours), torch.sigmoid(theirs), atol=2e-3, rtol=0)
    assert not torch.equal(ours, theirs)
    assert all(p.dtype == torch.float32 and not p.requires_grad for p in model.segmenter.net.parameters())


def test_a_bundle_knows_all_that_its_use_needs(bundle: Path) -> None:
    model = load_bundle(bundle, CPU)

    assert model.about == ABOUT
    assert (model.system, model.task, model.card) == (SYSTEM, TASK, "# A card\n")
    assert model.preparation == TASK.preparation
    assert model.rules == TASK.rules
    assert model.limits == Limits()
    assert model.segmenter.organs == TASK.organs
    assert model.segmenter.patch == (16, 32, 32)
    assert model.sha256 == verify_bundle(bundle)


def test_limits_of_ones_own_go_into_the_bundle(tmp_path: Path) -> None:
    folder = write_bundle(tmp_path / "m", replace(parts(), limits=Limits(1.5, EXPECTED)))

    assert load_bundle(folder, CPU).limits == Limits(1.5, EXPECTED)


def test_a_calibration_is_put_into_a_bundle_that_stays_whole(bundle: Path) -> None:
    before = verify_bundle(bundle)
    write_calibration(bundle, CALIBRATION)

    model = load_bundle(bundle, CPU)
    assert model.limits == Limits(calibration=CALIBRATION)
    assert model.sha256 != before
    write_calibration(bundle, {})
    assert verify_bundle(bundle) == before


def test_limits_written_before_there_were_calibrations_are_read(bundle: Path) -> None:
    limits = json.loads((bundle / "limits.json").read_text())
    del limits["calibration"]
    (bundle / "limits.json").write_text(json.dumps(limits))

    assert load_bundle(resealed(bundle), CPU).limits == Limits()


def test_an_altered_bundle_is_not_made_whole_by_a_calibration(bundle: Path) -> None:
    (bundle / "task.yaml").write_text("altered")

    with pytest.raises(BundleError, match=r"task\.yaml is not the file that was bundled"):
        write_calibration(bundle, CALIBRATION)


@pytest.mark.parametrize("name", FILES)
def test_an_altered_file_is_refused_by_name(bundle: Path, name: str) -> None:
    content = bytearray((bundle / name).read_bytes())
    content[len(content) // 2] ^= 1
    (bundle / name).write_bytes(content)

    with pytest.raises(BundleError, match=rf"{name} is not the file that was bundled"):
        load_bundle(bundle, CPU)


@pytest.mark.parametrize("name", FILES)
def test_a_missing_file_is_named(bundle: Path, name: str) -> None:
    (bundle / name).unlink()

    with pytest.raises(BundleError, match=rf"{name} is missing"):
        load_bundle(bundle, CPU)


def test_an_entry_too_many_or_too_few_is_refused(bundle: Path) -> None:
    sums = (bundle / SUMS).read_text()
    (bundle / SUMS).write_text(sums + f"{'0' * 64}  extra.bin\n")
    with pytest.raises(BundleError, match=r"must list .*; it lists .*extra\.bin"):
        load_bundle(bundle, CPU)
    (bundle / SUMS).write_text("".join(sums.splitlines(keepends=True)[1:]))
    with pytest.raises(BundleError, match=r"SHA256SUMS must list system\.yaml"):
        load_bundle(bundle, CPU)


@pytest.mark.parametrize("content", [b"", b"no checksums\n", b"\xff\xfe\x00", b"abc  system.yaml\n"])
def test_checksums_that_are_none_are_refused(bundle: Path, content: bytes) -> None:
    (bundle / SUMS).write_bytes(content)

    with pytest.raises(BundleError, match=r"must list .*; it lists nothing"):
        load_bundle(bundle, CPU)


def test_a_folder_that_is_no_bundle_says_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match=r"is no model bundle: SHA256SUMS is missing; make one with: rtseg bundle"):
        load_bundle(tmp_path, CPU)


class Touch:
    """Unpickled, it leaves a file."""

    def __init__(self, file: Path) -> None:
        self.file = file

    def __reduce__(self) -> tuple[object, tuple[Path]]:
        return Path.touch, (self.file,)


@pytest.mark.parametrize("write", [lambda thing, file: file.write_bytes(pickle.dumps(thing)), torch.save])
def test_a_pickle_in_place_of_the_weights_is_refused_and_never_run(bundle: Path, tmp_path: Path, write) -> None:  # type: ignore[no-untyped-def]
    write(Touch(tmp_path / "ran"), bundle / "segmenter.safetensors")
    resealed(bundle)

    with pytest.raises(BundleError, match=r"segmenter\.safetensors does not fit"):
        load_bundle(bundle, CPU)
    assert not (tmp_path / "ran").exists()


def without_last(weights: dict[str, Tensor]) -> dict[str, Tensor]:
    return dict(list(weights.items())[:-1])


def test_weights_of_another_network_are_refused_by_name(tmp_path: Path) -> None:
    folder = write_bundle(tmp_path / "m", replace(parts(), weights=without_last(network().state_dict())))

    with pytest.raises(BundleError, match=r"segmenter\.safetensors does not fit system\.yaml and task\.yaml: [\s\S]*deep_heads"):
        load_bundle(folder, CPU)


@pytest.mark.parametrize(
    ("name", "content"), [("bundle.json", {"title": "x"}), ("limits.json", {"piece": 1}), ("bundle.json", [1])]
)
def test_figures_that_do_not_belong_are_refused_by_name(bundle: Path, name: str, content: object) -> None:
    (bundle / name).write_text(json.dumps(content))
    resealed(bundle)

    with pytest.raises(BundleError, match=rf"{name} does not hold"):
        load_bundle(bundle, CPU)


def test_a_folder_that_holds_something_is_not_written_into(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")

    with pytest.raises(OutputError, match="is not empty; choose another folder"):
        write_bundle(tmp_path, parts())


def test_another_card_is_another_bundle(bundle: Path) -> None:
    before = verify_bundle(bundle)
    write_card(bundle, "# Another card, with an ö\n")

    assert verify_bundle(bundle) != before
    assert load_bundle(bundle, CPU).card == "# Another card, with an ö\n"


def test_checksums_are_those_of_sha256sum(bundle: Path) -> None:
    lines = (bundle / SUMS).read_text().splitlines()

    # the form that `sha256sum --check` reads: 64 hexadecimal digits, two blanks, the name
    assert [line[64:] for line in lines] == [f"  {name}" for name in FILES]


def test_every_bundle_that_ships_is_whole() -> None:
    for folder in shipped_bundles().values():
        assert len(verify_bundle(folder)) == 64


def test_a_finder_is_part_of_its_bundle(tmp_path, bundle):
    whole = write_bundle(tmp_path / "whole", replace(parts(), finder=bundle))
    loaded = load_bundle(whole, CPU)
    assert loaded.finder is not None
    assert loaded.finder.sha256 == verify_bundle(bundle)
    assert load_bundle(bundle, CPU).finder is None
    assert verify_bundle(whole) != verify_bundle(bundle)


@pytest.mark.parametrize("harm", ["gone", "unlisted", "altered", "another"])
def test_another_finder_is_refused(harm, tmp_path, bundle):
    whole = write_bundle(tmp_path / "whole", replace(parts(), finder=bundle))
    if harm == "gone":
        shutil.rmtree(whole / "finder")
        words = r"finder/SHA256SUMS is missing; the bundle is incomplete"
    elif harm == "unlisted":
        whole = bundle
        shutil.copytree(tmp_path / "whole", whole / "finder")
        words = r"finder is not as it was bundled"
    elif harm == "altered":
        (whole / "finder" / "task.yaml").write_text("task: other\n")
        words = r"finder/task\.yaml is not the file that was bundled"
    else:
        write_card(whole / "finder", "# Another card\n")
        words = r"finder/SHA256SUMS is not the file that was bundled"
    with pytest.raises(BundleError, match=words):
        load_bundle(whole, CPU)
