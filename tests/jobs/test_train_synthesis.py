"""From cases with MRs to a model that makes them, and to a segmenter that sees them; runs that are gone on with, or refused."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from ball_bundle import ball_system, write_ball_bundle
from case_folders import ball_case
from contour_cases import ball_ct
from phantoms import axial_geometry

from rtseg.core import ConfigError, InputError, Volume
from rtseg.data import Case, read_pack, write_case, write_nifti
from rtseg.imaging import Preparation
from rtseg.jobs.contour import contour_series
from rtseg.jobs.contour_order import ContourOrder
from rtseg.jobs.make_bundle import BundleOrder, make_bundle
from rtseg.jobs.pack_data import pack_data
from rtseg.jobs.stopwatch import Stopwatch
from rtseg.jobs.train_segmentation import TrainOrder, train_segmentation
from rtseg.jobs.train_synthesis import SynthesisOrder, train_synthesis
from rtseg.segmentation.inference import segment_logits
from rtseg.systems import load_bundle, load_translator, read_system, write_yaml
from rtseg.systems.task import Table
from rtseg.training import Compute

CPU = Compute(torch.device("cpu"), torch.float32)


def nothing(*_: object) -> None:
    pass


def with_mr(case: Case, pairing: str = "registered") -> Case:
    """The phantom's MR: the body 100, its balls darker the denser they are, air 0."""
    values = np.where(case.ct.array < -500, 0, np.clip(100 - case.ct.array // 25, 10, 100)).astype(np.int16)
    return replace(case, mr=Volume(values, case.ct.geometry), pairing=pairing)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clinic's folder: task.yaml, cases with and without MR, MRs of other people, and packs of both."""
    from ball_bundle import ball_task

    home = tmp_path_factory.mktemp("clinic")
    changes = {
        "preparation": Preparation((3.0, 3.0, 3.0), (-1000.0, 3000.0), 8.0),
        "ct_to_mr": Table(hu=(-1000.0, 0.0, 2200.0), mr=(-1.0, 0.9, -0.5)),
    }
    write_yaml(ball_task().model_copy(update=changes), home / "task.yaml")
    for number, split in enumerate(("train", "train", "validation"), start=1):
        case = ball_case(f"p{number}", 1.5 * number)
        write_case(case, home / "plain" / split / case.name)
        write_case(with_mr(case), home / "paired" / split / case.name)
        write_case(with_mr(case, "weak"), home / "weak" / split / case.name)
        (home / "mrs" / split).mkdir(parents=True, exist_ok=True)
        write_nifti(with_mr(ball_case("x", -2.0 * number)).mr, home / "mrs" / split / f"m{number}.nii.gz")  # type: ignore[arg-type]
    task = str(home / "task.yaml")
    pack_data(home / "plain", home / "unpaired_pack", task, nothing, nothing, home / "mrs")
    for name in ("plain", "paired", "weak"):
        pack_data(home / name, home / f"{name}_pack", task, nothing, nothing)
    return home


def order(home: Path, system: str, pack: str, run: Path) -> SynthesisOrder:
    return SynthesisOrder(system, str(home / "task.yaml"), home / f"{pack}_pack", run, "tiny", threads=1)


def test_a_pack_holds_mrs_of_both_kinds(home: Path) -> None:
    packed = read_pack(home / "unpaired_pack")
    assert [(mr.name, mr.split) for mr in packed.mrs] == [("m1", "train"), ("m2", "train"), ("m3", "validation")]
    assert all(case.mr is None and case.pairing == "none" for case in packed.cases)
    assert packed.mrs[0].mr.dtype == np.uint8
    own = read_pack(home / "paired_pack").cases[0]
    assert own.pairing == "registered"
    assert own.mr is not None
    assert own.mr.shape == own.ct.shape
    assert own.mr_valid is not None
    assert own.mr_valid[own.body].all()
    # the denser the darker: the brainstem, the densest, is the darkest
    brainstem = own.organs[2] == 16
    assert own.mr[brainstem].mean() < own.mr[own.organs[1] == 16].mean() < own.mr[own.organs[0] == 16].mean()


@pytest.mark.parametrize(
    ("system", "pack"),
    [("cyclegan", "unpaired"), ("gcgan", "paired"), ("dai2021", "unpaired"), ("pix2pix", "paired"), ("regression", "paired")],
)
def test_a_system_trains_and_makes_a_model(system: str, pack: str, home: Path, tmp_path: Path) -> None:
    heard: list[int] = []
    asked = order(home, system, pack, tmp_path / "run")
    assert train_synthesis(replace(asked, budget_s=0.0), nothing, heard.append) == 0
    assert train_synthesis(asked, nothing, heard.append) == 6
    assert heard == [6, 6]
    model = load_translator(make_bundle(BundleOrder(tmp_path / "run", tmp_path / "model", "model")), CPU)
    assert model.about.step == 6
    assert model.system.segmenter is None
    assert model.translator.scale.values[1] == pytest.approx(100, rel=0.05)


def test_labels_guide_a_translator(home: Path, tmp_path: Path) -> None:
    figures: dict[str, float] = {}
    asked = order(home, "jiang2019", "unpaired", tmp_path / "run")
    assert train_synthesis(asked, lambda _, new: figures.update(new), nothing) == 6
    assert 0 < figures["label_aware"] < 10


def test_a_method_that_compares_needs_registered_pairs(home: Path, tmp_path: Path) -> None:
    weak = order(home, "regression", "weak", tmp_path / "run")
    with pytest.raises(ConfigError, match=r"needs registered pairs; 2 cases are weakly paired.*--accept-weak-pairs"):
        train_synthesis(weak, nothing, nothing)
    with pytest.raises(InputError, match=r"2 cases have no MR of their own: p1, p2"):
        train_synthesis(replace(weak, data=home / "unpaired_pack"), nothing, nothing)
    assert not (tmp_path / "run").exists()
    assert train_synthesis(replace(weak, accept_weak_pairs=True), nothing, nothing) == 6


def test_a_side_without_images_is_named(home: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="there is no MR to learn from"):
        train_synthesis(order(home, "cyclegan", "plain", tmp_path / "run"), nothing, nothing)
    assert not (tmp_path / "run").exists()


def test_another_configuration_does_not_go_on_in_the_folder(home: Path, tmp_path: Path) -> None:
    asked = order(home, "regression", "paired", tmp_path / "run")
    train_synthesis(replace(asked, budget_s=0.0), nothing, nothing)
    with pytest.raises(ConfigError, match="holds a run with another seed"):
        train_synthesis(replace(asked, seed=1), nothing, nothing)


def test_data_of_another_task_are_refused(home: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="was packed for other organs or another grid than task head_neck"):
        train_synthesis(replace(order(home, "cyclegan", "unpaired", tmp_path / "run"), task="head_neck"), nothing, nothing)


@pytest.mark.parametrize("inputs", ["smr", "ct+smr"])
def test_a_segmenter_learns_from_synthetic_mrs_and_its_model_holds_both(inputs: str, home: Path, tmp_path: Path) -> None:
    """Trained, bundled and used on a CT: what it saw of the synthetic MR in training it sees in use."""
    train_synthesis(order(home, "regression", "paired", tmp_path / "translator"), nothing, nothing)
    smr = make_bundle(BundleOrder(tmp_path / "translator", tmp_path / "smr", "smr"))
    base = read_system("dai2021").at_size("tiny")
    windows = ball_system().windows_hu if inputs == "ct+smr" else ()
    system = base.model_copy(update={"inputs": inputs, "windows_hu": windows, "sizes": {"tiny": {}}})
    write_yaml(system, tmp_path / "system.yaml")
    asked = TrainOrder(
        str(tmp_path / "system.yaml"), str(home / "task.yaml"), home / "paired_pack", tmp_path / "run", "tiny", threads=1
    )
    with pytest.raises(ConfigError, match="sees a synthetic MR: name the model that makes it with --translator"):
        train_segmentation(asked, nothing, nothing)
    made: list[str] = []
    asked = replace(asked, translator=str(smr))
    train_segmentation(replace(asked, budget_s=0.0), nothing, nothing, made.append)
    assert made == ["p1", "p2", "p3"]
    assert train_segmentation(asked, nothing, nothing, made.append) == 20
    assert len(made) == 3  # a run that is gone on with makes none again
    model = load_bundle(make_bundle(BundleOrder(tmp_path / "run", tmp_path / "model", "model")), CPU)
    assert model.translator is not None
    assert model.system.translator == read_system("regression").at_size("tiny").translator
    ball_ct(tmp_path / "ct", axial_geometry(spacing_mm=(2.5, 2.0, 2.0), shape=(34, 64, 64)))
    result = contour_series(ContourOrder(tmp_path / "ct", tmp_path / "rs.dcm", body=True), model, Stopwatch())
    assert result.synthetic_mr is not None


def test_a_segmenter_of_the_ct_has_no_use_for_a_translator(home: Path, tmp_path: Path) -> None:
    asked = TrainOrder("ct_only", str(home / "task.yaml"), home / "plain_pack", tmp_path / "run", "tiny", translator="anything")
    with pytest.raises(ConfigError, match="sees the CT alone"):
        train_segmentation(asked, nothing, nothing)


def test_what_a_probe_must_be_is_told(home: Path, tmp_path: Path) -> None:
    """A system with the term perceptual wants a segmenter of MRs; another has no use for one."""
    asked = order(home, "regression", "paired", tmp_path / "run")
    with pytest.raises(ConfigError, match="no term perceptual"):
        train_synthesis(replace(asked, probe="head_neck"), nothing, nothing)
    content = read_system("regression").at_size("tiny").model_dump(mode="json", exclude_none=True)
    content["terms"]["perceptual"] = {"weight": 0.5}
    from yaml import safe_dump

    (tmp_path / "system.yaml").write_text(safe_dump(content))
    probed = replace(asked, system=str(tmp_path / "system.yaml"))
    with pytest.raises(ConfigError, match="name a model that segments MRs with --probe"):
        train_synthesis(probed, nothing, nothing)
    with pytest.raises(ConfigError, match="head_neck sees ct; the probe of perceptual must see MRs alone"):
        train_synthesis(replace(probed, probe="head_neck"), nothing, nothing)


def test_a_model_of_the_ct_may_be_begun_with_by_one_that_sees_the_synthetic_mr_too(home: Path, tmp_path: Path) -> None:
    """Before its first step it answers as the model it began with, whatever the synthetic MR shows."""
    train_synthesis(order(home, "regression", "paired", tmp_path / "translator"), nothing, nothing)
    smr = make_bundle(BundleOrder(tmp_path / "translator", tmp_path / "smr", "smr"))
    ct_only = ball_system().model_copy(update={"sizes": {"tiny": {}}})
    both = read_system("dai2021").at_size("tiny")
    changes = {"windows_hu": ct_only.windows_hu, "segmenter": ct_only.segmenter, "segmentation": ct_only.segmentation}
    write_yaml(both.model_copy(update={**changes, "sizes": {"tiny": {}}}), tmp_path / "both.yaml")
    plain = write_ball_bundle(tmp_path / "balls")
    asked = TrainOrder(
        str(tmp_path / "both.yaml"),
        str(home / "task.yaml"),
        home / "paired_pack",
        tmp_path / "run",
        "tiny",
        budget_s=0.0,
        threads=1,
        start=str(plain),
        translator=str(smr),
    )
    assert train_segmentation(asked, nothing, nothing) == 0
    begun = load_bundle(make_bundle(BundleOrder(tmp_path / "run", tmp_path / "model", "model", weights="last")), CPU)
    first = load_bundle(plain, CPU)
    hu = torch.rand(1, 1, 24, 48, 48) * 2000
    mr = torch.rand(1, 1, 24, 48, 48) * 2 - 1
    ours, theirs = segment_logits(hu, begun.segmenter, mr), segment_logits(hu, first.segmenter)
    torch.testing.assert_close(ours, theirs, atol=1e-3, rtol=1e-3)
    with pytest.raises(ValueError, match="needs one, another has no use for it"):
        segment_logits(hu, begun.segmenter)
