import pytest
from click.testing import CliRunner

from unmask.cli.main import main
from unmask.cli.moments import MOMENT
from unmask.errors import UnmaskError
from unmask.output.wording import time_text


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("0", 0.0), ("90", 90.0), ("2.5", 2.5), ("0:08", 8.0), ("1:02.5", 62.5), ("75:00", 4500.0), ("1:02:05", 3725.0),
        ("1:02:05.5", 3725.5), (time_text(7.9), 7.9), (time_text(3725.5), 3725.5),
    ],
)  # fmt: skip
def test_a_moment_is_read_as_the_card_prints_it(text, seconds):
    assert MOMENT.convert(text, None, None) == pytest.approx(seconds)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "soon",
        "1:2",
        "1:60",
        "1:99:00",
        "1:00:60",
        "-1",
        "-1:00",
        "1:-1",
        ":30",
        "1:",
        "1:2:3:04",
        "nan",
        "inf",
        "1e999",
    ],
)
def test_what_is_no_moment_is_refused(text):
    with pytest.raises(UnmaskError) as refused:
        MOMENT.convert(text, None, None)
    assert refused.value.code == "bad-part"


@pytest.mark.parametrize("option", ["--from", "--to"])
def test_the_error_names_the_option_and_what_to_write(option, tmp_path):
    result = CliRunner().invoke(main, ["check", str(tmp_path), option, "soon"])
    assert result.exit_code == 2
    assert f"{option}: soon is no moment" in result.stderr
    assert "1:02.5" in result.stderr
