import json
import shutil

import numpy as np
import pytest
from tests.export.tiny import noise, tiny_model
from tests.prepared_faces import write_prepared

from unmask.errors import UnmaskError

pytestmark = pytest.mark.train


def exported(run, out, data):
    from unmask.export.assemble import Label
    from unmask.export.run import export_run

    return export_run(run, out, data=str(data), label=Label(name="tiny", data_terms="Only for tests."))


@pytest.fixture(scope="module")
def without_test(prepared, tmp_path_factory):
    """The prepared folder without the pictures of Test."""
    folder = shutil.copytree(prepared, tmp_path_factory.mktemp("data") / "prepared")
    (folder / "Test.npy").unlink()
    return folder


@pytest.fixture(scope="module")
def bundle(finished_run, without_test, tmp_path_factory):
    return exported(finished_run, tmp_path_factory.mktemp("bundles") / "bundle", without_test)


def info_of(bundle):
    return json.loads((bundle / "bundle.json").read_text())


def test_the_bundle_answers_as_the_model_does_but_for_the_centre(bundle, finished_run, prepared):
    import keras

    from unmask.detector import Detector
    from unmask.stats.calibration import fit_centre

    model = keras.models.load_model(finished_run / "model.keras", compile=False)
    images = np.load(prepared / "Validation.npy")
    raw = model.predict_on_batch(images)[:, 0].astype(np.float64)
    logits, maps = Detector.load(bundle).logits_and_maps(images)
    centre = fit_centre(raw, validation_labels(prepared))
    assert abs(centre) > 0.01  # the model is not centred by chance
    np.testing.assert_allclose(logits, raw - centre, atol=1e-3)
    assert fit_centre(logits, validation_labels(prepared)) == pytest.approx(0, abs=1e-3)
    assert maps.shape == (16, 2, 2)
    assert (maps >= 0).all()


def validation_labels(prepared):
    from unmask.data.prepared import load_prepared

    return load_prepared(prepared).labels("Validation")


def test_the_bundle_says_what_it_is_made_of(bundle):
    info = info_of(bundle)
    assert (info["name"], info["architecture"], info["input_size"]) == ("tiny", "cnn", 32)
    assert info["training_data"]["counts"]["Train real"] == 24
    assert {"keras", "unmask", "numpy"} <= info["made_with"].keys()
    assert set(info["policies"]) == {"careful", "balanced", "sensitive"}


def test_numbers_are_of_validation_and_come_with_intervals(bundle):
    metrics = {metric["name"]: metric for metric in info_of(bundle)["metrics"]}
    assert {metric["split"] for metric in info_of(bundle)["metrics"]} == {"Validation"}
    assert metrics["roc_auc"]["low"] <= metrics["roc_auc"]["value"] <= metrics["roc_auc"]["high"]
    assert metrics["false_accusation_rate"]["n"] == 8


def test_it_says_which_fakes_it_learned_and_whom_it_accuses(bundle):
    info = info_of(bundle)
    assert info["training_data"]["methods"] == {"dark": 24}
    assert info["training_data"]["families"] == {"shades": {"Train": 24, "Validation": 8}}
    assert "dark (24)." in (bundle / "MODEL_CARD.md").read_text()
    assert {accusation["name"] for accusation in info["accusations"]} == {"a", "b"}
    shares = [accusation["value"] for accusation in info["accusations"]]
    assert shares == sorted(shares, reverse=True)
    assert sum(accusation["n"] for accusation in info["accusations"]) == 8
    for accusation in info["accusations"]:
        ends = f" ({accusation['low']:.3f} to {accusation['high']:.3f}," if accusation["low"] is not None else ""
        assert f"| {accusation['value']:.3f}{ends}" in (bundle / "MODEL_CARD.md").read_text()


def test_a_run_calibrated_on_other_pictures_learned_from_its_own(finished_run, tmp_path):
    other = write_prepared(tmp_path / "other", repeat=2)
    manifest = other / "manifest.csv"
    manifest.write_text(manifest.read_text().replace("dark", "bright").replace("shades", "lights"))
    bundle = exported(finished_run, tmp_path / "bundle", other)
    data = info_of(bundle)["training_data"]
    assert data["name"] == "prepared"
    assert data["counts"] == {"Train real": 24, "Train fake": 24, "Validation real": 16, "Validation fake": 16}
    assert data["methods"] == {"dark": 24}
    assert data["families"] == {"shades": {"Train": 24}, "lights": {"Validation": 16}}
    assert "| calibrated on | other |" in (bundle / "MODEL_CARD.md").read_text()


def test_test_is_not_opened(bundle):
    # There was none in the folder that it was calibrated on.
    assert "Test was not opened" in (bundle / "MODEL_CARD.md").read_text()


def test_thresholds_hold_the_share_of_false_accusations_on_validation(bundle):
    metrics = {(metric["split"], metric["name"]): metric for metric in info_of(bundle)["metrics"]}
    assert metrics["Validation", "false_accusation_rate"]["value"] <= 0.01


def test_the_card_is_written_from_the_same_numbers(bundle):
    card = (bundle / "MODEL_CARD.md").read_text()
    info = info_of(bundle)
    auc = next(m for m in info["metrics"] if m["name"] == "roc_auc")
    assert f"{auc['value']:.3f} ({auc['low']:.3f} to {auc['high']:.3f}, n = 16)" in card
    assert "Only for tests." in card
    assert "other generators" in card
    assert "hint, not proof" in card
    assert card.index("real pictures called fake") < card.index("accuracy at 0.5")
    assert "{{" not in card


def test_exporting_twice_gives_the_same_files(bundle, finished_run, without_test, tmp_path):
    again = exported(finished_run, tmp_path / "again", without_test)
    for name in ("model.onnx", "MODEL_CARD.md", "bundle.json"):
        assert (again / name).read_bytes() == (bundle / name).read_bytes()


def test_the_day_can_be_fixed(monkeypatch):
    from unmask.export.assemble import _today

    monkeypatch.setenv("SOURCE_DATE_EPOCH", "86400")
    assert _today() == "1970-01-02"


def test_a_run_without_a_model_is_refused(finished_run, tmp_path):
    from unmask.export.run import export_run

    (tmp_path / "run.toml").write_bytes((finished_run / "run.toml").read_bytes())
    with pytest.raises(UnmaskError) as caught:
        export_run(tmp_path, tmp_path / "bundle")
    assert "--resume" in caught.value.hint


def test_a_run_with_half_a_model_is_refused(finished_run, tmp_path):
    from unmask.export.run import export_run

    (tmp_path / "run.toml").write_bytes((finished_run / "run.toml").read_bytes())
    (tmp_path / "model.keras").write_bytes((finished_run / "model.keras").read_bytes()[:5000])
    with pytest.raises(UnmaskError, match="cannot be read as a Keras model") as caught:
        export_run(tmp_path, tmp_path / "bundle")
    assert caught.value.code == "bad-model"


def test_a_graph_that_differs_from_the_model_is_refused(tmp_path, monkeypatch):
    from unmask.export import assemble
    from unmask.export.soft import calibrated_graph

    whole = assemble.to_onnx
    monkeypatch.setattr(assemble, "to_onnx", lambda *given: calibrated_graph(whole(*given), 0.01, 0.0))
    with pytest.raises(UnmaskError, match="does not agree"):
        assemble.export_model(tiny_model(), tmp_path / "bundle", architecture="custom", data=None)
    assert not (tmp_path / "bundle").exists()


def distances(bundle, images):
    import onnxruntime

    session = onnxruntime.InferenceSession(bundle / "model.onnx", providers=["CPUExecutionProvider"])
    return session.run(["distance"], {"image": images})[0]


def test_at_most_one_in_a_hundred_validation_pictures_is_outside_training(bundle, prepared):
    limit = info_of(bundle)["outside_above"]
    found = distances(bundle, np.load(prepared / "Validation.npy"))
    assert found.shape == (16,)
    # With 16 pictures the limit is the farthest of them.
    assert found.max() == pytest.approx(limit, rel=1e-5)
    assert (found > limit * (1 + 1e-5)).sum() == 0


def test_pictures_like_none_in_training_are_outside(bundle):
    from unmask.detector import Detector

    # The training pictures are noise; these are flat, and striped.
    strange = np.zeros((3, 32, 32, 3), np.uint8)
    strange[1], strange[2, ::2] = 255, 255
    assert Detector.load(bundle).outputs(strange).outside_training.all()


def test_the_card_says_how_often_a_picture_is_outside_training(bundle):
    card = (bundle / "MODEL_CARD.md").read_text()
    limit = info_of(bundle)["outside_above"]
    assert f"above {limit:.2f}" in card
    assert "0.0% of Validation" in card


def test_a_bundle_without_pictures_has_no_distance_and_says_that_it_is_not_calibrated(tmp_path):
    from unmask.detector import Detector
    from unmask.export.assemble import export_model

    bundle = export_model(tiny_model(), tmp_path / "bundle", architecture="custom", data=None)
    info, card = info_of(bundle), (bundle / "MODEL_CARD.md").read_text()
    assert (info["outside_above"], info["metrics"]) == (None, [])
    assert info["policies"]["balanced"]["chosen_by"].startswith("not calibrated")
    assert "not calibrated" in card
    assert "unlike" not in card
    detector = Detector.load(bundle)
    assert not detector.outputs(noise(1)).outside_training.any()
    assert not detector.is_calibrated


@pytest.mark.parametrize("number", [np.nan, np.inf])
def test_a_model_that_gives_no_numbers_is_called_that(tmp_path, number):
    from unmask.export.assemble import export_model

    model = tiny_model()
    model.get_layer("logit").bias.assign([number])
    with pytest.raises(UnmaskError, match="gives no numbers") as caught:
        export_model(model, tmp_path / "bundle", architecture="custom", data=None)
    assert caught.value.code == "no-numbers"
    assert "report this" not in caught.value.hint


def test_the_card_leads_with_the_sources_and_says_what_an_interval_counts(bundle):
    card = (bundle / "MODEL_CARD.md").read_text()
    assert card.index("| a | ") < card.index("| b | ") < card.index("All together")
    assert "| a | 4 in 4 groups" not in card
    assert "| a | 4, each by itself | 4, each by itself |" in card
    assert "counts groups, not pictures" in card


def test_the_card_tells_the_run_that_the_run_began_with(finished_run):
    from unmask.export.run import _settings
    from unmask.train.config import make_config

    settings = _settings(make_config(data="prepared", epochs=1, start=str(finished_run)))
    assert settings["start"].startswith(f"{finished_run.name} (size 32, epochs 2, ")
    assert "backbone_weights" not in settings
    assert str(finished_run.parent) not in str(settings)


def test_the_card_says_how_often_unusual_real_pictures_are_accused(bundle, prepared):
    from unmask.detector import Detector
    from unmask.export.unusual import UNUSUAL
    from unmask.verdict import probability

    card = (bundle / "MODEL_CARD.md").read_text()
    assert all(f"| {name} |" in card for name in UNUSUAL)
    # The eight real pictures of Validation, upside down, as the bundle itself answers.
    detector = Detector.load(bundle)
    images = np.load(prepared / "Validation.npy")[validation_labels(prepared) == 0]
    found = detector.outputs(np.ascontiguousarray(images[:, ::-1]))
    accused = probability(found.logits, detector.info.temperature) > detector.thresholds.fake_above
    accused &= ~found.outside_training
    assert "| 8 real pictures | called fake | unsure |" in card
    assert f"| upside down | {accused.mean():.1%} |" in card


def test_a_bundle_is_calibrated_anew_and_keeps_its_graph(bundle, prepared, tmp_path):
    from unmask.bundle import read_bundle
    from unmask.export.assemble import Label, export_bundle

    wider = shutil.copytree(bundle, tmp_path / "wider")
    (wider / "bundle.json").write_text(json.dumps({**info_of(bundle), "crop_margin": 1.6, "default_policy": "careful"}))
    again = export_bundle(
        wider, tmp_path / "again", data=str(prepared), label=Label(version="2", data_terms="Only for tests.")
    )
    first, second = read_bundle(bundle), read_bundle(again)
    assert second.model == first.model
    assert (second.info.crop_margin, second.info.default_policy) == (1.6, "careful")
    assert second.info.version == "2"
    assert second.info.name == first.info.name
    assert second.info.training_data.counts == first.info.training_data.counts
    limits = [
        (info.policies["balanced"].real_below, info.policies["balanced"].fake_above)
        for info in (first.info, second.info)
    ]
    assert limits[1] == pytest.approx(limits[0], abs=1e-4)
    card = (again / "MODEL_CARD.md").read_text(encoding="utf-8")
    assert f"that of {first.label}" in card
    assert "| careful (default) |" in card


def test_a_bundle_calibrated_anew_assumes_as_many_fakes_as_before(bundle, tmp_path):
    from unmask.bundle import read_bundle
    from unmask.detector import Detector
    from unmask.export.assemble import export_bundle
    from unmask.stats.calibration import fit_temperature

    few_fakes = write_prepared(tmp_path / "few_fakes", reals=12)
    again = export_bundle(bundle, tmp_path / "again", data=str(few_fakes))
    info = read_bundle(again).info
    assert info.training_data.counts["Validation fake"] == 4
    logits = Detector.load(again).logits(np.load(few_fakes / "Validation.npy"))
    assert info.temperature == pytest.approx(fit_temperature(logits, np.arange(16) >= 12, fake_share=0.5), rel=1e-4)
    assert "it assumes that 50.0% of\nall pictures are fake" in (again / "MODEL_CARD.md").read_text(encoding="utf-8")
    third = export_bundle(again, tmp_path / "third", data=str(few_fakes))
    assert read_bundle(third).info.fake_share == info.fake_share == 0.5
    assert "fake_share" not in info_of(bundle)
    assert (info.name, info.version) == ("tiny", "1+few_fakes")
