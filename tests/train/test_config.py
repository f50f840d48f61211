import tomllib
from pathlib import Path

import pytest
from tests.conftest import ROOT

from unmask.errors import UnmaskError
from unmask.train.config import (
    PRESETS,
    TrainConfig,
    changed_settings,
    make_config,
    make_preset,
    read_config,
    with_whole_paths,
    write_config,
)


def test_a_configuration_comes_back_from_its_file(tmp_path):
    config = make_config(data='a "quoted" folder', model="mobilenetv2", tune="fine-tune", ema=0.99, size=96)
    write_config(tmp_path / "run.toml", config)
    assert read_config(tmp_path / "run.toml") == config


@pytest.mark.parametrize(
    "path", ["/data/\N{GRINNING FACE}", "a\nb", "C:\\new\\table", '\'"\'"""', "\x7f\t\u2028", "\udcff"], ids=ascii
)
def test_any_path_comes_back_from_the_file(tmp_path, path):
    config = make_config(data=path)
    write_config(tmp_path / "run.toml", config)
    assert read_config(tmp_path / "run.toml") == config


def test_a_run_may_be_resumed_from_another_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    config = with_whole_paths(
        make_config(data="faces", model="mobilenetv2", backbone_weights="w.h5", leave_out="bad.csv")
    )
    here = Path.cwd()
    assert (config.data, config.backbone_weights) == (str(here / "faces"), str(here / "w.h5"))
    assert (config.leave_out, config.start) == (str(here / "bad.csv"), None)
    plain = with_whole_paths(make_config(data="faces", model="mobilenetv2", backbone_weights="imagenet"))
    assert plain.backbone_weights == "imagenet"


def test_the_command_line_wins_over_the_file(tmp_path):
    write_config(tmp_path / "run.toml", make_config(data="here", epochs=7, seed=3))
    config = read_config(tmp_path / "run.toml", epochs=2)
    assert (config.epochs, config.seed) == (2, 3)


def test_an_unknown_setting_is_refused_and_the_known_ones_are_named():
    with pytest.raises(UnmaskError, match="epoch: ") as caught:
        make_config(data="here", epoch=3)
    assert "epochs" in caught.value.hint


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"epochs": 0}, "epochs"),
        ({"learning_rate": -1.0}, "learning_rate"),
        ({"learning_rate": float("nan")}, "learning_rate"),
        ({"ema": 1.0}, "ema"),
        ({"model": "cnn", "tune": "frozen"}, "cnn has no backbone"),
        ({"model": "mobilenetv2", "tune": "fine-tune", "epochs": 2, "frozen_epochs": 2}, "nothing of 2 epochs"),
        ({"weight_decay": 0.1}, "needs the optimizer adamw"),
        ({"hard": "hard.csv"}, "need a run to start from"),
        ({"hard": "hard.csv", "start": "run", "balance": 0.5}, "take one of them"),
        ({"balance": 2.5}, "balance"),
        ({"model": "cnn", "crop": 32}, "cnn has a fixed size"),
    ],
)
def test_settings_that_make_no_sense_are_refused(settings, words):
    with pytest.raises(UnmaskError, match=words) as caught:
        make_config(data="here", **settings)
    assert caught.value.code == "bad-config"


def test_a_file_with_a_byte_order_mark_is_read(tmp_path):
    (tmp_path / "run.toml").write_text('\ufeffdata = "here"\n', encoding="utf-8")
    assert read_config(tmp_path / "run.toml") == make_config(data="here")


def test_a_missing_file_is_refused(tmp_path):
    with pytest.raises(UnmaskError) as caught:
        read_config(tmp_path / "none.toml")
    assert caught.value.code == "no-config"


def test_a_file_that_is_not_toml_is_refused(tmp_path):
    (tmp_path / "run.toml").write_text("epochs: 5")
    with pytest.raises(UnmaskError, match="not TOML"):
        read_config(tmp_path / "run.toml")


@pytest.mark.parametrize(("switch", "amount"), [("true", 0.5), ("false", 0.0)])
def test_a_run_from_when_balance_was_a_switch_still_means_the_same(tmp_path, switch, amount):
    (tmp_path / "run.toml").write_text(f'data = "here"\nbalance = {switch}\n')
    assert read_config(tmp_path / "run.toml").balance == amount


def test_a_run_of_an_earlier_version_without_rebuilt_fakes_is_read(tmp_path):
    (tmp_path / "run.toml").write_text('data = "here"\nreconstruct = 0.0\n')
    assert read_config(tmp_path / "run.toml") == make_config(data="here")


def test_settings_that_differ_are_told_without_folders_of_this_machine():
    config = make_config(data="/here", epochs=9, blend=0.5, start="/runs/first")
    assert changed_settings(config) == {"blend": 0.5, "start": "first"}


def test_the_manuals_example_has_every_setting_with_its_default():
    text = (ROOT / "docs" / "training.md").read_text(encoding="utf-8")
    example = text.split("```toml\n")[1].split("```")[0]
    assert TrainConfig(**tomllib.loads(example)) == TrainConfig(data="prepared/")
    named = {line.lstrip("# ").split(" =")[0] for line in example.splitlines() if " = " in line}
    assert named == set(TrainConfig.model_fields)


def test_the_defaults_are_the_reports_settings():
    config = TrainConfig(data="here")
    assert (config.model, config.epochs, config.batch_size, config.optimizer) == ("cnn", 5, 32, "adam")


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_makes_sense_and_what_is_given_wins(name):
    config = make_preset(name, data="d", backbone_weights="w.npz" if name == "best" else "none", batch_size=7)
    assert config.batch_size == 7
    assert all(getattr(config, key) == value for key, value in PRESETS[name].items() if key != "batch_size")
