from pathlib import Path

import pytest
from click.testing import CliRunner

from unmask.cli.main import main
from unmask.detector import Detector
from unmask.errors import UnmaskError
from unmask.serve import Settings, create_app
from unmask.serve.tokens import checked_token, make_token, read_tokens


def test_a_token_is_shown_once_and_only_its_hash_is_kept(tmp_path: Path) -> None:
    file = tmp_path / "tokens"
    shown = CliRunner().invoke(main, ["token", "anna", "--file", str(file)])
    token = shown.stdout.strip()
    assert checked_token(token) == token
    assert token not in file.read_text()
    assert list(read_tokens(file).values()) == ["anna"]
    assert file.stat().st_mode & 0o777 == 0o600


def test_each_named_token_is_let_in_until_its_line_is_gone(tmp_path: Path, detector: Detector) -> None:
    file = tmp_path / "tokens"
    anna, bert = make_token("anna", file), make_token("bert", file)

    def status(token: str) -> int:
        client = create_app(detector, Settings(tokens=read_tokens(file))).test_client()
        return client.get("/metrics", headers={"Authorization": f"Bearer {token}"}).status_code

    assert [status(anna), status(bert), status("")] == [200, 200, 401]
    file.write_text("".join(line for line in file.read_text().splitlines(True) if not line.startswith("anna")))
    assert [status(anna), status(bert)] == [401, 200]


def test_a_file_whose_last_line_an_editor_left_without_its_end_is_added_to(tmp_path: Path) -> None:
    file = tmp_path / "tokens"
    make_token("anna", file)
    file.write_text(file.read_text().rstrip("\n"))
    make_token("bert", file)
    assert list(read_tokens(file).values()) == ["anna", "bert"]


def test_a_file_that_an_editor_began_with_a_byte_order_mark_is_read(tmp_path: Path) -> None:
    file = tmp_path / "tokens"
    make_token("anna", file)
    file.write_bytes(b"\xef\xbb\xbf" + file.read_bytes())
    with pytest.raises(UnmaskError, match="has a token for anna already"):
        make_token("anna", file)
    file.write_bytes(b"\xef\xbb\xbf# ours\n")
    assert read_tokens(file) == {}


def test_a_file_that_is_not_there_is_refused_with_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(UnmaskError, match="There is no file") as refusal:
        read_tokens(tmp_path / "tokens")
    assert "unmask token NAME" in refusal.value.hint


def test_a_hash_from_the_file_lets_nobody_in(tmp_path: Path, detector: Detector) -> None:
    make_token("anna", tmp_path / "tokens")
    (known,) = tokens = read_tokens(tmp_path / "tokens")
    client = create_app(detector, Settings(tokens=tokens)).test_client()
    assert client.get("/metrics", headers={"Authorization": f"Bearer {known}"}).status_code == 401


@pytest.mark.parametrize("name", ["", "two words", "a\nb", "x" * 65])
def test_a_name_that_would_break_the_file_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(UnmaskError, match="no name for a token"):
        make_token(name, tmp_path / "tokens")


def test_two_tokens_of_one_name_are_refused(tmp_path: Path) -> None:
    make_token("anna", tmp_path / "tokens")
    with pytest.raises(UnmaskError, match="has a token for anna already"):
        make_token("anna", tmp_path / "tokens")


def test_a_file_of_something_else_is_refused_with_the_line(tmp_path: Path) -> None:
    (tmp_path / "tokens").write_text("# ours\n\nanna plain-secret-word\n")
    with pytest.raises(UnmaskError, match="line 3"):
        read_tokens(tmp_path / "tokens")
