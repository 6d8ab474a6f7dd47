"""Systems: all that ship can be built in every size, and what cannot be is refused."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path
from typing import Any, get_args

import pytest

from rtseg.core import ConfigError
from rtseg.nets import DualPyramid, ResidualUNet
from rtseg.segmentation.train import configuration
from rtseg.systems import Size, System, read_system, read_task, write_yaml
from rtseg.systems.words import read_yaml, validated

SHIPPED = sorted(Path(str(files("rtseg.configs") / "systems")).glob("*.yaml"))


def changed(path: str, value: Any) -> System:
    """The shipped ct_only with one value changed, at ``a.b.c``."""
    content = read_yaml(next(file for file in SHIPPED if file.stem == "ct_only"))
    *parts, last = path.split(".")
    part = content
    for name in parts:
        part = part[name]
    part[last] = value
    return validated(System, content, "ct_only.yaml")


@pytest.mark.parametrize("file", SHIPPED, ids=lambda file: file.stem)
def test_every_system_that_ships_is_itself_in_every_size(file: Path) -> None:
    system = read_system(file.stem)

    assert system.system == file.stem
    assert set(system.sizes) == set(get_args(Size))
    for size in system.sizes:
        sized = system.at_size(size)
        if sized.segmenter is not None:
            multiple = sized.segmenter.multiple
            assert [n % m for n, m in zip(sized.segmentation.sampling.patch, multiple, strict=True)] == [0, 0, 0]
        if sized.translator is not None:
            sized.translation(read_task("head_neck"))


def test_a_size_changes_what_it_names_and_nothing_else() -> None:
    whole = read_system("ct_only")
    tiny = whole.at_size("tiny")

    assert tiny.segmenter.channels == (8, 16)
    assert tiny.segmenter.fold == whole.segmenter.fold
    assert tiny.segmentation.schedule.steps == 20
    assert tiny.segmentation.schedule.rate == whole.segmentation.schedule.rate
    assert tiny.segmentation.sampling.patch == (16, 32, 32)
    assert tiny.segmentation.sampling.batch == whole.segmentation.sampling.batch
    assert tiny.segmentation.augmentation == whole.segmentation.augmentation


def test_a_size_without_changes_is_the_system_itself() -> None:
    whole = read_system("ct_only")

    assert whole.at_size("small") == whole.model_copy(update={"sizes": {}})


def test_a_size_that_is_not_there_is_named() -> None:
    with pytest.raises(ConfigError, match="system ct_only has no size full; there is small"):
        changed("sizes", {"small": {}}).at_size("full")


def test_the_system_of_a_model_can_be_trained_again_as_it_is() -> None:
    written = read_system("ct_only").at_size("full")

    assert written.sizes == {}
    for size in get_args(Size):
        assert written.at_size(size) == written


def test_a_wrong_key_in_a_size_is_named_with_the_size() -> None:
    with pytest.raises(ConfigError, match=r"system ct_only, size tiny: unknown key segmenter\.chanels; did you mean channels\?"):
        changed("sizes.tiny", {"segmenter": {"chanels": [8, 16]}}).at_size("tiny")


@pytest.mark.parametrize(
    ("path", "value", "words"),
    [
        # three halvings of a grid folded by two
        ("segmentation.sampling.patch", [48, 64, 72], r"patch \(48, 64, 72\) must be positive multiples of \(16, 16, 16\)"),
        ("segmentation.sampling.patch", [0, 64, 64], r"patch \(0, 64, 64\) must be positive multiples"),
        ("segmentation.sampling.patch", [64, 64], r"segmentation\.sampling\.patch"),
        ("segmenter.fold", [0, 2, 2], r"segmenter\.fold \(0, 2, 2\) must be at least 1"),
        ("segmenter.channels", [12, 24], r"segmenter\.channels \(12, 24\) must be positive multiples of 8"),
        ("segmenter.channels", [48], r"segmenter\.channels \(48,\) must name two levels at least"),
        ("segmenter.fine_channels", 12, r"segmenter\.fine_channels 12 must be positive multiples of 8"),
        ("segmentation.overlap", 1.0, r"segmentation\.overlap: .*less than 1"),
        ("windows_hu", [[240, -160]], r"from its lower to its higher HU, found \(240\.0, -160\.0\)"),
        ("windows_hu", [], r"one window at least where it does"),
        ("inputs", "ct+smr", r"inputs ct\+smr needs a translator"),
        ("sizes", {"huge": {}}, r"sizes\.huge.*'tiny', 'small' or 'full'"),
        ("segmentation.schedule", {"steps": 5, "rate": 1, "decai": 0.1}, r"schedule\.decai; did you mean decay\?"),
    ],
)
def test_what_cannot_be_is_refused_by_name(path: str, value: Any, words: str) -> None:
    with pytest.raises(ConfigError, match=rf"^ct_only\.yaml: .*{words}"):
        changed(path, value)


def test_a_training_has_the_tasks_organs_and_the_systems_numbers() -> None:
    system, task = read_system("ct_only").at_size("tiny"), read_task("head_neck")
    training = system.training(task, seed=7)

    assert training.organs == task.organs
    assert training.mirrored == task.mirrored
    assert training.windows_hu == ((-1000.0, 1500.0), (-160.0, 240.0))
    assert training.network == system.segmenter
    assert training.schedule.steps == 20
    assert training.seed == 7
    assert configuration(training, "abc")["data"] == "abc"


def test_a_system_written_and_read_is_the_same(tmp_path: Path) -> None:
    for size in get_args(Size):
        system = read_system("ct_only").at_size(size)
        write_yaml(system, tmp_path / "system.yaml")
        assert read_system(str(tmp_path / "system.yaml")) == system


def cyclegan_with(path: str, value: Any) -> System:
    """cyclegan with one value changed; the last name of the path may be new."""
    content = read_system("cyclegan").model_dump(mode="json", exclude_none=True)
    *way, last = path.split(".")
    part = content
    for name in way:
        part = part.setdefault(name, {})
    part[last] = value
    return validated(System, content, "cyclegan.yaml")


@pytest.mark.parametrize(
    ("path", "value", "words"),
    [
        ("terms.cycel", {"weight": 1}, r"unknown key terms\.cycel; did you mean cycle\?"),
        ("terms.cycle.weight", -1, r"terms\.cycle\.weight is -1\.0; a weight is not negative"),
        ("terms.cycle.wieght", 1, r"unknown key terms\.cycle\.wieght; did you mean weight\?"),
        ("translator.kind", "one_way", r"terms\.cycle needs a way back, which one_way has not: take the translator two_way"),
        ("translator.kind", "towards", r"translator\.kind: .*'one_way', 'two_way' or 'one_sided'"),
        ("translator.generator.network", "vgg", r"translator\.generator: .*'resnet', 'dense_resnet', 'unet_generator'"),
        ("translator.generator.chanels", 3, r"unknown key .*chanels; did you mean channels\?"),
        ("translator.critic", None, r"translator\.critic and an adversarial term go together"),
        ("translator.organ_net", {}, r"translator\.organ_net and the term label_aware go together"),
        ("terms.voxel", {"weight": 1}, r"terms\.voxel compares with the MR of the same patient: it needs paired data"),
        ("terms.label_aware", {}, r"translator\.organ_net and the term label_aware go together"),
        ("terms.consistency", {}, None),
        ("synthesis.patch", [64, 64, 48], None),
        ("synthesis.patch", [64, 66, 64], r"synthesis\.patch \(64, 66, 64\) must be positive multiples of 4 for this generator"),
        ("synthesis.patch", [16, 64, 64], r"synthesis\.patch \(16, 64, 64\) is too small for this critic: 24 at least"),
        ("synthesis", None, r"translator and synthesis.* go together"),
        ("inputs", "smr", r"inputs says what the segmenter sees"),
    ],
)
def test_a_translator_that_cannot_be_is_refused_by_name(path: str, value: Any, words: str | None) -> None:
    if words is None:
        cyclegan_with(path, value)
        return
    with pytest.raises(ConfigError, match=rf"^cyclegan\.yaml: .*{words}"):
        cyclegan_with(path, value)


def test_a_quarter_turn_needs_square_patches() -> None:
    turned = cyclegan_with("terms.consistency", {}).model_dump(mode="json", exclude_none=True)
    turned["synthesis"]["patch"] = [64, 64, 48]
    with pytest.raises(ConfigError, match=r"synthesis\.patch \(64, 64, 48\): a quarter turn needs as many rows as columns"):
        validated(System, turned, "cyclegan.yaml")


def test_a_method_without_a_part_has_no_training_for_it() -> None:
    task = read_task("head_neck")
    with pytest.raises(ConfigError, match="cyclegan ends with the synthetic MR: it has no segmenter"):
        read_system("cyclegan").training(task)
    with pytest.raises(ConfigError, match="ct_only begins with the CT: it has no translator"):
        read_system("ct_only").translation(task)


def test_a_warm_start_is_the_tasks_table() -> None:
    """Air and what is denser than bone end where the scale ends; the table's fat lies between -200 and 150 HU."""
    task = read_task("head_neck")
    warm = read_system("dai2021").at_size("small").translation(task).warm
    assert warm is not None
    assert (warm.ct[0], warm.ct[-1]) == (-1.0, 1.0)
    assert warm.mr == task.ct_to_mr.mr
    with pytest.raises(ConfigError, match=r"synthesis\.warm_steps needs the table ct_to_mr of the task, which head_neck has not"):
        read_system("dai2021").at_size("small").translation(task.model_copy(update={"ct_to_mr": None}))


def test_what_a_segmenter_sees_is_counted() -> None:
    assert [read_system(name).channels for name in ("ct_only", "dong2019", "dai2021")] == [2, 1, 3]


def test_a_segmenter_behind_another_translator_keeps_what_it_sees() -> None:
    behind = read_system("dai2021").with_translator_of(read_system("cyclegan"))
    assert behind.translator == read_system("cyclegan").translator
    assert behind.segmenter == read_system("dai2021").segmenter
    assert read_system("dai2021").without_segmenter().segmenter is None


def test_other_segmenters_are_named_by_their_key() -> None:
    content = read_system("dai2021").model_dump(mode="json", exclude_none=True)
    dual = validated(System, {**content, "segmenter": {"network": "dual_pyramid", "channels": [16, 32]}}, "mine.yaml")
    assert dual.segmenter == DualPyramid(channels=(16, 32))
    deep = {"network": "residual_unet", "channels": [16, 32], "depths": [1, 2]}
    assert validated(System, {**content, "segmenter": deep}, "mine.yaml").segmenter == ResidualUNet((16, 32), (1, 2))
    for segmenter, words in (
        ({"network": "unet"}, r"segmenter: .*'daunet', 'dual_pyramid', 'residual_unet'"),
        ({"network": "residual_unet", "channels": [16, 32], "depths": [1]}, r"segmenter\.depths \(1,\) must name .* 2 levels"),
        ({"network": "residual_unet", "depth": [1, 2]}, r"unknown key segmenter.*depth; did you mean depths\?"),
    ):
        with pytest.raises(ConfigError, match=rf"mine\.yaml: .*{words}"):
            validated(System, {**content, "segmenter": segmenter}, "mine.yaml")
    with pytest.raises(
        ConfigError, match=r"dual_pyramid looks at CT and synthetic MR, each with an encoder: inputs ct lacks one"
    ):
        validated(System, {**content, "inputs": "ct", "segmenter": {"network": "dual_pyramid"}}, "mine.yaml")
