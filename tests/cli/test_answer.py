import contextlib
import csv
import json
import os
import shutil
import subprocess
import sys
from datetime import datetime

import pytest
from click.testing import CliRunner

from unmask import __version__
from unmask.cli.main import main
from unmask.demo.samples import sample_jpeg
from unmask.system.lock import take_lock


@pytest.fixture
def run(toy_bundle):
    """Runs a verb with the small detector."""

    def call(verb, *arguments, stdin=None):
        options = ["--bundle", str(toy_bundle)] if verb in ("check", "demo", "doctor") else []
        return CliRunner().invoke(main, [verb, *options, *map(str, arguments)], input=stdin, catch_exceptions=False)

    return call


@pytest.fixture
def pictures(tmp_path, face_file):
    """A folder with a picture, a text, an empty file and a hidden one."""
    folder = tmp_path / "pictures"
    folder.mkdir()
    shutil.copy(face_file, folder / "face.png")
    (folder / "notes.txt").write_text("no picture at all")
    (folder / "zero.jpg").write_bytes(b"")
    (folder / ".DS_Store").write_bytes(b"desktop")
    return folder


def test_one_picture_gets_a_card_with_all_that_was_promised(run, face_file):
    result = run("check", face_file)
    assert result.exit_code == 0
    for part in ("P(fake)", "1 face:", "toy 0.1", "policy balanced", " ms"):
        assert part in result.stdout
    assert any(word in result.stdout for word in ("REAL", "UNSURE", "FAKE"))


def test_a_folder_gets_a_line_for_every_file_and_a_summary(run, pictures):
    result = run("check", pictures)
    assert result.exit_code == 1
    for name in ("face.png", "notes.txt", "zero.jpg"):
        assert name in result.stdout
    assert "3 pictures" in result.stdout
    assert "2 not readable" in result.stdout
    assert "left out: 1 hidden" in result.stdout
    assert "hint:" in result.stdout


def test_json_on_standard_output_is_one_document(run, pictures):
    result = run("check", pictures, "--json")
    document = json.loads(result.stdout)
    assert [finding["status"] for finding in document["findings"]] == ["answered", "unreadable", "unreadable"]
    assert document["summary"]["unreadable"] == 2
    assert document["unmask"] == __version__
    assert document["detector"]["real_below"] == 0.4


def test_the_streamed_json_is_the_librarys_document(run, face_file, toy_detector):
    from unmask.output.documents import document

    streamed = json.loads(run("check", face_file, "--json").stdout)
    whole = document([toy_detector.check(face_file)], toy_detector)
    for finding in (streamed["findings"][0], whole["findings"][0]):
        assert datetime.fromisoformat(finding.pop("checked")).tzinfo is not None
    assert streamed == whole


def test_csv_has_a_row_for_every_file(run, pictures, tmp_path):
    run("check", pictures, "--csv", tmp_path / "out.csv")
    with (tmp_path / "out.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["status"] for row in rows] == ["answered", "unreadable", "unreadable"]
    assert rows[0]["score"]
    assert rows[1]["score"] == ""
    assert rows[1]["failure"] == "not-a-picture"
    assert rows[2]["hint"]


def test_a_file_name_that_looks_like_a_formula_is_kept_as_text_in_csv(run, in_folder, face_file):
    shutil.copy(face_file, "=1+1.png")
    run("check", "=1+1.png", "--csv", "out.csv")
    with open("out.csv", newline="") as file:
        assert next(csv.DictReader(file))["path"] == "'=1+1.png"


def test_html_is_one_page_that_asks_for_nothing_else(run, pictures, tmp_path):
    run("check", pictures, "--html", tmp_path / "page.html")
    page = (tmp_path / "page.html").read_text()
    assert page.count("<article") == 3
    assert page.count('="data:image/jpeg;base64,') == 3
    assert "http" not in page.replace("http-equiv", "")
    assert "all<b>3</b>" in page


def test_a_file_name_is_escaped_in_html(run, in_folder, face_file):
    shutil.copy(face_file, "<script>alert(1)<.png".replace("/", ""))
    run("check", "<script>alert(1)<.png", "--html", "page.html")
    assert "<script>" not in (in_folder / "page.html").read_text()


def test_heatmaps_are_written_for_every_face(run, face_file, tmp_path):
    from unmask.image.read import read_image

    run("check", face_file, "--heatmap", tmp_path / "maps")
    (written,) = (tmp_path / "maps").iterdir()
    assert read_image(written).pixels.shape == (384, 768, 3)


def test_standard_input_names_the_pictures(run, face_file):
    result = run("check", "-", "--json", stdin=f"{face_file}\n\nmissing.jpg\n")
    assert [finding["path"] for finding in json.loads(result.stdout)["findings"]] == [str(face_file), "missing.jpg"]


def test_a_long_path_is_shortened_from_its_beginning(run, face_file, tmp_path):
    folder = tmp_path / ("a-long-name-of-a-folder/" * 5)
    folder.mkdir(parents=True)
    shutil.copy(face_file, folder / "IMG_20240714.png")
    assert "IMG_20240714.png" in run("check", folder / "IMG_20240714.png").stdout
    (folder / "notes.txt").write_text("no picture")
    assert "notes.txt" in run("check", folder / "notes.txt").stdout.replace("\n", "").replace("│ ", "").replace(
        " │", ""
    )


def test_a_line_without_a_face_says_why(run, face_file, tmp_path):
    from PIL import Image

    Image.new("RGB", (300, 300), (90, 120, 60)).save(tmp_path / "meadow.png")
    lines = run("check", face_file, tmp_path / "meadow.png").stdout.splitlines()
    assert "hint:" in next(line for line in lines if "meadow.png" in line)


def test_ctrl_c_has_an_exit_status_of_its_own(run, face_file, monkeypatch):
    def interrupted(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr("unmask.checking.examine_all", interrupted)
    result = run("check", face_file)
    assert result.exit_code == 130
    assert result.stderr.endswith("interrupted: the picture was not checked\n")


def test_ctrl_c_leaves_a_json_document_of_what_was_checked(run, pictures, monkeypatch):
    from unmask.checking import examine_all

    def interrupted(*arguments, **options):
        yield next(examine_all(*arguments, **options))
        raise KeyboardInterrupt

    monkeypatch.setattr("unmask.checking.examine_all", interrupted)
    result = run("check", pictures, "--json")
    assert result.exit_code == 130
    document = json.loads(result.stdout)
    assert (len(document["findings"]), document["summary"]["pictures"], document["interrupted"]) == (1, 1, True)
    monkeypatch.undo()
    assert "interrupted" not in json.loads(run("check", pictures, "--json").stdout)


def test_a_document_that_an_error_cut_off_says_so(run, pictures, monkeypatch):
    from unmask.errors import UnmaskError

    def failing(*_, **__):
        yield from ()
        raise UnmaskError("no", hint="none", code="no")

    monkeypatch.setattr("unmask.checking.examine_all", failing)
    result = run("check", pictures, "--json")
    assert result.exit_code == 2
    document = json.loads(result.stdout)
    assert document["interrupted"] is True
    assert document["error"] == {"code": "no", "message": "no", "hint": "none"}


def test_ctrl_c_in_a_pipe_whose_reader_is_gone_is_ctrl_c(run, face_file, monkeypatch):
    def interrupted(*_, **__):
        try:
            raise KeyboardInterrupt
        finally:
            raise BrokenPipeError

    monkeypatch.setattr("unmask.checking.examine_all", interrupted)
    monkeypatch.setattr("unmask.cli.main._drop_output", lambda: None)
    assert run("check", face_file).exit_code == 130


def test_a_pattern_is_expanded(run, pictures):
    result = run("check", f"{pictures}/*.png", "--json")
    assert json.loads(result.stdout)["summary"]["pictures"] == 1


@pytest.mark.parametrize(("answer", "status"), [("fake", 0), ("unsure", 3)])
def test_fail_on_sets_the_exit_status(run, face_file, answer, status):
    assert "UNSURE" in run("check", face_file).stdout
    assert run("check", face_file, "--fail-on", answer).exit_code == status


def test_a_picture_without_a_face_ends_with_one(run, tmp_path):
    import numpy as np

    from unmask.image.encode import encode_png

    (tmp_path / "wall.png").write_bytes(encode_png(np.full((200, 200, 3), 90, np.uint8)))
    result = run("check", tmp_path / "wall.png")
    assert result.exit_code == 1
    assert "No face found" in result.stdout
    assert run("check", tmp_path / "wall.png", "--fail-on", "no-face").exit_code == 3
    assert run("check", tmp_path / "wall.png", "--no-face-search").exit_code == 0


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["--max-faces", "0", "x.jpg"],
        ["--threads", "0", "x.jpg"],
        ["--no-such-option", "x.jpg"],
        ["--fail-on", "x", "x.jpg"],
    ],
)
def test_wrong_use_ends_with_two(run, arguments):
    assert run("check", *arguments).exit_code == 2


@pytest.mark.parametrize(
    "arguments",
    [["--bundle", "nowhere"], ["--policy", "brave"], ["--csv", "face.png/out.csv"], ["--heatmap", "face.png"]],
)
def test_a_wrong_option_ends_with_two_and_a_hint(run, in_folder, face_file, arguments):
    shutil.copy(face_file, "face.png")
    result = run("check", "face.png", *arguments)
    assert result.exit_code == 2
    assert "error: " in result.stderr
    assert "hint: " in result.stderr
    assert "Traceback" not in result.output


@pytest.mark.parametrize(
    "arguments", [["--csv", "face.png"], ["--html", "./face.png"], ["--csv", "o", "--html", "o"], ["--csv", "x/o.png"]]
)
def test_a_report_never_overwrites_a_picture_or_another_report(run, in_folder, face_file, arguments):
    shutil.copy(face_file, "face.png")
    (in_folder / "x").mkdir()
    shutil.copy(face_file, "x/o.png")
    result = run("check", "face.png", "x", *arguments)
    assert result.exit_code == 2
    assert "hint: " in result.stderr
    for kept in ("face.png", "x/o.png"):
        assert (in_folder / kept).read_bytes() == face_file.read_bytes()
    assert not (in_folder / "o").exists()


def test_a_detector_that_gives_no_number_ends_with_two_and_a_hint(tmp_path, face_file):
    from tests.toy_bundle import write_toy_bundle

    folder = write_toy_bundle(tmp_path / "broken", bias=float("nan"))
    result = CliRunner().invoke(main, ["check", str(face_file), "--bundle", str(folder)], catch_exceptions=False)
    assert result.exit_code == 2
    assert "gives no number" in result.stderr
    assert "hint: " in result.stderr


def test_a_file_name_cannot_write_over_the_terminal(run, in_folder, face_file):
    shutil.copy(face_file, "a\x1b[2Jb.png")
    result = run("check", "a\x1b[2Jb.png", "missing.jpg")
    assert "\x1b[2J" not in result.stdout


def test_a_file_name_that_is_no_text_is_reported_like_any_other(run, in_folder, face_file):
    name = os.fsdecode(b"caf\xe9.png")
    shutil.copy(face_file, name)
    result = run("check", ".", "--json", "--csv", "o.csv", "--html", "o.html")
    assert result.stderr == ""
    assert json.loads(result.stdout)["summary"]["unsure"] == 1


def copies(picture, folder, count):
    """A folder with the same picture in many files."""
    folder.mkdir()
    for number in range(count):
        shutil.copy(picture, folder / f"{number:02}-face.png")
    return folder


def test_a_reader_that_has_seen_enough_causes_no_traceback(toy_bundle, face_file, tmp_path):
    paths = copies(face_file, tmp_path / "many", 60)
    command = f"{sys.executable} -m unmask check --bundle {toy_bundle} {paths} --json | head -1"
    result = subprocess.run(command, shell=True, capture_output=True, check=False)
    assert b"Traceback" not in result.stderr
    assert b"Exception" not in result.stderr


@pytest.mark.parametrize("threads", [None, "3"])
def test_a_check_loads_numpy_with_one_thread_unless_told_otherwise(toy_bundle, face_file, threads):
    arguments = ["check", str(face_file), "--bundle", str(toy_bundle), "--json"]
    code = f"""
import os, sys
class Witness:
    def find_spec(self, name, path=None, target=None):
        if name in ("numpy", "cv2"):
            print(name, os.environ.get("OPENBLAS_NUM_THREADS"), file=sys.stderr)
sys.meta_path.insert(0, Witness())
from unmask.cli.main import main
main({arguments!r})
"""
    environment = {name: value for name, value in os.environ.items() if name != "OPENBLAS_NUM_THREADS"}
    environment |= {"OPENBLAS_NUM_THREADS": threads} if threads else {}
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, env=environment)
    assert result.stderr.split("\n")[:2] == [f"numpy {threads or 1}", f"cv2 {threads or 1}"]


def test_nothing_is_searched_for_garbage_when_a_check_ends(toy_bundle, face_file):
    arguments = ["check", str(face_file), "--bundle", str(toy_bundle), "--json"]
    # Handlers run last in, first out: this one sees what those of the check have done.
    code = f"""
import atexit, gc, sys
atexit.register(lambda: print("frozen", gc.get_freeze_count() > 0, file=sys.stderr))
from unmask.cli.main import main
main({arguments!r})
"""
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (result.returncode, result.stderr) == (0, "frozen True\n")
    assert json.loads(result.stdout)["summary"]["pictures"] == 1


def test_a_report_in_the_folder_that_is_checked_is_no_picture(run, in_folder, face_file):
    shutil.copy(face_file, "face.png")
    for _ in range(2):
        result = run("check", ".", "--json", "--overwrite", "--csv", "o.csv", "--html", "o.html", "--heatmap", "maps")
        assert json.loads(result.stdout)["summary"]["pictures"] == 1
    assert result.exit_code == 0


def test_a_name_too_long_for_any_file_is_reported_like_any_other(run, in_folder):
    result = run("check", "a" * 5000)
    assert result.exit_code == 1
    assert "NO ANSWER" in result.stdout


def test_nothing_to_check_is_no_success(run, in_folder):
    for arguments in (["."], ["-"]):
        result = run("check", *arguments)
        assert result.exit_code == 2
        assert "nothing to check" in result.stderr
        assert result.stdout == ""


def test_where_everything_is_left_out_the_error_says_so(run, in_folder):
    (in_folder / ".hidden.jpg").write_bytes(b"x")
    assert "left out: 1 hidden" in run("check", ".").stderr


def test_a_picture_named_twice_is_counted_once(run, in_folder, face_file):
    shutil.copy(face_file, "face.png")
    result = run("check", "face.png", "./face.png", ".", "--json")
    assert json.loads(result.stdout)["summary"]["pictures"] == 1


@pytest.mark.parametrize("encoding", ["ascii", "cp1252"])
def test_an_output_that_cannot_show_every_sign_still_gets_the_answer(toy_bundle, face_file, encoding):
    for paths in ([face_file], [face_file, face_file.parent]):  # a card, and lines
        arguments = ["check", "--bundle", str(toy_bundle), *map(str, paths)]
        result = CliRunner(charset=encoding).invoke(main, arguments, catch_exceptions=False)
        assert result.exit_code == 0
        assert "unsure" in result.stdout.lower()


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no /dev/full here")
@pytest.mark.parametrize("option", ["--csv", "--html"])
def test_a_full_disk_is_an_error_with_a_hint(run, face_file, option):
    result = run("check", face_file, option, "/dev/full")
    assert result.exit_code == 2
    assert "No space left" in result.stderr
    assert "hint: " in result.stderr


@pytest.mark.skipif(sys.platform == "win32", reason="needs a terminal of its own")
def test_the_progress_bar_and_the_lines_do_not_run_into_each_other(toy_bundle, face_file, tmp_path):
    import pty

    ours, theirs = pty.openpty()
    command = [
        sys.executable,
        "-m",
        "unmask",
        "check",
        "--bundle",
        toy_bundle,
        copies(face_file, tmp_path / "many", 12),
    ]
    environment = {**os.environ, "TERM": "xterm", "NO_COLOR": "1", "COLUMNS": "200"}
    with subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=theirs, env=environment):
        os.close(theirs)
        shown = b""
        with contextlib.suppress(OSError):  # how the end looks on Linux
            while part := os.read(ours, 65536):
                shown += part
    os.close(ours)
    erase, words = "\x1b[2K", shown.decode().replace("\r", "")
    assert "checking" in words
    for line in words.split("\n"):
        assert "face.png" not in line.split(erase)[-1] or "checking" not in line.split(erase)[-1]


def test_demo_writes_to_a_folder_of_any_name_and_heeds_its_options(run, in_folder):
    result = run("demo", "--out", "a[/b]", "--no-face-search")
    assert result.exit_code == 0
    assert "Its heatmap: a[/b]/0001-portrait-face1.png" in result.stdout
    assert "the whole picture taken as one face" in result.stdout


def test_demo_leaves_a_picture_of_the_same_name_alone(run, in_folder):
    picture = in_folder / "portrait.jpg"
    picture.write_bytes(b"mine")
    result = run("demo", "--out", ".")
    assert result.exit_code == 2
    assert "portrait.jpg is there already" in result.stderr
    assert "hint: " in result.stderr
    assert picture.read_bytes() == b"mine"


def test_demo_replaces_the_pictures_of_an_earlier_version_in_its_own_folder(run, in_folder):
    picture = in_folder / "unmask-demo" / "portrait.jpg"
    picture.parent.mkdir()
    picture.write_bytes(b"as it was once")
    assert run("demo").exit_code == 0
    assert picture.read_bytes() == sample_jpeg("portrait")


def test_demo_needs_nothing_and_shows_a_verdict_and_a_heatmap(run, in_folder):
    result = run("demo")
    assert result.exit_code == 0
    assert "P(fake)" in result.stdout
    assert "What is known of it: A fake" in result.stdout
    heatmaps = ["0001-portrait-face1.png", "0002-swapped-face-face1.png"]
    assert sorted(os.listdir("unmask-demo")) == [*heatmaps, "portrait.jpg", "swapped-face.jpg"]


@pytest.fixture
def raises_nothing(tmp_path):
    """A detector in whose heatmaps nothing is above zero."""
    from tests.toy_bundle import write_toy_bundle

    return write_toy_bundle(tmp_path / "raises-nothing", weight=0.0)


def test_an_empty_heatmap_is_said_to_be_empty(raises_nothing, in_folder, face_file):
    shutil.copy(face_file, "face.png")
    for arguments, words in (
        (["demo"], "Nothing in this face raised the score"),
        (["check", "face.png", "--heatmap", "maps"], "Nothing in this face raised the score"),
        (["check", "face.png", "gone.png", "--html", "o.html"], "nothing raised the score"),
    ):
        result = CliRunner().invoke(main, [*arguments, "--bundle", str(raises_nothing)], catch_exceptions=False)
        assert words in result.stdout
    assert "Nothing in this face raised the score" in (in_folder / "o.html").read_text()
    assert "raised" not in CliRunner().invoke(main, ["check", "face.png", "--bundle", str(raises_nothing)]).stdout


def test_doctor_finds_everything_in_place(run):
    result = run("doctor")
    assert result.exit_code == 0
    for part in ("numpy", "detector", "face finder", "sha256", "temporary folder"):
        assert part in result.stdout


def test_doctor_says_what_to_do_about_a_broken_detector(tmp_path):
    result = CliRunner().invoke(main, ["doctor", "--bundle", str(tmp_path)])
    assert result.exit_code == 1
    assert "hint:" in result.stdout


def test_doctor_survives_what_it_examines(run, monkeypatch):
    monkeypatch.setattr("unmask.face.finder.FaceFinder.load", lambda: _raise(ImportError("libGL.so.1: cannot open")))
    monkeypatch.setattr(os, "getcwd", lambda: _raise(FileNotFoundError(2, "gone")))
    result = run("doctor")
    assert result.exit_code == 1
    assert "libGL.so.1" in result.stdout
    assert "gone" in result.stdout


def _raise(error):
    raise error


def test_version_is_printed():
    assert __version__ in CliRunner().invoke(main, ["--version"]).stdout


LONG = "ü" * 115


def test_a_long_name_with_other_letters_gets_its_heatmap(run, in_folder, face_file):
    shutil.copy(face_file, f"{LONG}.png")
    assert run("check", f"{LONG}.png", "--heatmap", "maps").exit_code == 0
    assert os.listdir("maps") == [f"0001-{40 * 'ü'}-face1.png"]


def test_a_heatmap_that_cannot_be_written_stops_no_other_picture(run, in_folder, face_file):
    for name in ("a.png", "b.png"):
        shutil.copy(face_file, name)
    os.makedirs("maps/0001-a-face1.png/taken")
    result = run("check", "a.png", "b.png", "--heatmap", "maps", "--json", "--html", "o.html", "--csv", "o.csv")
    assert result.exit_code == 1
    first, second = json.loads(result.stdout)["findings"]
    assert [note["code"] for note in first["notes"]] == ["heatmap-not-written"]
    assert second["notes"] == []
    assert "cannot write maps/0001-a-face1.png" in result.stderr
    assert "Its heatmap is missing" in (in_folder / "o.html").read_text()
    assert "heatmap-not-written" in (in_folder / "o.csv").read_text()
    assert os.path.isfile("maps/0002-b-face1.png")


def test_an_earlier_report_is_not_overwritten_in_silence(run, in_folder, face_file):
    shutil.copy(face_file, "face.png")
    for option, file in (("--csv", "o.csv"), ("--html", "o.html")):
        (in_folder / file).write_text("an hour of work")
        result = run("check", "face.png", option, file)
        assert result.exit_code == 2
        assert "--overwrite" in result.stderr
        assert (in_folder / file).read_text() == "an hour of work"
        assert run("check", "face.png", option, file, "--overwrite").exit_code == 0
        assert "face.png" in (in_folder / file).read_text()


def test_ctrl_c_says_how_many_of_how_many_and_where_they_are(run, pictures, tmp_path, monkeypatch):
    from unmask.checking import examine_all

    def interrupted(*arguments, **options):
        yield next(examine_all(*arguments, **options))
        raise KeyboardInterrupt

    monkeypatch.setattr("unmask.checking.examine_all", interrupted)
    result = run("check", pictures, "--csv", tmp_path / "o.csv", "--html", tmp_path / "o.html")
    assert result.exit_code == 130
    assert "1 of 3 files" in result.stderr
    (rows,) = tmp_path.glob("o.csv.*.part")
    assert str(rows) in result.stderr
    assert str(tmp_path / "o.html") in result.stderr


def test_the_rows_of_a_run_that_was_killed_are_named_and_not_checked(run, face_file, tmp_path):
    folder = tmp_path / "photos"
    folder.mkdir()
    shutil.copy(face_file, folder / "face.png")
    left, others, writing = (
        folder / f"{name}.part" for name in ("o.csv.0a1b2c3d", "other.csv.0a1b2c3d", "o.csv.00000000")
    )
    for path in (left, others, writing):
        path.write_text("path\n")
    with writing.open("a") as file:
        assert take_lock(file.fileno())  # as a run that is not over yet
        result = run("check", folder, "--csv", folder / "o.csv")
    assert str(left) in result.stderr
    assert str(others) not in result.stderr
    assert str(writing) not in result.stderr
    assert left.read_text() == "path\n"
    assert left.name not in (folder / "o.csv").read_text()
    assert "face.png" in (folder / "o.csv").read_text()


@pytest.mark.skipif(not os.path.exists("/dev/null"), reason="no /dev/null here")
def test_what_keeps_nothing_takes_any_number_of_reports(run, face_file):
    assert run("check", face_file, "--csv", "/dev/null", "--html", "/dev/null").exit_code == 0


@pytest.mark.skipif(sys.platform == "win32", reason="no pipes with a name")
@pytest.mark.parametrize("option", ["--csv", "--html"])
def test_a_pipe_with_a_name_gets_the_whole_report(run, face_file, tmp_path, option):
    os.mkfifo(pipe := tmp_path / "pipe")
    with subprocess.Popen(["cat", pipe], stdout=subprocess.PIPE, text=True) as reader:
        assert run("check", face_file, option, pipe).exit_code == 0
        assert "face.png" in reader.communicate()[0]


@pytest.mark.skipif(sys.platform == "win32", reason="Windows ends a process without asking it")
def test_a_run_that_is_told_to_end_leaves_a_whole_page(toy_bundle, face_file, tmp_path):
    page = tmp_path / "o.html"
    command = [sys.executable, "-m", "unmask", "check", "--bundle", toy_bundle, "--html", page]
    paths = copies(face_file, tmp_path / "many", 300)
    with subprocess.Popen([*command, paths], stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        process.stdout.readline()  # the header stands above the first answer
        process.terminate()
        process.communicate()
    assert process.returncode == 130
    assert page.read_text().endswith("</html>")
    assert "interrupted" in page.read_text()


@pytest.mark.skipif(sys.platform == "win32", reason="no such shell")
def test_a_closed_standard_input_is_an_error_with_a_hint(toy_bundle):
    command = f"{sys.executable} -m unmask check --bundle {toy_bundle} - <&-"
    result = subprocess.run(command, shell=True, capture_output=True, text=True, check=False)
    assert result.returncode == 2
    assert result.stderr.startswith("error: standard input is closed")
    assert "hint: " in result.stderr


def test_explain_goes_on_after_a_picture_that_cannot_be_read(toy_bundle, in_folder, face_file):
    shutil.copy(face_file, f"{LONG}.png")
    (in_folder / "no\x1b[2J.png").write_text("no picture")
    arguments = ["explain", "--bundle", str(toy_bundle), "no\x1b[2J.png", f"{LONG}.png"]
    result = CliRunner().invoke(main, arguments, catch_exceptions=False)
    assert result.exit_code == 1
    assert "NO ANSWER" in result.stdout
    assert "\x1b" not in result.output
    assert os.listdir("unmask-explained") == [f"0002-{40 * 'ü'}-face1-gradcam.png"]


def test_the_verbs_are_listed_by_what_they_are_for():
    lines = CliRunner().invoke(main, ["--help"]).stdout.splitlines()
    families = [line for line in lines if line.endswith(":") and not line.startswith(" ")]
    assert families == ["Options:", "Ask about pictures:", "Train a detector:", "Judge detectors:", "Try it out:"]
    assert all(any(line.startswith(f"  {verb} ") for line in lines) for verb in main.commands)


def test_a_package_that_is_missing_is_an_error_with_a_hint(run, face_file, monkeypatch):
    def missing(*_, **__):
        raise ModuleNotFoundError("no", name="onnxruntime.capi")

    monkeypatch.setattr("unmask.detector.Detector.load", missing)
    result = run("check", face_file)
    assert result.exit_code == 2
    assert "onnxruntime" in result.stderr
    assert "doctor" in result.stderr


def test_an_error_of_many_lines_is_set_in_so_that_a_name_can_forge_no_hint(run, in_folder):
    (in_folder / "a").mkdir()
    result = run("prepare", "a\nhint: do this\x1b[2J", "--out", "out")
    assert "\nhint: do this" not in result.stderr
    assert "\x1b" not in result.stderr


@pytest.mark.skipif(sys.platform == "win32", reason="no such shell")
def test_a_closed_standard_output_is_no_traceback(toy_bundle, face_file):
    command = f"{sys.executable} -m unmask check --bundle {toy_bundle} {face_file} --json >&-"
    result = subprocess.run(command, shell=True, capture_output=True, text=True, check=False)
    assert (result.returncode, result.stderr) == (0, "")
