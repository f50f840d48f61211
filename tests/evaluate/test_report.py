"""The report's files: whole, self-contained, and honest about what is missing."""

from __future__ import annotations

import csv
import json
import re
import shutil
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from tests.evaluate.conftest import make_table
from tests.toy_bundle import write_toy_bundle
from unmask.cli.main import main
from unmask.errors import UnmaskError
from unmask.evaluate.evaluation import evaluate_scores
from unmask.evaluate.gallery import choose
from unmask.evaluate.pages import PLOTS
from unmask.evaluate.plots import curves_plot, reliability_plot, risk_coverage_plot, scores_plot
from unmask.evaluate.report import Report, as_dict, as_html, draw, write_report
from unmask.evaluate.run import Plan, evaluate
from unmask.evaluate.scores import ScoreTable, read_scores
from unmask.evaluate.statements import counted, estimate_text, how_chosen, not_known, summary
from unmask.stats.intervals import Estimate
from unmask.verdict import Thresholds


def report_of(table: ScoreTable) -> Report:
    return Report(
        evaluation=evaluate_scores(table, replicates=50),
        data="Test",
        detector=None,
        notes=("A note.",),
        made="2026-01-01",
        hardware="a test",
        seconds=1.0,
    )


class _Outside(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.links: list[str] = []

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.links += [value or "" for name, value in attributes if name in ("src", "href")]


@pytest.fixture(scope="module")
def written(split_folder: Path, toy_bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A report with everything in it."""
    out = tmp_path_factory.mktemp("report")
    arguments = ["evaluate", str(toy_bundle), "--data", str(split_folder), "--out", str(out), "--explanations"]
    result = CliRunner().invoke(main, [*arguments, "--against", str(toy_bundle), "--robustness-pictures", "8"])
    assert result.exit_code == 0, result.output
    assert "real pictures" in result.output
    return out


def test_all_files_are_there(written: Path) -> None:
    assert {path.name for path in written.iterdir()} == {"report.html", "report.json", "scores.csv", "plots"}
    names = {path.stem for path in (written / "plots").iterdir()}
    assert {"scores", "confusion", "curves", "reliability", "risk_coverage", "robustness"} <= names
    for name in names:
        assert (written / "plots" / f"{name}.png").read_bytes().startswith(b"\x89PNG")
        assert b"<svg" in (written / "plots" / f"{name}.svg").read_bytes()


def test_plots_of_an_earlier_report_do_not_stay(written: Path, tmp_path: Path) -> None:
    shutil.copytree(written / "plots", tmp_path / "plots")
    assert {file.stem for file in written.glob("plots/*")} == set(PLOTS["report"])
    (tmp_path / "plots" / "mine.png").write_bytes(b"")
    drawn = {plot.name for plot in draw(report_of(make_table(60)))}
    write_report(report_of(make_table(60)), tmp_path)
    assert {file.name for file in tmp_path.glob("plots/*.png")} == {f"{name}.png" for name in (*drawn, "mine")}
    assert {file.stem for file in tmp_path.glob("plots/*.svg")} == drawn


def test_the_page_needs_nothing_but_itself(written: Path) -> None:
    text = (written / "report.html").read_text(encoding="utf-8")
    parser = _Outside()
    parser.feed(text)
    assert parser.links
    assert all(link.startswith(("data:", "#")) for link in parser.links)
    assert not re.search(r"url\(|@import|<script", text)


def test_the_page_leads_with_wrong_accusations(written: Path) -> None:
    text = (written / "report.html").read_text(encoding="utf-8")
    assert text.index("real pictures, ") < text.index("area under the ROC curve")
    assert "does not know" in text
    assert "Over all deliveries together" in text
    assert "weighted average" in text


def test_the_json_has_no_nan_and_every_measure_or_a_reason(written: Path) -> None:
    content = json.loads((written / "report.json").read_text(), parse_constant=pytest.fail)
    assert content["data"]["pictures"] == 18
    assert content["data"]["answered"] == 16
    names = [row["name"] for row in content["classification_report"]]
    assert names == ["real", "fake", "macro average", "weighted average"]
    assert len(content["robustness"]) > 10
    assert content["robustness_overall"]["flip_rate"]["n"] == 8 * (len(content["robustness"]) - 1)
    assert content["robustness_overall"]["share_of_clean"] > 0
    assert content["against"]["delong"]["difference"] == 0
    for one in content["measures"].values():
        assert one["value"] is not None or one["reason"]


def test_scores_have_one_row_a_picture_with_failed_ones(written: Path) -> None:
    with (written / "scores.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 18
    assert sum(row["status"] == "unreadable" for row in rows) == 2
    assert len(read_scores(written / "scores.csv").answered) == 16


def test_the_gallery_can_be_left_out(split_folder: Path, toy_bundle: Path) -> None:
    plan = Plan(robustness=False, replicates=20)
    shown = evaluate(toy_bundle, split_folder, plan=plan)
    hidden = evaluate(toy_bundle, split_folder, plan=replace(plan, gallery=False))
    assert "image/jpeg" in as_html(shown, ())
    assert "image/jpeg" not in as_html(hidden, ())


def test_what_is_chosen_at_one_half_is_called_that(written: Path) -> None:
    text = (written / "report.html").read_text(encoding="utf-8")
    assert "<h3>Wrong at P(fake) 0.5, the most confident first</h3>" in text
    assert "<h3>Right at P(fake) 0.5, drawn at random</h3>" in text
    assert "fakes with P(fake) above 0.5" in text or "no fake has P(fake) above 0.5" in text


def test_the_policy_reaches_the_report(split_folder: Path, toy_bundle: Path) -> None:
    plan = Plan(robustness=False, gallery=False, replicates=20, policy="careful")
    assert as_dict(evaluate(toy_bundle, split_folder, plan=plan))["policy"] == {
        "name": "careful",
        "real_below": 0.1,
        "fake_above": 0.9,
    }


@pytest.mark.parametrize(
    "table",
    [
        make_table(0, failed=3),
        make_table(1),
        make_table(10, labels=np.zeros(10, dtype=int)),
        replace(make_table(8), rows=tuple(replace(row, score=0.5, logit=0.0) for row in make_table(8).rows)),
        replace(make_table(8), rows=tuple(replace(row, source="", method="", group="") for row in make_table(8).rows)),
    ],
    ids=["no answers", "one picture", "one class", "one score", "no manifest"],
)
def test_odd_sets_still_get_a_whole_report(table: ScoreTable, tmp_path: Path) -> None:
    page = write_report(report_of(table), tmp_path).read_text()
    assert "How this was made" in page
    visible = re.sub(r"data:[^\"]+", "", page)
    assert not re.search(r"\bnan\b|\binf\b|None", visible)
    json.loads((tmp_path / "report.json").read_text(), parse_constant=pytest.fail)


def test_a_detector_without_numbers_gets_a_report(split_folder: Path, tmp_path: Path) -> None:
    broken = write_toy_bundle(tmp_path / "broken", bias=float("inf"))
    report = evaluate(broken, split_folder, plan=Plan(explanations=True))
    assert "Not one picture was answered" in as_html(report, draw(report))


def test_a_table_against_counts_only_what_both_answered(split_folder: Path, toy_bundle: Path, tmp_path: Path) -> None:
    # A table of another tool: no groups, no answer for one picture, and one picture more than ours.
    lines = ["path,label,score", "Test/Real/elsewhere.jpg,0,0.1", "Test/Real/real_00.jpg,0,"]
    for label, name in enumerate(("Real", "Fake")):
        lines += [f"Test/{name}/{name.lower()}_{number:02}.jpg,{label},0.{number + label}" for number in range(1, 8)]
    (tmp_path / "peer.csv").write_text("\n".join(lines) + "\n")
    plan = Plan(robustness=False, gallery=False, replicates=20)
    report = evaluate(toy_bundle, split_folder, plan=plan, against=tmp_path / "peer.csv")
    against = report.against
    assert against is not None
    both = against.both
    assert both is not None
    assert (both.shared, both.given, both.unanswered) == (14, (18, 16), (2, 1))
    for evaluation in both.evaluations:
        assert evaluation.counts.pictures == 14
        assert evaluation.counts.groups == report.evaluation.counts.groups
    assert report.evaluation.counts.answered == 16
    drawn = draw(report)
    assert "against_curves" in {plot.name for plot in drawn}
    page = as_html(report, drawn)
    assert "14 pictures were answered by both" in page
    assert "was given 16 and left 1 unanswered" in page


def test_a_table_of_other_pictures_leaves_the_rest_of_the_report(
    split_folder: Path, toy_bundle: Path, tmp_path: Path
) -> None:
    (tmp_path / "peer.csv").write_text("path,label,score\nelsewhere.jpg,0,0.1\n")
    plan = Plan(robustness=False, gallery=False, replicates=20)
    report = evaluate(toy_bundle, split_folder, plan=plan, against=tmp_path / "peer.csv")
    assert "no picture was answered by all of them" in as_html(report, ())


def test_a_threshold_is_not_rounded_to_a_certainty() -> None:
    table = replace(make_table(60), thresholds=Thresholds(0.1439, 0.99970))
    assert "<em>real</em> below 0.14, <em>fake</em> above 0.9997," in as_html(report_of(table), ())
    assert scores_plot(table).alt.endswith("Below 0.14 the answer is real, above 0.9997 fake.")


def test_names_of_files_cannot_break_the_page() -> None:
    table = make_table(6, failed=1)
    rows = tuple(replace(row, path="<script>alert(1)</script>", source="<b>") for row in table.rows)
    assert "<script>" not in as_html(report_of(replace(table, rows=rows)), ())


def test_scores_without_logits_are_not_said_to_be_scaled() -> None:
    table = make_table(60)
    bare = replace(table, rows=tuple(replace(row, logit=None) for row in table.rows))
    for each, how in ((table, "after temperature scaling"), (bare, "as given")):
        plot = reliability_plot(evaluate_scores(each, replicates=20))
        assert plot is not None
        assert plot.alt.endswith(f" {how}.")
        assert f"<!-- {how} -->".encode() in plot.svg


def test_plots_are_the_same_every_time() -> None:
    table = make_table(60)
    assert scores_plot(table).svg == scores_plot(table).svg


@pytest.mark.parametrize("name", ["_mine", r"US$5 to $9", r"$\frac$"])
def test_names_stand_in_plots_as_they_are(name: str) -> None:
    judged = evaluate_scores(replace(make_table(60), detector=name), replicates=20)
    for plot in (curves_plot([judged]), risk_coverage_plot([judged])):
        assert plot is not None
        assert f"<!-- {name}".encode() in plot.svg


def test_the_hatching_of_the_fakes_is_as_opaque_in_the_svg_as_its_lines() -> None:
    svg = scores_plot(make_table(60)).svg.decode()
    hatched = re.findall(r'style="([^"]*fill: url[^"]*)"', svg)
    assert hatched
    assert not any("opacity" in style for style in hatched)


def test_a_reason_in_a_wide_table_may_take_several_lines() -> None:
    table = make_table(60)
    rows = tuple(replace(row, group=row.source) for row in table.rows)
    page = as_html(report_of(replace(table, rows=rows)), ())
    slices = page[page.index('id="slices"') :]
    assert '<td class="why">0.951 (too few groups for an interval)</td>' in slices
    assert ".wide td.why { white-space: normal;" in page


def test_what_is_wider_than_a_phone_says_so() -> None:
    page = as_html(report_of(make_table(60)), ())
    phone = page[page.index("@media screen and (max-width: 40rem)") :]
    assert '.plot::before, .wide::before { content: "Swipe sideways' in phone
    assert ".wide tbody th, .wide thead th:first-child { position: sticky;" in phone


def test_numbers_are_shown_with_their_interval_or_reason() -> None:
    assert estimate_text(Estimate("accuracy", 0.91, 0.88, 0.935, 10)) == "91.0 % (88.0 to 93.5)"
    assert estimate_text(Estimate("roc_auc", 0.91, 0.88, 0.935, 10)) == "0.910 (0.880 to 0.935)"
    assert estimate_text(Estimate("roc_auc", None, None, None, 0, "one class")) == "– (one class)"
    assert estimate_text(Estimate("accuracy", 0.5, None, None, 3, "too few")) == "50.0 % (too few)"


def test_the_summary_names_the_worst_and_the_failed() -> None:
    sentences = " ".join(summary(evaluate_scores(make_table(200, failed=2), replicates=20)))
    assert "hardest" in sentences
    assert "2 of 202 pictures got no answer; see scores.csv." in sentences


def test_the_summary_begins_with_labels_that_are_the_other_way_round() -> None:
    table = make_table(200)
    swapped = replace(table, rows=tuple(replace(row, label=1 - row.label) for row in table.rows))
    assert "labels" in summary(evaluate_scores(swapped, replicates=20))[0]
    assert "labels" not in summary(evaluate_scores(table, replicates=20))[0]


def test_the_summary_says_that_all_scores_are_the_same() -> None:
    table = make_table(40)
    rows = tuple(replace(row, score=0.5, logit=0.0) for row in table.rows)
    assert "Every picture got the same score, 0.500" in " ".join(
        summary(evaluate_scores(replace(table, rows=rows), replicates=20))
    )
    assert "same score" not in " ".join(summary(evaluate_scores(table, replicates=20)))


@pytest.mark.parametrize(("label", "word"), [(0, "real"), (1, "fake")])
def test_a_report_of_one_class_says_so_and_measures_no_calibration(label: int, word: str) -> None:
    report = report_of(make_table(40, labels=np.full(40, label)))
    assert summary(report.evaluation)[0].startswith(f"These are {word} pictures only")
    assert report.evaluation.measures["calibration_error"].reason == f"all 40 pictures are {word}"
    assert report.evaluation.reliability is None
    assert reliability_plot(report.evaluation) is None
    assert f"Not measured: all 40 pictures are {word}" in as_html(report, ())


@pytest.mark.parametrize("split", ["Train", "Validation"])
def test_a_report_on_pictures_that_choices_were_made_on_warns_in_its_headline(split: str) -> None:
    report = replace(report_of(make_table(40)), split=split)
    page = as_html(report, ())
    assert summary(report.evaluation, split=split)[0].startswith(f"Warning: these are {split} pictures")
    assert page.index(f"Warning: these are {split} pictures") < page.index("were called fake")
    assert "chooses nothing" not in page


def test_a_report_on_test_does_not_warn() -> None:
    report = replace(report_of(make_table(40)), split="Test", chosen_by="Validation (40 pictures)")
    page = as_html(report, ())
    assert "Warning" not in page
    assert "a Test split, on which Unmask chooses nothing" in page
    assert "How its thresholds were chosen: Validation (40 pictures)." in page
    assert "Nothing says that" not in page


def test_a_report_claims_no_calibration_that_was_not_made(split_folder: Path, toy_bundle: Path) -> None:
    report = evaluate(toy_bundle, split_folder, plan=Plan(robustness=False, gallery=False, replicates=20))
    page = as_html(report, ())
    assert (report.split, report.chosen_by) == ("Test", "hand")
    assert "How its thresholds were chosen: hand. Nothing says that" in page
    assert "fitted on Validation" not in page
    assert "a temperature of 1, which changes nothing" in page
    assert "(20 resamplings)" in page


def test_a_bundle_without_validation_pictures_is_not_called_calibrated() -> None:
    said = " ".join(how_chosen("Test", "nothing: no Validation pictures were given"))
    assert "chosen: nothing: no Validation pictures were given. Nothing says that" in said


def test_nothing_is_said_of_how_fakes_were_made_where_there_are_none() -> None:
    table = make_table(40, labels=np.zeros(40, dtype=int))
    assert "fakes were made" not in " ".join(not_known(evaluate_scores(table, replicates=20)))


def test_what_is_not_known_names_what_was_judged() -> None:
    sentences = " ".join(not_known(evaluate_scores(make_table(), replicates=20)))
    assert "paint and swap only" in sentences
    assert "not measured here" in sentences


def test_what_is_not_known_counts_pictures_that_name_no_source_or_no_method() -> None:
    table = make_table(120)
    rows = tuple(replace(row, source="", method="") if row.source == "street" else row for row in table.rows)
    sentences = " ".join(not_known(evaluate_scores(replace(table, rows=rows), replicates=20)))
    assert "on fakes made by swap, and on 30 of no named method. How it does" in sentences
    assert "60 of 120 pictures name no source, the others come from studio;" in sentences


def test_a_source_of_one_class_is_not_called_too_small() -> None:
    table = make_table(240)
    rows = [replace(row, source="phone") if row.source == "street" and not row.label else row for row in table.rows]
    few = [replace(row, source="web", path=f"web/{row.path}") for row in table.rows if row.label][:19]
    sentences = " ".join(not_known(evaluate_scores(replace(table, rows=(*rows, *few)), replicates=20)))
    assert "Too few pictures to judge: web." in sentences


def test_the_report_names_what_its_intervals_count() -> None:
    table = make_table(40)
    rows = tuple(replace(row, group="") if row.source == "street" else row for row in table.rows)
    report = report_of(replace(table, rows=rows))
    said = counted(report.evaluation)
    assert "studio (20 pictures in 13 groups)" in said
    assert "In street it counts pictures, each as independent of the others." in said
    assert said in as_html(report, ())
    assert as_dict(report)["intervals_count"] == said


def test_wrong_accusations_are_told_source_by_source() -> None:
    table = make_table(80)
    rows = tuple(replace(row, score=0.9 if row.source == "street" else 0.1) for row in table.rows)
    found = evaluate_scores(replace(table, rows=rows), replicates=20)
    said = next(sentence for sentence in summary(found) if sentence.startswith("By source of the real pictures"))
    assert said.index("street 100.0 %") < said.index("studio 0.0 %")


def test_pictures_without_groups_count_one_by_one() -> None:
    table = make_table(8)
    rows = tuple(replace(row, group="") for row in table.rows)
    assert counted(evaluate_scores(replace(table, rows=rows), replicates=20)).startswith(
        "Every interval counts pictures"
    )


def test_the_gallery_shows_the_most_confident_mistakes_first() -> None:
    table = make_table(200)
    right, wrong = choose(table)
    assert len(right) == len(wrong) == 5
    confidence = [abs((table.rows[index].score or 0) - 0.5) for index in wrong]
    assert confidence == sorted(confidence, reverse=True)
    for index in [*right, *wrong]:
        row = table.rows[index]
        assert (((row.score or 0) > 0.5) == (row.label == 1)) == (index in right)


def test_a_place_that_cannot_be_written_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("unmask.evaluate.report.draw", lambda _: ())
    (tmp_path / "file").write_text("")
    with pytest.raises(UnmaskError) as caught:
        write_report(report_of(make_table(8)), tmp_path / "file")
    assert caught.value.code == "bad-output"


def test_the_report_says_what_it_was_made_with() -> None:
    content = as_dict(report_of(make_table(20)))
    assert content["hardware"] == "a test"
    assert content["made"] == "2026-01-01"
    assert content["data"]["notes"] == ["A note."]


def test_a_wrong_folder_is_refused_with_a_hint(toy_bundle: Path, tmp_path: Path) -> None:
    result = CliRunner().invoke(main, ["evaluate", str(toy_bundle), "--data", str(tmp_path / "gone")])
    assert result.exit_code == 2
    assert "hint:" in result.output
