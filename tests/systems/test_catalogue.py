"""Systems, tasks and models are found by name, or as files of one's own."""

from __future__ import annotations

from pathlib import Path

import pytest

from rtseg.core import BundleError, ConfigError
from rtseg.systems import bundle_folder, read_system, read_task, shipped_bundles, write_yaml


def test_a_name_that_does_not_exist_is_told_the_nearest() -> None:
    with pytest.raises(ConfigError, match=r"no system 'ct_onyl'; did you mean ct_only\?, or give a YAML file"):
        read_system("ct_onyl")
    with pytest.raises(ConfigError, match=r"no task 'headneck'; did you mean head_neck\?"):
        read_task("headneck")
    with pytest.raises(ConfigError, match=r"no task 'zzz'; there is .*head_neck"):
        read_task("zzz")


def test_a_file_of_ones_own_is_read(tmp_path: Path) -> None:
    write_yaml(read_task("head_neck"), tmp_path / "ours.yml")

    assert read_task(str(tmp_path / "ours.yml")) == read_task("head_neck")
    with pytest.raises(ConfigError, match=r"theirs\.yaml cannot be read"):
        read_task(str(tmp_path / "theirs.yaml"))


def test_a_folder_is_a_model_and_an_unknown_name_is_not(tmp_path: Path) -> None:
    assert bundle_folder(str(tmp_path)) == tmp_path
    with pytest.raises(BundleError, match="no model 'no_such_model': neither a folder nor a model that ships"):
        bundle_folder("no_such_model")


def test_a_model_that_ships_is_found_by_name() -> None:
    for name, folder in shipped_bundles().items():
        assert bundle_folder(name) == folder
