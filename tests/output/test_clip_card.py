import io
from dataclasses import replace

import pytest
from rich.console import Console

from unmask.finding import (
    OUTSIDE_TRAINING,
    Box,
    ClipFacts,
    ClipFinding,
    FaceFinding,
    Finding,
    Moment,
    Note,
    PersonFinding,
    Status,
    Verdict,
)
from unmask.origin import Mark
from unmask.output.clip_card import timeline
from unmask.output.csv_table import CSV_COLUMNS, TRACE_COLUMNS, clip_rows
from unmask.output.evidence import MARK_MEANS, as_text
from unmask.output.notebook import to_frame
from unmask.output.terminal import card, line
from unmask.output.timeline_chart import HEIGHT, WIDTH, timeline_chart
from unmask.output.wording import clip_remarks, clip_text, counted, time_text
from unmask.scan.rows import row_of
from unmask.verdict import Thresholds, decide

THRESHOLDS = Thresholds(0.2, 0.8)
SQUARE = Box(0, 0, 90, 90)
SMALL = Note("small-face", "This face is only 60 px high.")


def person(scores, notes=()):
    """Seen at those whole seconds at which the score is no None."""
    outside = OUTSIDE_TRAINING in notes

    def face(score):
        verdict = decide(score, THRESHOLDS, outside_training=outside)
        return FaceFinding(SQUARE, SQUARE, 0.9, 0.0, score, verdict, notes)

    moments = [Moment(float(time), 25 * time, face(score)) for time, score in enumerate(scores) if score is not None]
    return PersonFinding(Verdict.UNSURE, 0.5, tuple(moments), (0,))


def finding(people, looked_at=(0.0, 1.0)):
    clip = ClipFacts("mp4", "h264", 640, 480, 1500, 60.0, 25.0, 2_000_000, "0" * 64)
    return ClipFinding(
        "a.mp4",
        Status.ANSWERED,
        Verdict.UNSURE,
        0.5,
        tuple(people),
        tuple(looked_at),
        clip,
        (),
        None,
        "toy 1",
        "balanced",
        1.0,
    )


def test_a_timeline_tells_the_zones_by_height_and_who_is_not_seen():
    seen = person([0.05, 0.19, 0.3, 0.7, 0.85, 0.95, None])
    assert timeline(seen, [float(time) for time in range(7)], THRESHOLDS).plain == "▁▂▄▅▇█·"


def test_a_long_timeline_is_drawn_by_the_mean_of_neighbours():
    scores = [0.9, 0.1] * 64
    seen, times = person(scores), [float(time) for time in range(128)]
    assert timeline(seen, times, THRESHOLDS).plain == "▅" * 32
    console = Console(width=80, file=io.StringIO())
    console.print(card(finding([seen], times), THRESHOLDS, details=""))
    assert "▅" * 32 + "  128 samples" in console.file.getvalue()


def test_a_face_unlike_the_training_pictures_is_not_drawn_as_fake():
    """Neither alone nor among others; those that are called fake still are."""
    outside, plain = person([0.97, 0.05, 0.97], (OUTSIDE_TRAINING,)), person([0.97, 0.05, 0.97])
    times = [0.0, 1.0, 2.0]
    assert timeline(outside, times, THRESHOLDS).plain == "▅▁▅"
    assert timeline(plain, times, THRESHOLDS).plain == "█▁█"
    times = [float(time) for time in range(64)]
    assert timeline(person([0.97] * 64, (OUTSIDE_TRAINING,)), times, THRESHOLDS).plain == "▅" * 32
    assert timeline(person([0.97] * 64), times, THRESHOLDS).plain == "█" * 32


def test_a_face_unlike_the_training_pictures_is_not_called_fake_in_a_timeline():
    chart = timeline_chart(finding([person([0.1, 0.97], (OUTSIDE_TRAINING,))]), 0, THRESHOLDS)
    assert chart.lines[0][1].says == "0:01.0: unsure, P(fake) 0.97"
    assert "2 samples: 1 real, 1 unsure; the highest, 0.97" in chart.label


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.04, "0:00.0"), (59.96, "1:00.0"), (3599.97, "1:00:00.0"), (61.25, "1:01.2")]
)
def test_moments_are_minutes_and_seconds(seconds, text):
    assert time_text(seconds) == text


def test_a_remark_of_half_of_the_samples_is_made_once_for_a_person():
    many, few = person([0.5] * 4, (SMALL,)), person([0.5] * 4)
    assert clip_remarks(finding([many])) == [f"in 4 of 4 samples: {SMALL.message}"]
    assert clip_remarks(finding([few, many])) == [f"Person 2: in 4 of 4 samples: {SMALL.message}"]


def test_the_facts_of_a_clip_in_words():
    text = clip_text(finding([]).clip, 32)
    assert text == "mp4, h264, 640 x 480, 1:00.0, 25 frames a second, 2.0 MB; 32 of 1,500 frames looked at"


def test_what_the_file_says_of_itself_stands_above_the_verdict(toy_detector):
    mark = Mark("made", "ComfyUI", "Metadata prompt", "{}")
    plain = finding([person([0.5] * 4)])
    marked = replace(plain, clip=replace(plain.clip, marks=(mark,)))
    sentence, quote = "The file itself says that it was made by AI: ComfyUI (Metadata prompt).", "Metadata prompt: “{}”"

    def shown_card(one):
        console = Console(width=100, file=io.StringIO())
        console.print(card(one, THRESHOLDS, details=""))
        return console.file.getvalue()

    text, page = as_text(marked, toy_detector), marked._repr_html_()
    for shown in (shown_card(marked), text):
        assert shown.index(sentence) < shown.index(quote) < shown.index("UNSURE")
        assert MARK_MEANS in shown
    assert sentence in page
    assert "says that it was made by AI" in line(marked).plain
    place = CSV_COLUMNS.index("marks")
    assert {row[place] for row in clip_rows(marked)} == {"made: ComfyUI (Metadata prompt)"}
    assert {row[place] for row in clip_rows(replace(marked, people=()))} == {"made: ComfyUI (Metadata prompt)"}
    for shown in (
        shown_card(plain),
        as_text(plain, toy_detector),
        plain._repr_html_(),
        line(plain).plain,
    ):
        assert "made by AI" not in shown


def test_what_is_said_of_a_person_stands_in_every_line_about_the_clip():
    few = Note("few-samples", "Seen in one sample only.")
    one = finding([replace(person([0.5, 0.5], (SMALL,)), notes=(few,))])
    row, table, listed = row_of(one, "a.mp4", "0"), to_frame([one]), list(clip_rows(one))
    assert row["notes"] == ["few-samples"]
    assert list(table["notes"]) == ["few-samples"]
    assert line(one).plain.endswith("few-samples")
    assert {cells[CSV_COLUMNS.index("notes")] for cells in listed} == {"few-samples;small-face"}


@pytest.mark.parametrize("name", [":heart:.mp4", "[bold]a.mp4"])
def test_the_name_above_a_card_is_no_markup(name):
    one = replace(finding([]), path=name)
    picture = Finding(name, Status.NO_FACE, None, None, (), None, (), None, "toy 1", "balanced", 0.1)
    for shown in (card(one, THRESHOLDS, details=""), card(picture, THRESHOLDS, details="")):
        console = Console(width=80, file=io.StringIO())
        console.print(shown)
        assert name in console.file.getvalue()


def test_pictures_and_clips_are_counted_apart():
    assert [counted(*numbers) for numbers in ((0,), (2,), (3, 2), (1, 1))] == [
        "0 pictures",
        "2 pictures",
        "1 picture and 2 clips",
        "1 clip",
    ]


def test_everybody_who_was_judged_is_shown():
    console = Console(width=100, file=io.StringIO())
    console.print(card(finding([person([0.5] * 4)] * 12), THRESHOLDS, details=""))
    assert all(f"person {number} " in console.file.getvalue() for number in range(1, 13))


def test_every_row_of_a_clip_has_all_cells():
    rows = list(clip_rows(finding([person([0.5, 0.6]), person([0.1])])))
    assert {len(row) for row in rows} == {len(CSV_COLUMNS) - len(TRACE_COLUMNS)}
    assert [row[CSV_COLUMNS.index("person")] for row in rows] == [1, 1, 2]
    (none,) = clip_rows(finding([]))
    assert len(none) == len(CSV_COLUMNS) - len(TRACE_COLUMNS)


def test_the_line_of_a_timeline_breaks_where_the_person_is_not_seen():
    seen = person([0.2, 0.4, None, 0.6])
    lines = timeline_chart(finding([seen], looked_at=(0.0, 1.0, 2.0, 3.0)), 0, THRESHOLDS).lines
    assert [len(line) for line in lines] == [2, 1]
    assert lines[0][0].y > lines[0][1].y > lines[1][0].y
    assert 0 < lines[0][0].x < lines[1][0].x < WIDTH


def test_a_dot_at_0_or_1_is_drawn_whole():
    seen = person([0.0, 1.0])
    ((first, last),) = timeline_chart(finding([seen], looked_at=(0.0, 1.0)), 0, THRESHOLDS).lines
    largest = 13 / 2  # half of a decisive dot's width, see the style sheets
    for dot in (first, last):
        assert largest < dot.y < HEIGHT - largest


def test_the_zones_of_a_timeline_fill_it_and_meet_at_the_thresholds():
    seen = person([THRESHOLDS.fake_above, THRESHOLDS.real_below])
    chart = timeline_chart(finding([seen], looked_at=(0.0, 1.0)), 0, THRESHOLDS)
    fake, unsure, real = chart.zones
    assert [zone.verdict for zone in chart.zones] == ["fake", "unsure", "real"]
    assert (fake.top, real.top + real.height) == (0, HEIGHT)
    assert [dot.y for dot in chart.lines[0]] == pytest.approx([unsure.top, real.top])


def test_a_timeline_says_in_words_what_it_shows():
    seen = person([0.05, 0.5, 0.97])
    chart = timeline_chart(finding([seen], looked_at=(0.0, 1.0, 2.0)), 0, THRESHOLDS)
    assert chart.label == (
        "P(fake) of person 1 over time, 3 samples: 1 real, 1 unsure, 1 fake; the highest, 0.97, at 0:02.0"
    )
    assert chart.lines[0][2].says == "0:02.0: fake, P(fake) 0.97"
