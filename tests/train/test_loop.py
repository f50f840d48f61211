import csv
import json
import signal
from dataclasses import replace

import numpy as np
import pytest
from tests.prepared_faces import write_prepared

from unmask.data.manifest import read_manifest, write_manifest
from unmask.errors import UnmaskError
from unmask.train.config import make_config

pytestmark = pytest.mark.train

SETTINGS = {"epochs": 2, "batch_size": 16, "precision": "float32", "checkpoint_every": 2}
STEPS = 3


class KilledError(Exception):
    """Stands for kill -9: nothing is saved on its way out."""


class Watcher:
    """Does something at one step, counted over all epochs."""

    def __init__(self, at=None, action=None):
        self.at, self.action, self.seen, self.rows = at, action, 0, []

    def on_step(self, position, steps):
        self.seen += 1
        if self.seen == self.at:
            self.action()

    def on_epoch(self, row):
        self.rows.append(row)


def kill():
    raise KilledError


def interrupt():
    signal.raise_signal(signal.SIGINT)


def weights_of(folder):
    import keras

    return keras.models.load_model(folder / "model.keras", compile=False).get_weights()


def last_state(folder):
    with np.load(folder / "last.npz") as arrays:
        return {name: arrays[name] for name in arrays.files if name != "position"}


def assert_same(state, expected):
    assert state.keys() == expected.keys()
    for name, value in state.items():
        np.testing.assert_array_equal(value, expected[name], err_msg=name)


def test_a_run_folder_holds_everything(finished_run):
    names = {path.name for path in finished_run.iterdir()}
    plots = {"accuracy.png", "loss.png", "cnn_accuracy.png"}
    assert names == {"run.toml", "last.npz", "model.keras", "history.csv", "tensorboard", *plots}
    rows = list(csv.DictReader((finished_run / "history.csv").read_text().splitlines()))
    assert [row["epoch"] for row in rows] == ["1", "2"]


def test_it_learns(prepared, tmp_path):
    from unmask.train.loop import train

    settings = {**SETTINGS, "epochs": 6, "batch_size": 8}
    outcome = train(make_config(data=str(prepared), **settings), tmp_path / "run")
    assert outcome.finished
    assert outcome.kept.validation_auc > 0.9


def test_the_last_epoch_is_kept_where_that_is_asked_for(prepared, tmp_path, monkeypatch):
    from unmask.train import loop

    # The first epoch is the best one, by an AUC of 1 for 0.
    answers = iter([(0.0, 1.0), (1.0, 0.0)] * 2)

    def judge(_, source):
        real, fake = next(answers)
        return np.where(source.labels == 0, real, fake)

    monkeypatch.setattr(loop, "judge", judge)
    settings = {"data": str(prepared), **SETTINGS}
    best = loop.train(make_config(**settings), tmp_path / "best")
    last = loop.train(make_config(**settings, keep="last"), tmp_path / "last")
    assert (best.kept.epoch, last.kept.epoch) == (1, 2)
    assert_same(last_state(best.folder), last_state(last.folder))
    pairs = zip(weights_of(best.folder), weights_of(last.folder), strict=True)
    assert any((first != second).any() for first, second in pairs)


@pytest.mark.parametrize("step", [1, 4, 6])
def test_a_killed_run_goes_on_to_the_same_weights(prepared, finished_run, tmp_path, step):
    from unmask.train.loop import resume, train

    run = tmp_path / "run"
    with pytest.raises(KilledError):
        train(make_config(data=str(prepared), **{**SETTINGS, "checkpoint_every": 1}), run, watcher=Watcher(step, kill))
    # Killed at its very first step, before any checkpoint, it starts again by itself.
    outcome = resume(run)
    assert outcome.finished
    assert_same(last_state(run), last_state(finished_run))
    for found, expected in zip(weights_of(run), weights_of(finished_run), strict=True):
        np.testing.assert_array_equal(found, expected)


def test_ctrl_c_ends_after_the_step_and_keeps_everything(prepared, finished_run, tmp_path):
    from unmask.train.loop import resume, train

    run, watcher = tmp_path / "run", Watcher(2, interrupt)
    before = signal.getsignal(signal.SIGINT)
    outcome = train(make_config(data=str(prepared), **SETTINGS), run, watcher=watcher)
    assert (outcome.finished, watcher.seen) == (False, 2)
    assert (run / "model.keras").is_file()
    assert signal.getsignal(signal.SIGINT) is before
    rest = Watcher()
    history = resume(run, watcher=rest).history
    assert rest.seen == 2 * STEPS - 2
    assert_same(last_state(run), last_state(finished_run))
    assert [round(row.loss, 6) for row in history] == losses_of(finished_run)


def losses_of(run):
    from unmask.train.checkpoint import read_position

    return [round(row["loss"], 6) for row in read_position(run / "last.npz")["history"]]


def stopped_run(data, run, **settings):
    from unmask.train.loop import train

    assert not train(make_config(data=str(data), **SETTINGS, **settings), run, watcher=Watcher(2, interrupt)).finished


def test_a_run_does_not_go_on_with_other_labels(tmp_path):
    from unmask.train.loop import resume

    data, run = write_prepared(tmp_path / "data"), tmp_path / "run"
    stopped_run(data, run)
    rows = list(read_manifest(data / "manifest.csv"))
    write_manifest(
        data / "manifest.csv", [replace(row, label=1 - row.label) if row is rows[3] else row for row in rows]
    )
    before = (run / "last.npz").read_bytes()
    with pytest.raises(UnmaskError) as caught:
        resume(run)
    assert caught.value.code == "data-changed"
    assert "--config" in caught.value.hint
    assert (run / "last.npz").read_bytes() == before


def test_a_run_does_not_go_on_with_other_hard_examples(prepared, finished_run, tmp_path):
    from unmask.train.loop import resume

    hard, run = tmp_path / "hard.csv", tmp_path / "run"
    hard.write_text("path\n" + "".join(f"Train/{index}.jpg\n" for index in range(24)))
    stopped_run(prepared, run, start=str(finished_run), hard=str(hard))
    hard.write_text("path\n" + "".join(f"Train/{index}.jpg\n" for index in range(1, 25)))
    with pytest.raises(UnmaskError, match="hard examples"):
        resume(run)


def test_a_checkpoint_that_does_not_name_its_data_is_gone_on_with(prepared, finished_run, tmp_path):
    from unmask.train.loop import resume

    run = tmp_path / "run"
    stopped_run(prepared, run)
    with np.load(run / "last.npz") as arrays:
        state = dict(arrays)
    position = json.loads(str(state.pop("position")))
    del position["data"]
    np.savez(run / "last.npz", position=np.array(json.dumps(position)), **state)
    assert resume(run).finished
    assert_same(last_state(run), last_state(finished_run))


def test_another_seed_gives_other_weights(prepared, finished_run, tmp_path):
    from unmask.train.loop import train

    run = train(make_config(data=str(prepared), **SETTINGS, seed=2), tmp_path / "run").folder
    assert not np.array_equal(last_state(run)["v0"], last_state(finished_run)["v0"])


def test_a_finished_run_has_nothing_left_to_do(finished_run):
    from unmask.train.loop import resume

    watcher = Watcher()
    assert resume(finished_run, watcher=watcher).finished
    assert watcher.seen == 0


class SmallBackbone:
    """An architecture like those in unmask.models, but quick."""

    @staticmethod
    def features(inputs, weights="none"):
        from keras import layers

        x = layers.Rescaling(1 / 255)(inputs)
        x = layers.Conv2D(4, 3, strides=4, use_bias=False, name="backbone")(x)
        return layers.ReLU()(layers.BatchNormalization(name="norm")(x))

    @staticmethod
    def head(spatial_map):
        from keras import layers

        return layers.Dense(1, name="logit")(layers.GlobalAveragePooling2D()(spatial_map))


@pytest.fixture
def small_backbone(monkeypatch):
    from unmask import models

    monkeypatch.setitem(models.ARCHITECTURES, "small", 16)
    monkeypatch.setattr(models, "_module", lambda name: SmallBackbone)
    return {**SETTINGS, "model": "small"}


def variables_after_each_epoch(config, folder):
    """By epoch: kernel of the backbone, moving mean of its normalisation, kernel of the head."""
    from unmask.train.loop import train

    found = []

    class Look(Watcher):
        def on_epoch(self, row):
            state = last_state(folder)
            found.append({"backbone": state["v0"], "mean": state["v3"], "head": state["v5"]})

    train(config, folder, watcher=Look())
    return found


def moved(states, name):
    return not np.array_equal(states[0][name], states[1][name])


def test_a_frozen_backbone_stays_as_it_is(prepared, small_backbone, tmp_path):
    states = variables_after_each_epoch(
        make_config(data=str(prepared), tune="frozen", **small_backbone), tmp_path / "r"
    )
    assert [moved(states, name) for name in ("backbone", "mean", "head")] == [False, False, True]


@pytest.mark.parametrize(("norm", "mean_moves"), [("frozen", False), ("moving", True)])
def test_fine_tuning_moves_the_backbone_in_its_second_stage(prepared, small_backbone, tmp_path, norm, mean_moves):
    settings = {**small_backbone, "tune": "fine-tune", "batch_norm": norm, "fine_tune_learning_rate": 1e-2}
    states = variables_after_each_epoch(make_config(data=str(prepared), **settings), tmp_path / "r")
    assert [moved(states, name) for name in ("backbone", "mean")] == [True, mean_moves]


def test_a_run_killed_in_its_second_stage_goes_on_to_the_same_weights(prepared, small_backbone, tmp_path):
    from unmask.train.loop import resume, train

    settings = {**small_backbone, "tune": "fine-tune", "ema": 0.5, "optimizer": "adamw", "schedule": "cosine"}
    config = make_config(data=str(prepared), **settings)
    train(config, tmp_path / "whole")
    for name, step in (("turn", STEPS + 1), ("late", STEPS + 3)):
        with pytest.raises(KilledError):
            train(config, tmp_path / name, watcher=Watcher(step, kill))
        assert resume(tmp_path / name).finished
        assert_same(last_state(tmp_path / name), last_state(tmp_path / "whole"))


def test_a_loss_that_is_no_number_is_an_error(prepared, tmp_path):
    from unmask.train.loop import train

    with pytest.raises(UnmaskError, match="no number") as caught:
        train(make_config(data=str(prepared), **SETTINGS, learning_rate=1e30), tmp_path / "run")
    assert caught.value.code == "loss-not-a-number"
    assert "--learning-rate" in caught.value.hint


def test_weights_that_blow_up_in_the_last_step_are_an_error(prepared, tmp_path, monkeypatch):
    from unmask.train import loop

    monkeypatch.setattr(loop, "judge", lambda model, source: np.full(len(source), np.nan))
    with pytest.raises(UnmaskError, match="after the last step of epoch 1") as caught:
        loop.train(make_config(data=str(prepared), **SETTINGS), tmp_path / "run")
    assert caught.value.code == "loss-not-a-number"


def test_too_little_memory_is_an_error_with_a_way_out(prepared, tmp_path):
    from unmask.train.loop import train

    def exhaust():
        raise MemoryError

    with pytest.raises(UnmaskError, match="memory") as caught:
        train(make_config(data=str(prepared), **SETTINGS), tmp_path / "run", watcher=Watcher(1, exhaust))
    assert "--batch-size 8" in caught.value.hint


def test_a_missing_class_is_refused_before_anything_is_written(tmp_path):
    from unmask.train.loop import train

    data = write_prepared(tmp_path / "fakes", only=1)
    with pytest.raises(UnmaskError, match="no real pictures"):
        train(make_config(data=str(data), **SETTINGS), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_batches_of_one_class_are_refused_before_anything_is_written(prepared, tmp_path):
    from unmask.train.loop import train

    with pytest.raises(UnmaskError) as caught:
        train(make_config(data=str(prepared), **{**SETTINGS, "batch_size": 1}), tmp_path / "run")
    assert caught.value.code == "one-class-batches"
    assert not (tmp_path / "run").exists()


def test_a_folder_with_something_in_it_is_refused(prepared, finished_run):
    from unmask.train.loop import train

    with pytest.raises(UnmaskError) as caught:
        train(make_config(data=str(prepared), **SETTINGS), finished_run)
    assert "--resume" in caught.value.hint


def test_a_folder_without_a_run_cannot_be_resumed(tmp_path):
    from unmask.train.loop import resume

    with pytest.raises(UnmaskError, match="no run in"):
        resume(tmp_path)


def test_a_run_that_was_refused_can_be_started_again(prepared, small_backbone, tmp_path):
    from unmask.train.loop import train

    run, settings = tmp_path / "run", {**small_backbone, "epochs": 1}
    with pytest.raises(UnmaskError, match="not there"):
        train(make_config(data=str(prepared), **settings, backbone_weights="none.weights.h5"), run)
    assert train(make_config(data=str(prepared), **settings), run).finished


def test_a_damaged_checkpoint_is_refused(prepared, finished_run, tmp_path):
    from unmask.train.loop import resume

    (tmp_path / "run.toml").write_bytes((finished_run / "run.toml").read_bytes())
    (tmp_path / "last.npz").write_bytes((finished_run / "last.npz").read_bytes()[:5000])
    with pytest.raises(UnmaskError) as caught:
        resume(tmp_path)
    assert caught.value.code == "bad-checkpoint"


def test_tensorboard_finds_the_numbers(finished_run):
    import tensorflow as tf
    from tensorflow.core.util import event_pb2

    (path,) = (finished_run / "tensorboard").glob("events.out.tfevents.*")
    events = [event_pb2.Event.FromString(record.numpy()) for record in tf.data.TFRecordDataset([str(path)])]
    tags = {value.tag for event in events for value in event.summary.value}
    assert {"loss", "validation_auc"} <= tags
    assert [event.step for event in events if event.summary.value] == [1, 2]


def test_a_run_can_begin_with_the_model_of_another(prepared, finished_run, tmp_path):
    still = {**SETTINGS, "epochs": 1, "learning_rate": 1e-12, "start": str(finished_run)}
    outcome = train_here(prepared, tmp_path / "run", still)
    for ours, theirs in zip(weights_of(outcome.folder), weights_of(finished_run), strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-6)


@pytest.mark.parametrize(
    ("settings", "code"),
    [({"start": "nowhere"}, "no-run"), ({"model": "mobilenetv2"}, "start-differs")],
)
def test_a_run_that_does_not_fit_is_no_start(prepared, finished_run, tmp_path, settings, code):
    with pytest.raises(UnmaskError) as caught:
        train_here(prepared, tmp_path / "run", {**SETTINGS, "start": str(finished_run), **settings})
    assert caught.value.code == code


def train_here(prepared, folder, settings):
    from unmask.train.loop import train

    return train(make_config(data=str(prepared), **settings), folder)


def test_a_run_on_windows_keeps_and_judges_a_model_for_whole_pictures(prepared, small_backbone, tmp_path):
    import keras
    from sklearn.metrics import roc_auc_score

    from unmask.train.loop import judge
    from unmask.train.source import open_source

    outcome = train_here(prepared, tmp_path / "run", {**small_backbone, "epochs": 1, "crop": 24, "ema": 0.9})
    kept = keras.models.load_model(outcome.folder / "model.keras", compile=False)
    assert kept.input_shape == (None, 32, 32, 3)
    validation = open_source(prepared, "Validation")
    assert outcome.kept.validation_auc == pytest.approx(roc_auc_score(validation.labels, judge(kept, validation)))


def test_windows_larger_than_the_pictures_are_refused_before_anything_is_written(prepared, small_backbone, tmp_path):
    with pytest.raises(UnmaskError) as caught:
        train_here(prepared, tmp_path / "run", {**small_backbone, "crop": 33})
    assert caught.value.code == "crop-too-large"
    assert not (tmp_path / "run").exists()


def test_statistics_of_averaged_weights_are_measured_for_them_and_nothing_else_is_changed(prepared, small_backbone):
    from unmask.models import build
    from unmask.train.stages import averaged_weights, prepare_model, stages_of

    config = make_config(data=str(prepared), **small_backbone, ema=0.5)
    model = build("small", 32)
    prepare_model(model, stages_of(config)[0], config, 4)
    random = np.random.default_rng(0)
    batches = [random.integers(0, 256, (8, 32, 32, 3), dtype=np.uint8) for _ in range(4)]
    for images in batches:
        model.train_on_batch(images, np.arange(8.0)[:, None] % 2)
    before = [np.array(variable) for variable in model.variables]
    norm = next(layer for layer in model.layers if type(layer).__name__ == "BatchNormalization")
    with averaged_weights(model, config, iter(batches)):
        maps = keras_maps_before(model, norm, np.concatenate(batches))
        np.testing.assert_allclose(np.array(norm.moving_mean), maps.mean(axis=(0, 1, 2)), rtol=1e-3)
        assert not np.allclose(np.array(norm.moving_mean), before[norm_index(model, norm)], rtol=1e-2)
    assert norm.momentum == config.batch_norm_momentum
    for variable, value in zip(model.variables, before, strict=True):
        np.testing.assert_array_equal(np.array(variable), value)


def keras_maps_before(model, norm, images):
    import keras

    return np.array(keras.Model(model.inputs, norm.input)(images))


def norm_index(model, norm):
    return [variable.path for variable in model.variables].index(norm.moving_mean.path)
