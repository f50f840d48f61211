"""`unmask export`: what it says of the detector that came out, and what it refuses."""

import numpy as np
import pytest
from click.testing import CliRunner
from tests.export.tiny import tiny_model

pytestmark = pytest.mark.train

OURS = ("--input-scaling", "0..1", "--label-order", "real-fake")


def exported(*words):
    from unmask.cli.main import main

    return CliRunner().invoke(main, ["export", *map(str, words)])


def flat(result):
    return " ".join(result.output.split())


def keras_file(path, kernel="ones"):
    """A classifier that says *fake* of bright pictures; the fakes of the prepared folder are the darker ones."""
    from keras import Sequential, layers

    layer = layers.Dense(1, activation="sigmoid", kernel_initializer=kernel)
    Sequential([layers.Input((32, 32, 3)), layers.AveragePooling2D(2), layers.GlobalAveragePooling2D(), layer]).save(
        path
    )
    return path


def test_it_says_how_good_the_detector_is_before_it_says_to_try_it(finished_run, tmp_path):
    result = exported(finished_run, "--out", tmp_path / "bundle")
    assert result.exit_code == 0, result.output
    assert "Validation: AUC " in result.output
    assert "of 8 real pictures called fake" in result.output


def test_a_model_at_chance_is_called_that_and_nobody_is_told_to_try_it(prepared, tmp_path):
    path = keras_file(tmp_path / "chance.keras", kernel="zeros")
    result = exported(path, *OURS, "--data", prepared, "--out", tmp_path / "bundle")
    assert result.exit_code == 0, result.output
    assert "AUC 0.500" in result.output
    assert "no better than chance" in result.output
    assert "no better than chance" in (tmp_path / "bundle" / "MODEL_CARD.md").read_text()
    assert "Try it" not in result.output


def test_a_keras_file_did_not_learn_from_the_pictures_that_it_is_calibrated_on(prepared, tmp_path):
    from unmask.bundle import read_bundle

    path = keras_file(tmp_path / "theirs.keras", kernel="zeros")
    result = exported(path, *OURS, "--data", prepared, "--out", tmp_path / "bundle")
    assert result.exit_code == 0, result.output
    training = read_bundle(tmp_path / "bundle").info.training_data
    assert (training.name, training.methods, training.families) == ("unknown", {}, {})
    assert training.counts == {"Validation real": 8, "Validation fake": 8}
    card = (tmp_path / "bundle" / "MODEL_CARD.md").read_text()
    assert "(Train)" not in card
    assert f"| calibrated on | {prepared.name} |" in card


def test_a_keras_file_without_pictures_is_exported_with_a_warning(tmp_path):
    result = exported(keras_file(tmp_path / "theirs.keras"), *OURS, "--out", tmp_path / "bundle")
    assert result.exit_code == 0, result.output
    assert "NOT CALIBRATED" in result.output
    assert "flow_from_directory" in result.output
    assert "\nhint: Export it again" in result.output
    assert "--data" in result.output
    assert "Try it" not in result.output


def test_labels_the_other_way_round_are_noticed(prepared, tmp_path):
    path = keras_file(tmp_path / "theirs.keras")
    result = exported(path, *OURS, "--data", prepared, "--out", tmp_path / "bundle")
    assert result.exit_code == 2
    assert "real pictures above fake ones" in flat(result)
    assert "--label-order" in result.output


def test_weights_that_are_no_numbers_are_called_that(finished_run, tmp_path):
    import shutil

    import keras

    run = shutil.copytree(finished_run, tmp_path / "run")
    model = keras.models.load_model(run / "model.keras", compile=False)
    model.set_weights([weight * np.nan for weight in model.get_weights()])
    model.save(run / "model.keras")
    result = exported(run, "--out", tmp_path / "bundle")
    assert result.exit_code == 2
    assert "gives no numbers" in flat(result)
    assert "report this" not in flat(result)


def test_kernels_of_a_keras_file_can_have_fewer_bits(tmp_path):
    import onnx

    tiny_model().save(tmp_path / "tiny.keras")
    options = ("--input-scaling", "0..255", "--label-order", "real-fake", "--kernel-bits", "8")
    result = exported(tmp_path / "tiny.keras", *options, "--out", tmp_path / "bundle")
    assert result.exit_code == 0, result.output
    weights = onnx.load(tmp_path / "bundle" / "model.onnx").graph.initializer
    assert onnx.TensorProto.INT8 in {weight.data_type for weight in weights}


def test_a_keras_file_needs_its_scaling_and_its_labels(tmp_path):
    (tmp_path / "model.h5").write_bytes(b"")
    result = exported(tmp_path / "model.h5", "--out", tmp_path / "bundle")
    assert result.exit_code == 2
    assert "--input-scaling" in result.output


def test_a_model_that_is_not_there_is_said_to_be_missing(tmp_path):
    result = exported(tmp_path / "nothere", "--out", tmp_path / "bundle")
    assert result.exit_code == 2
    assert "no run and no Keras file" in result.output


def test_a_keras_file_is_exported_alone(finished_run, tmp_path):
    (tmp_path / "model.h5").write_bytes(b"")
    result = exported(finished_run, tmp_path / "model.h5", "--out", tmp_path / "bundle")
    assert result.exit_code == 2
    assert "alone" in result.output


@pytest.mark.parametrize(
    ("words", "said"), [(("--name", "x" * 65), "--name is longer than 64"), ((), "holds other files")]
)
def test_what_the_bundle_cannot_be_called_or_put_is_said_first(finished_run, tmp_path, monkeypatch, words, said):
    monkeypatch.setattr("unmask.train.backend.load_keras", None)
    (tmp_path / "thesis.txt").write_text("mine")
    result = exported(finished_run, "--out", tmp_path, *words)
    assert result.exit_code == 2
    assert said in result.output


def test_the_same_run_twice_is_refused(finished_run, tmp_path):
    result = exported(finished_run, finished_run / ".", "--out", tmp_path / "bundle")
    assert result.exit_code == 2
    assert "named twice" in result.output
