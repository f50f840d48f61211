"""The results of a scan as a table of scores."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from tests.evaluate.conftest import write_dataset
from tests.toy_bundle import write_toy_bundle
from unmask.checking import Detector
from unmask.cli.main import main
from unmask.errors import UnmaskError
from unmask.evaluate.run import Plan, compare, evaluate_table, score_any
from unmask.evaluate.scanned import known_labels, read_scan
from unmask.finding import Status, Verdict

pytestmark = pytest.mark.scan
PLAN = Plan(replicates=20)


def run(*arguments: object) -> Result:
    return CliRunner().invoke(main, [*map(str, arguments)])


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_dataset(tmp_path_factory.mktemp("Labelled"), per_class=6)


@pytest.fixture(scope="module")
def scan(dataset: Path, toy_bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The results of a scan of the dataset's folder, in which a manifest lies, too."""
    out = tmp_path_factory.mktemp("scans") / "results"
    result = run("scan", dataset.parent, "--out", out, "--bundle", toy_bundle, "--no-face-search", "--workers", 1)
    assert result.exit_code == 1, result.output
    return out


def labels_csv(path: Path, *rows: str) -> Path:
    path.write_text("\n".join(["path,label", *rows]) + "\n")
    return path


def changed(scan: Path, to: Path, change: Any) -> Path:
    """A copy of the scan, every row of which was put through a function."""
    import pyarrow.parquet as pq

    shutil.copytree(scan, to)
    for part in (to / "parts").glob("*.parquet"):
        table = pq.read_table(part)
        rows = [new for row in table.to_pylist() for new in change(row)]
        pq.write_table(table.from_pylist(rows, table.schema), part)
    return to


def test_a_scan_gives_the_scores_of_an_evaluation(scan: Path, dataset: Path, toy_bundle: Path) -> None:
    scanned = score_any(scan, dataset, PLAN)
    scored = score_any(toy_bundle, dataset, PLAN)
    assert (scanned.detector, scanned.policy, scanned.thresholds) == ("toy 0.1", "balanced", scored.thresholds)
    for one, other in zip(scanned.rows, scored.rows, strict=True):
        assert (one.path, one.label, one.source, one.method, one.group) == (
            other.path, other.label, other.source, other.method, other.group,
        )  # fmt: skip
        assert (one.status, one.verdict) == (other.status, other.verdict)
        assert one.score == pytest.approx(other.score, abs=1e-6)
        assert one.logit == pytest.approx(other.logit, abs=1e-5)
        assert bool(one.failure) == bool(other.failure)


def test_the_folder_of_parts_means_the_scan(scan: Path, dataset: Path) -> None:
    assert score_any(scan / "parts", dataset, PLAN) == score_any(scan, dataset, PLAN)


def test_evaluate_makes_a_report_of_a_scan(scan: Path, dataset: Path, tmp_path: Path) -> None:
    result = run("evaluate", "--scores", scan, "--data", dataset, "--out", tmp_path)
    assert result.exit_code == 0, result.output
    content = json.loads((tmp_path / "report.json").read_text(), parse_constant=pytest.fail)
    assert content["detector"]["name"] == "toy"
    assert (content["data"]["split"], content["data"]["pictures"], content["data"]["answered"]) == ("Test", 14, 12)
    assert content["data"]["groups"] == 3
    assert content["robustness"] == []
    assert any("the gallery" in note or "left out" in note for note in content["data"]["notes"])


def test_evaluate_makes_a_report_of_a_table_of_scores(tmp_path: Path) -> None:
    rows = [f"{name}{number},{label},0.{label * 4 + number}" for label, name in enumerate("rf") for number in range(5)]
    (tmp_path / "peer.csv").write_text("\n".join(["path,label,score", *rows]) + "\n")
    result = run("evaluate", "--scores", tmp_path / "peer.csv", "--out", tmp_path / "report")
    assert result.exit_code == 0, result.output
    content = json.loads((tmp_path / "report" / "report.json").read_text())
    assert content["detector"] == {"name": "peer"}


def test_compare_takes_scans_bundles_and_tables(scan: Path, dataset: Path, toy_bundle: Path) -> None:
    found = compare([scan, toy_bundle], dataset, plan=PLAN)
    assert found.shared == 12
    assert [evaluation.table.detector for evaluation in found.evaluations] == ["toy 0.1 (1)", "toy 0.1 (2)"]


@pytest.mark.parametrize(
    "name",
    ["Test/Real/a.jpg", "s3://bucket/set/Test/Real/a.jpg", "set.tar#Test/Real/a.jpg", r"C:\set\Test\Real\a.jpg"],
)
def test_a_row_is_of_the_picture_whose_path_it_ends_with(scan: Path, tmp_path: Path, name: str) -> None:
    def rename(row: dict[str, Any]) -> list[dict[str, Any]]:
        return [row | {"path": name}] if row["path"].endswith("real_00.jpg") else [row]

    labels = known_labels(labels_csv(tmp_path / "labels.csv", "Test/Real/a.jpg,real"), "Test")
    (row,) = read_scan(changed(scan, tmp_path / "scan", rename), labels).rows
    assert row.status is Status.ANSWERED


def test_whole_names_of_folders_are_compared(scan: Path, tmp_path: Path) -> None:
    labels = known_labels(labels_csv(tmp_path / "labels.csv", "eal/real_00.jpg,real"), "Test")
    with pytest.raises(UnmaskError, match="is of a labelled picture") as caught:
        read_scan(scan, labels)
    assert "eal/real_00.jpg" in caught.value.hint


def test_a_few_labels_are_enough_and_what_was_not_scanned_is_a_row(scan: Path, tmp_path: Path) -> None:
    rows = ["Test/Real/real_01.jpg,real", "Test/Fake/gone.jpg,1"]
    table = read_scan(scan, known_labels(labels_csv(tmp_path / "labels.csv", *rows), "Test"))
    assert [(row.path, row.label, row.failure.code if row.failure else None) for row in table.rows] == [
        ("Test/Real/real_01.jpg", 0, None),
        ("Test/Fake/gone.jpg", 1, "not-scanned"),
    ]


def test_a_clip_has_no_score_here(scan: Path, dataset: Path, tmp_path: Path) -> None:
    clips = changed(scan, tmp_path / "scan", lambda row: [row | {"kind": "clip"}])
    table = score_any(clips, dataset, PLAN)
    assert {row.failure.code for row in table.rows if row.failure} == {"clip"}
    assert not table.answered


def test_copies_of_a_picture_are_one_and_other_pictures_of_its_name_are_refused(
    scan: Path, dataset: Path, tmp_path: Path
) -> None:
    def copied(row: dict[str, Any]) -> list[dict[str, Any]]:
        return [row, row | {"path": f"copy/{row['path']}"}]

    def another(row: dict[str, Any]) -> list[dict[str, Any]]:
        return [row, row | {"path": f"copy/{row['path']}", "sha256": "another"}]

    table = score_any(changed(scan, tmp_path / "copied", copied), dataset, PLAN)
    assert table == score_any(scan, dataset, PLAN)
    with pytest.raises(UnmaskError, match="different files, and both could be Test/"):
        score_any(changed(scan, tmp_path / "another", another), dataset, PLAN)


def test_a_face_outside_training_is_known_as_such(dataset: Path, tmp_path: Path) -> None:
    bundle = write_toy_bundle(tmp_path / "toy", bias=20.0, outside_above=0.0)
    run("scan", dataset, "--out", tmp_path / "out", "--bundle", bundle, "--no-face-search", "--workers", 1)
    table = score_any(tmp_path / "out", dataset, PLAN)
    assert all(row.outside_training for row in table.answered)
    assert {row.verdict for row in table.answered} == {Verdict.UNSURE}
    assert min(row.score or 0 for row in table.answered) > Detector.load(bundle).thresholds.fake_above


def test_a_scan_that_was_stopped_is_refused(scan: Path, dataset: Path, tmp_path: Path) -> None:
    shutil.copytree(scan, tmp_path / "scan")
    (tmp_path / "scan" / "summary.json").unlink()
    with pytest.raises(UnmaskError, match="has not come to its end") as caught:
        score_any(tmp_path / "scan", dataset, PLAN)
    assert "it goes on" in caught.value.hint


def test_a_scan_without_labels_is_refused(scan: Path) -> None:
    result = run("evaluate", "--scores", scan)
    assert result.exit_code == 2
    assert "nothing says which pictures are real" in result.output
    assert "--data" in result.output


def test_a_bundle_is_no_table_of_scores(dataset: Path, toy_bundle: Path) -> None:
    with pytest.raises(UnmaskError, match="neither what a scan found nor a table"):
        evaluate_table(toy_bundle, dataset)


def test_scores_and_a_bundle_together_are_refused(scan: Path, toy_bundle: Path) -> None:
    assert "neither a bundle nor --policy" in run("evaluate", toy_bundle, "--scores", scan).output
    assert "--data" in run("evaluate", toy_bundle).output
