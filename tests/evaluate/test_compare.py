"""Several detectors side by side, ours and those of other tools."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from tests.evaluate.conftest import make_table, write_dataset
from unmask.cli.main import main
from unmask.errors import UnmaskError
from unmask.evaluate import run
from unmask.evaluate.compare import align, compare_aligned, compare_scores
from unmask.evaluate.plots import curves_plot, risk_coverage_plot
from unmask.evaluate.report import write_comparison
from unmask.evaluate.run import Plan, compare, score_any
from unmask.evaluate.scores import write_scores


def test_what_a_person_should_know_of_the_pictures_is_said_once(tmp_path: Path, toy_bundle: Path) -> None:
    split = write_dataset(tmp_path / "data", per_class=2)
    (split / "Fake (2)").mkdir()
    result = CliRunner().invoke(
        main, ["compare", str(toy_bundle), str(toy_bundle), "--data", str(split), "--out", str(tmp_path / "out")]
    )
    assert result.exit_code == 0, result.output
    assert result.output.count("note: Fake (2) was left aside") == 1


def test_bundles_and_tables_stand_side_by_side(split_folder: Path, toy_bundle: Path, tmp_path: Path) -> None:
    lines = ["path,label,score"]
    for label, name in enumerate(("Real", "Fake")):
        lines += [f"Test/{name}/{name.lower()}_{number:02}.jpg,{label},0.{number + label}" for number in range(8)]
    (tmp_path / "peer.csv").write_text("\n".join(lines) + "\n")
    result = CliRunner().invoke(
        main,
        ["compare", str(toy_bundle), str(tmp_path / "peer.csv"), "--data", str(split_folder), "--out", str(tmp_path)],
    )
    assert result.exit_code == 0, result.output
    assert "16 pictures" in result.output
    content = json.loads((tmp_path / "compare.json").read_text(), parse_constant=pytest.fail)
    assert [one["name"] for one in content["detectors"]] == ["toy 0.1", "peer"]
    assert content["left_out"]["toy 0.1"] == 2
    page = (tmp_path / "compare.html").read_text()
    assert "toy 0.1" in page
    assert "peer" in page


def test_tables_alone_need_no_pictures(tmp_path: Path) -> None:
    for number, gap in enumerate((1.0, 3.0, 5.0)):
        write_scores(make_table(150, seed=number, gap=gap, name=f"d{number}"), tmp_path / f"{number}.csv")
    found = compare([tmp_path / f"{number}.csv" for number in range(3)], plan=run.Plan(replicates=50))
    areas = [evaluation.measures["roc_auc"].value for evaluation in found.evaluations]
    assert areas == sorted(areas)
    assert found.tests[0] is None
    assert found.tests[2] is not None
    assert found.tests[2].difference < 0
    assert "<td>balanced: 0.30, 0.70</td>" in write_comparison(found, tmp_path / "out").read_text(encoding="utf-8")


def test_only_shared_pictures_are_compared() -> None:
    found = compare_scores([make_table(100), make_table(60, seed=1, name="other", failed=2)], replicates=20)
    assert found.shared == 60
    assert found.left_out == {"invented 1": 40, "other": 2}
    assert all(evaluation.counts.answered == 60 for evaluation in found.evaluations)


def test_groups_of_one_table_serve_all() -> None:
    bare = make_table(60, seed=1, name="bare")
    bare = replace(bare, rows=tuple(replace(row, group="", source="", method="") for row in bare.rows))
    found = compare_scores([bare, make_table(60)], replicates=20)
    assert found.evaluations[0].counts.groups == 20


def test_each_table_adds_what_the_others_do_not_know() -> None:
    sources = make_table(60, seed=1, name="sources")
    sources = replace(sources, rows=tuple(replace(row, group="", method="") for row in sources.rows))
    found = compare_scores([sources, make_table(60)], replicates=20)
    assert all(evaluation.counts.groups == 20 for evaluation in found.evaluations)


def test_detectors_of_one_name_are_told_apart() -> None:
    found = compare_scores([make_table(40), make_table(40, seed=1)], replicates=20)
    assert [evaluation.table.detector for evaluation in found.evaluations] == ["invented 1 (1)", "invented 1 (2)"]


def test_the_legend_names_the_detector_of_each_policy(monkeypatch: pytest.MonkeyPatch) -> None:
    from matplotlib.figure import Figure

    legends: list[Any] = []
    draw_legend = Figure.legend

    def remember(figure: Figure, *arguments: Any, **settings: Any) -> Any:
        legends.append(draw_legend(figure, *arguments, **settings))
        return legends[-1]

    monkeypatch.setattr(Figure, "legend", remember)
    found = compare_scores([make_table(40), make_table(40, seed=1, name="_peer")], replicates=20)
    assert risk_coverage_plot(found.evaluations) is not None
    assert curves_plot(found.evaluations) is not None
    answers, curves = ([text.get_text() for text in legend.get_texts()] for legend in legends)
    assert answers == ["invented 1", "invented 1, policy balanced", "_peer", "_peer, policy balanced"]
    assert [name.partition(":")[0] for name in curves] == ["invented 1", "_peer"]


def test_a_test_that_does_not_exist_has_a_reason() -> None:
    import numpy as np

    real = np.zeros(20, dtype=int)
    found = compare_scores([make_table(20, labels=real), make_table(20, labels=real, seed=1)], replicates=20)
    assert found.tests[1] is None
    assert "real" in found.reasons[1]


def test_tables_that_share_no_picture_are_refused() -> None:
    other = make_table(10)
    other = replace(other, rows=tuple(replace(row, path=f"elsewhere/{row.path}") for row in other.rows))
    with pytest.raises(UnmaskError) as caught:
        compare_scores([make_table(10), other])
    assert caught.value.code == "no-shared-pictures"


def test_tables_that_disagree_on_the_truth_are_refused() -> None:
    other = make_table(10)
    other = replace(other, rows=tuple(replace(row, label=1 - row.label) for row in other.rows))
    with pytest.raises(UnmaskError) as caught:
        compare_scores([make_table(10), other])
    assert caught.value.code == "labels-differ"


def test_one_detector_is_nothing_to_compare(tmp_path: Path) -> None:
    with pytest.raises(UnmaskError) as caught:
        compare([tmp_path / "one.csv"])
    assert caught.value.code == "too-few"


def test_a_bundle_needs_pictures(toy_bundle: Path) -> None:
    with pytest.raises(UnmaskError) as caught:
        compare([toy_bundle, toy_bundle])
    assert caught.value.code == "no-dataset"


@pytest.mark.parametrize("data", [None, Path("Dataset")])
def test_a_mistyped_name_is_not_called_a_bundle(tmp_path: Path, data: Path | None) -> None:
    with pytest.raises(UnmaskError, match=r"there is no .*scroes\.csv") as caught:
        score_any(tmp_path / "scroes.csv", data, Plan())
    assert caught.value.code == "no-scores"


def test_logits_and_probabilities_are_not_ranked_together() -> None:
    whole = make_table(40)
    some = replace(
        whole, rows=tuple(replace(row, logit=None) if number % 2 else row for number, row in enumerate(whole.rows))
    )
    none = replace(whole, rows=tuple(replace(row, logit=None) for row in whole.rows))
    found, expected = (compare_aligned(*align([table, make_table(40, seed=1)])) for table in (some, none))
    assert found.first == expected.first


def test_groups_of_pictures_are_one_observation_each() -> None:
    found = compare_aligned(*align([make_table(100, failed=2), make_table(120, seed=1, gap=1.0)]))
    assert found.clustered
    assert found.first > found.second
    assert found.p_value < 0.01


def test_a_table_that_cannot_be_read_is_refused_before_anything_is_scored(
    split_folder: Path, toy_bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run, "score_pictures", lambda *_, **__: pytest.fail("scored first"))
    (tmp_path / "bad.csv").write_text("nothing of use\n")
    with pytest.raises(UnmaskError):
        run.evaluate(toy_bundle, split_folder, against=tmp_path / "bad.csv")
