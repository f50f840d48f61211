import io

import pytest
from rich.console import Console

from unmask.output.progress import Progress


@pytest.fixture
def terminal():
    return Console(file=io.StringIO(), force_terminal=True, width=100, no_color=True)


def test_a_terminal_sees_what_is_done_how_much_of_how_much_and_how_fast(terminal):
    with Progress(terminal) as show:
        show("reading", 0, 2000)
        show("reading", 1000, 2000)
    text = terminal.file.getvalue()
    assert "reading" in text
    assert "1,000 of 2,000" in text
    assert "/s" in text


def test_another_thing_takes_the_place_of_the_last(terminal):
    with Progress(terminal) as show:
        show("reading", 5, 5)
        show("writing", 1, 5)
    last = terminal.file.getvalue().split("\x1b[2K")[-2]
    assert "writing" in last
    assert "reading" not in last


def test_numbers_of_the_job_stand_in_place_of_the_rate(terminal):
    with Progress(terminal) as show:
        show("Epoch 1", 1, 5, numbers="loss [0.5]")
    assert "loss [0.5]" in terminal.file.getvalue()


def test_the_display_goes_away_with_the_job(terminal):
    with Progress(terminal) as show:
        show("reading", 1, 5)
    assert terminal.file.getvalue().endswith("\x1b[2K")


@pytest.mark.parametrize("hidden", [True, False])
def test_nothing_is_shown_where_it_is_hidden_or_no_terminal_is_there(hidden, capsys):
    with Progress(hidden=hidden) as show:
        show("reading", 1, 5)
    assert capsys.readouterr() == ("", "")


def test_a_line_that_stays_is_printed_also_without_a_terminal(capsys):
    with Progress() as show:
        show.print("Epoch 1 [done]")
    assert capsys.readouterr().err == "Epoch 1 [done]\n"
