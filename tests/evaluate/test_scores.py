"""Tables of scores, and their way to a file and back."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.evaluate.conftest import make_table
from unmask.errors import UnmaskError
from unmask.evaluate.scores import read_scores, write_scores
from unmask.finding import Status, Verdict
from unmask.stats.inputs import UndefinedMeasureError


def test_a_table_survives_the_file_bit_for_bit(tmp_path: Path) -> None:
    table = make_table(40, failed=3)
    write_scores(table, tmp_path / "scores.csv")
    back = read_scores(tmp_path / "scores.csv")
    assert back.detector == table.detector
    assert back.policy == table.policy
    assert back.thresholds == table.thresholds
    for one, other in zip(back.rows, table.rows, strict=True):
        assert (one.path, one.label, one.status, one.score, one.verdict) == (
            other.path, other.label, other.status, other.score, other.verdict,
        )  # fmt: skip
        assert (one.source, one.method, one.group) == (other.source, other.method, other.group)
        assert one.logit is other.logit is None or np.float32(one.logit) == np.float32(other.logit)


def test_what_is_outside_training_survives_the_file_and_is_not_called_fake(tmp_path: Path) -> None:
    table = make_table(40)
    table = replace(table, rows=tuple(replace(row, outside_training=row.label == 1) for row in table.rows))
    write_scores(table, tmp_path / "scores.csv")
    back = read_scores(tmp_path / "scores.csv")
    assert [row.outside_training for row in back.rows] == [row.outside_training for row in table.rows]
    assert Verdict.FAKE not in {row.verdict for row in back.rows if row.outside_training}
    assert back.judged().called_fake.tolist() == [row.verdict is Verdict.FAKE for row in back.rows]


def test_failed_pictures_are_rows_with_a_reason(tmp_path: Path) -> None:
    write_scores(make_table(4, failed=1), tmp_path / "scores.csv")
    last = (tmp_path / "scores.csv").read_text().splitlines()[-1]
    assert "unreadable" in last
    assert "truncated,the file ends early" in last
    assert "nan" not in last


def test_three_columns_of_another_tool_are_enough(tmp_path: Path) -> None:
    (tmp_path / "peer.csv").write_text("path,label,score\na.jpg,real,0.2\nb.jpg,1,0.9\nc.jpg,fake,\nd.jpg,0,nan\n")
    table = read_scores(tmp_path / "peer.csv")
    assert table.detector == "peer"
    assert [row.verdict for row in table.answered] == [Verdict.REAL, Verdict.FAKE]
    assert [row.status for row in table.failed] == [Status.UNREADABLE] * 2
    assert table.logits() is None
    assert table.groups() is None


def test_logits_of_another_tool_become_scores(tmp_path: Path) -> None:
    (tmp_path / "peer.csv").write_text("path,label,logit\na.jpg,0,-2\nb.jpg,1,0\n")
    table = read_scores(tmp_path / "peer.csv")
    assert table.rows[0].score == pytest.approx(1 / (1 + np.exp(2)))
    assert table.rows[1].score == 0.5


def test_a_status_of_another_tool_hides_no_logit(tmp_path: Path) -> None:
    lines = [
        "path,label,logit,status",
        "a.jpg,0,-2,ok",
        "b.jpg,1,2,answered",
        "c.jpg,1,2,no-face",
        "d.jpg,1,2,unreadable",
    ]
    (tmp_path / "peer.csv").write_text("\n".join(lines) + "\n")
    table = read_scores(tmp_path / "peer.csv")
    assert [row.status for row in table.rows] == [Status.ANSWERED] * 2 + [Status.NO_FACE, Status.UNREADABLE]


def test_a_byte_order_mark_is_no_part_of_the_first_column(tmp_path: Path) -> None:
    (tmp_path / "peer.csv").write_bytes(b"\xef\xbb\xbfpath,label,score\r\na.jpg,0,0.5\r\n")
    assert read_scores(tmp_path / "peer.csv").rows[0].path == "a.jpg"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("path,label\na,0\n", "columns"),
        ("path,label,score\n", "no rows"),
        ("path,label,score\na,2,0.5\n", "label"),
        ("path,label,score\na,0,high\n", "line 2"),
        ("path,label,score\na,0,3.5\n", "logit"),
        ("path,label,score\na,0,0.5\na,0,0.6\n", "again"),
        ("path,label,score\na,0,0.5\n,0,0.6\n", "line 3: it names no path"),
        ("path,label,score\n  ,1,0.6\n", "line 2: it names no path"),
        ('path,label,score\n"a\nb",0,0.5\n,0,0.6\n', "line 4: it names no path"),
        ("label,score,path\n0,0.5\n", "line 2: it names no path"),
        ("path,label,score,real_below,fake_above\na,0,0.5,low,0.7\n", "line 2"),
    ],
)
def test_tables_that_cannot_be_read_are_refused(tmp_path: Path, text: str, words: str) -> None:
    (tmp_path / "bad.csv").write_text(text)
    with pytest.raises(UnmaskError, match=words) as caught:
        read_scores(tmp_path / "bad.csv")
    assert caught.value.code == "bad-scores"


def test_a_missing_table_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UnmaskError) as caught:
        read_scores(tmp_path / "gone.csv")
    assert caught.value.code == "no-scores"


def test_a_table_without_answers_cannot_be_judged() -> None:
    with pytest.raises(UndefinedMeasureError):
        make_table(0, failed=2).judged()


def test_a_place_that_cannot_be_written_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UnmaskError) as caught:
        write_scores(make_table(2), tmp_path / "file" / "scores.csv")
    assert caught.value.code == "bad-output"
