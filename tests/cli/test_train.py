import subprocess
import sys

import pytest
from click.testing import CliRunner
from tests.data.pictures import write_dataset

from unmask.cli.main import main

pytestmark = pytest.mark.train


def invoke(*arguments):
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def test_from_pictures_to_a_detector_in_two_commands(prepared, tmp_path):
    run, bundle = tmp_path / "run", tmp_path / "bundle"
    small = ("--epochs", 1, "--batch-size", 16, "--augment", "light")
    result = invoke("train", "--data", prepared, "--out", run, *small)
    assert result.exit_code == 0, result.output
    assert "Validation AUC" in result.output
    result = invoke("export", run, "--out", bundle)
    assert result.exit_code == 0, result.output
    assert (bundle / "bundle.json").is_file()


def test_a_run_goes_on_by_name_alone(finished_run):
    result = invoke("train", "--resume", finished_run)
    assert result.exit_code == 0
    assert "done" in result.output


@pytest.mark.parametrize("out", ["file", "file/run"])
def test_a_folder_that_cannot_be_made_is_an_error_with_a_hint(prepared, tmp_path, out):
    (tmp_path / "file").touch()
    result = invoke("train", "--data", prepared, "--out", tmp_path / out)
    assert result.exit_code == 2
    assert "hint: Name a" in result.output


def ctrl_c_at_the_first_step(*arguments):
    """A program of its own: the signal meets nothing that other tests have loaded."""
    code = "import signal; from unmask.cli import main, train; "
    code += "train._Display.on_step = lambda *_: signal.raise_signal(signal.SIGINT); main.main()"
    command = [sys.executable, "-c", code, *map(str, arguments)]
    return subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)


def test_an_interrupted_run_does_not_end_like_a_finished_one(prepared, tmp_path):
    result = ctrl_c_at_the_first_step("train", "--data", prepared, "--out", tmp_path / "run", "--epochs", 1)
    assert result.returncode == 130, result.stdout
    assert "nothing lost" in result.stdout


def test_interrupted_mining_does_not_end_like_finished_mining(prepared, finished_run, tmp_path):
    result = ctrl_c_at_the_first_step(
        "mine", finished_run, "--data", prepared, "--out", tmp_path / "mined", "--epochs", 1
    )
    assert result.returncode == 130, result.stdout
    assert "give the same command again" in " ".join(result.stdout.split())


@pytest.mark.parametrize(("auc", "told"), [(0.5, True), (0.59, True), (0.61, False)])
def test_a_run_that_learned_nothing_is_told_what_to_try(auc, told, capsys, tmp_path):
    from unmask.cli.train import _report
    from unmask.train.history import Epoch
    from unmask.train.run_state import Outcome

    epoch = Epoch(1, 0.693, 0.5, 0.693, 0.5, auc, 1e-3, 1.0, 1.0)
    _report(Outcome(tmp_path, (epoch,), finished=True))
    assert ("--schedule cosine" in capsys.readouterr().err) == told


def test_a_run_that_ranks_the_wrong_way_round_is_told_of_swapped_folders(capsys, tmp_path):
    from unmask.cli.train import _report
    from unmask.train.history import Epoch
    from unmask.train.run_state import Outcome

    _report(Outcome(tmp_path, (Epoch(1, 0.693, 0.5, 0.693, 0.5, 0.2, 1e-3, 1.0, 1.0),), finished=True))
    assert "are Real and Fake swapped" in capsys.readouterr().err


def test_a_preset_begins_a_new_run_and_says_what_it_lacks(prepared, finished_run, tmp_path):
    best = ("train", "--data", prepared, "--out", tmp_path / "run", "--preset", "best")
    refused = invoke(*best)
    assert (refused.exit_code, "--backbone-weights FILE.npz" in refused.output) == (2, True)
    assert invoke("train", "--resume", finished_run, "--preset", "quick").exit_code == 2


def test_there_are_at_most_twenty_one_options_and_each_is_in_a_group():
    from unmask.cli import train

    options = {option for parameter in train.train.params for option in parameter.opts} | {"--help"}
    assert options == set(" ".join(train._GROUPS.values()).split())
    assert len(options) <= 20
    shown = invoke("train", "--help").output
    assert all(name in shown for name in (*options, *(f"{heading}:" for heading in train._GROUPS)))


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--data", "{prepared}", "--out", "run", "--epochs", "0"), "epochs"),
        (("--data", "nowhere", "--out", "run"), "nowhere"),
        (("--data", "{prepared}", "--out", "run", "--size", "64"), "32 px wide"),
        (("--data", "{prepared}", "--out", "{finished}"), "is not empty"),
        (
            ("--data", "{prepared}", "--out", "run", "--model", "mobilenetv2", "--backbone-weights", "no.h5"),
            "not there",
        ),
        (("--resume", "nowhere"), "no run in"),
    ],
)
def test_what_is_wrong_is_said_before_tensorflow_is_loaded(prepared, finished_run, in_folder, arguments, said):
    words = [word.format(prepared=prepared, finished=finished_run) for word in arguments]
    code = f"""
import sys
from unmask.cli.main import main
try:
    main(["train", *{words!r}])
except SystemExit as end:
    assert end.code == 2
assert not {{"keras", "tensorflow", "sklearn"}} & set(sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert said in done.stderr
    assert not (in_folder / "run").exists()


def test_other_settings_cannot_be_given_to_a_run_that_goes_on(finished_run):
    result = invoke("train", "--resume", finished_run, "--epochs", 9)
    assert result.exit_code == 2
    assert "own settings" in result.output


def test_a_run_may_be_named_by_the_current_folder(finished_run, tmp_path, monkeypatch):
    folders = []

    def train(config, folder, **_):
        folders.append(folder)
        raise KeyboardInterrupt

    monkeypatch.setattr("unmask.train.loop.train", train)
    monkeypatch.chdir(finished_run)
    invoke("train", "--resume", ".", "--hard", tmp_path / "hard.csv")
    assert folders == [finished_run.with_name("finished-hard")]


def test_hard_examples_without_a_run_are_refused(prepared, tmp_path):
    result = invoke("train", "--data", prepared, "--out", tmp_path / "run", "--hard", tmp_path / "nowhere.csv")
    assert result.exit_code == 2
    assert "--resume" in result.output
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("hard", [(), ("--hard", "hard.csv")])
def test_a_configuration_cannot_be_given_to_a_run_that_has_one(finished_run, tmp_path, hard):
    result = invoke("train", "--resume", finished_run, *hard, "--config", tmp_path / "bad.toml")
    assert result.exit_code == 2
    assert "--config" in result.output


def test_wrong_settings_end_with_a_hint(prepared, tmp_path):
    result = invoke("train", "--data", prepared, "--out", tmp_path / "run", "--epochs", 0)
    assert result.exit_code == 2
    assert "hint:" in result.output


@pytest.mark.parametrize(
    "arguments", [("mine", "--data", "prepared"), ("train", "--hard", "hard.csv", "--resume"), ("export", "--out", "b")]
)
def test_a_folder_without_a_run_is_called_that(tmp_path, arguments):
    verb, *options = arguments
    result = invoke(verb, *options, tmp_path)
    assert result.exit_code == 2
    assert "There is no run in" in result.output
    assert "hint: Name the folder of a run" in result.output


@pytest.mark.parametrize("missing", ["--data", "--out"])
def test_what_is_missing_is_named(prepared, tmp_path, missing):
    given = {"--data": prepared, "--out": tmp_path / "run"}
    del given[missing]
    result = invoke("train", *(part for pair in given.items() for part in pair))
    assert result.exit_code == 2
    assert missing in result.output


def test_every_architecture_can_be_asked_for() -> None:
    from unmask.cli.train import MODELS
    from unmask.models import ARCHITECTURES

    assert list(ARCHITECTURES) == list(MODELS)


def test_what_is_left_aside_of_a_dataset_folder_is_noted(finished_run, toy_bundle, tmp_path):
    dataset = write_dataset(tmp_path / "data", 2, side=64)
    (dataset / "Train" / "Fake (2)").mkdir()
    for arguments in (
        (
            "train",
            "--data",
            dataset,
            "--batch-size",
            1,
            "--out",
            tmp_path / "run",
        ),  # refused then: batches of one class
        ("train", "--resume", finished_run, "--data", dataset),  # these are other pictures
        ("train", "--resume", finished_run, "--hard", tmp_path / "none.csv", "--data", dataset),
        ("export", finished_run, "--data", dataset, "--out", tmp_path / "one"),
        ("export", toy_bundle, "--data", dataset, "--out", tmp_path / "two"),
    ):
        assert invoke(*arguments).output.count("note: Train/Fake (2) was left aside") == 1, arguments
