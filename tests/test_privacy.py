"""Nothing leaves the machine, and nothing is written but what was asked for.

Each program below runs as a user's would: with an empty home folder, or with none that can be written to, and without the
variables by which some libraries notice that they are in CI. Python's own audit hooks see what Python code opens and connects
to; `strace` sees the libraries behind it, too.
"""

import http.client
import json
import os
import pwd
import re
import shutil
import signal
import subprocess
import sys
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.waiting import PATIENCE, until
from unmask.system.private import keep_keras_out_of_home

# Runs a program, and writes down each file that is opened to be written to and each use of a network.
AUDITED = """
import os, sys, runpy
log = os.open(os.environ.pop("AUDIT_LOG"), os.O_WRONLY | os.O_CREAT | os.O_APPEND)
NETWORK = ("socket.connect", "socket.sendto", "socket.sendmsg", "socket.getaddrinfo", "socket.gethostbyname", "socket.bind")
def hook(event, arguments):
    named = event == "open" and not isinstance(arguments[0], int)
    if named and (arguments[2] or 0) & (os.O_WRONLY | os.O_RDWR | os.O_CREAT):
        os.write(log, f"write {os.path.abspath(os.fsdecode(arguments[0]))}\\n".encode())
    elif event in NETWORK:
        address = arguments if event.startswith("socket.get") else arguments[1:]
        os.write(log, f"{event} {address}\\n".encode())
sys.addaudithook(hook)
print("process", os.getpid(), file=sys.stderr, flush=True)
sys.argv = sys.argv[1:]
if sys.argv[0].endswith(".py"):
    runpy.run_path(sys.argv[0], run_name="__main__")
else:
    runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
"""
LIBRARY = """
import sys, unmask
assert unmask.check(sys.argv[1]).score is not None
"""
LEARNING = """
import sys
from unmask.cli.main import main
data = sys.argv[1]
for command in (
    ["train", "--data", data, "--out", "out/run", "--epochs", "1", "--batch-size", "16"],
    ["export", "out/run", "--out", "out/bundle"],
    ["evaluate", "out/bundle", "--data", data, "--out", "out/report", "--no-robustness"],
):
    main(command, standalone_mode=False)
"""
KEPT = ("PATH", "PYTHONPATH", "VIRTUAL_ENV", "SYSTEMROOT", "LANG")
# Not files: devices, and names that a process gives to its own threads.
NO_FILES = ("/dev/", "/proc/self/", "/proc/thread-self/")


@dataclass(frozen=True)
class Trace:
    """What a program did.

    Attributes:
        folder: Where it ran; what it was told to write goes into `out` there.
        audit: Lines of the audit hook.
        calls: Lines of strace; empty where there is none.
        stderr: What it said.
    """

    folder: Path
    audit: list[str]
    calls: list[str]
    stderr: str

    @property
    def opened(self) -> set[str]:
        """Files that Python code opened to write to, but for those it was told to write and temporary ones."""
        return self._foreign(line.removeprefix("write ") for line in self.audit if line.startswith("write "))

    @property
    def opened_by_libraries(self) -> set[str]:
        """The same, seen by strace."""
        found = (re.search(r'openat\(\S+ "([^"]+)", (\S+?)[,)].* = \d', call) for call in self.calls)
        writing = (match[1] for match in found if match and re.search("O_WRONLY|O_RDWR|O_CREAT", match[2]))
        return self._foreign(os.path.abspath(self.folder / name) for name in writing)

    @property
    def left(self) -> list[str]:
        """Files that are there afterwards, but for those it was told to write."""
        files = (
            path.relative_to(self.folder).as_posix() for path in self.folder.rglob("*") if path.name != "audit.log"
        )
        return sorted(
            name for name in files if name.split("/")[0] != "out" and name not in ("home", "tmp", "strace.log")
        )

    def _foreign(self, names) -> set[str]:
        own = tuple(f"{self.folder}/{name}/" for name in ("out", "tmp"))
        watched = {f"{self.folder}/audit.log"}
        return {name for name in names if not f"{name}/".startswith((*own, *NO_FILES))} - watched


def start(folder, *command, home="home"):
    """The program under both watches."""
    for name in ("out", "tmp", "home"):
        (folder / name).mkdir(parents=True)
    if home == "none":
        (folder / "home").rmdir()
        (folder / "home").touch()  # a file: nobody can write below it, not even root
    strace = shutil.which("strace")
    watch = ["strace", "-f", "-qq", "--seccomp-bpf", "-e", "trace=network,openat", "-s", "300", "-o", "strace.log"]
    environment = {name: os.environ[name] for name in KEPT if name in os.environ}
    environment |= {
        "HOME": str(folder / "home"),
        "TMPDIR": str(folder / "tmp"),
        "AUDIT_LOG": str(folder / "audit.log"),
        "PYTHONDONTWRITEBYTECODE": "1",
        "TF_CPP_MIN_LOG_LEVEL": "3",
    }
    return subprocess.Popen(
        [*(watch if strace else []), sys.executable, "-c", AUDITED, *map(str, command)],
        cwd=folder,
        env=environment,
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        text=True,
    )


def finish(folder, process, allowed=(0,)):
    _, stderr = process.communicate(timeout=4 * PATIENCE)
    assert process.returncode in allowed, stderr
    calls = (folder / "strace.log").read_text().splitlines() if shutil.which("strace") else []
    return Trace(folder, (folder / "audit.log").read_text().splitlines(), calls, stderr)


def check(folder, face_file, home):
    reports = ["--html", "out/o.html", "--csv", "out/o.csv", "--heatmap", "out/maps"]
    return finish(folder, start(folder, "unmask", "check", face_file, *reports, home=home))


def check_clips(folder, face_file, home):
    """Of a video and of an animation, which are decoded in a process of their own."""
    from tests.video import clips

    folder.mkdir(parents=True)
    for name, data in (("a.mp4", clips.video()), ("b.gif", clips.animation("GIF"))):
        (folder.parent / name).write_bytes(data)
    reports = ["--html", "out/o.html", "--csv", "out/o.csv", "--heatmap", "out/maps", "--no-face-search"]
    places = [folder.parent / "a.mp4", folder.parent / "b.gif"]
    return finish(folder, start(folder, "unmask", "check", *places, *reports, home=home))


def check_playlists(folder, face_file, home):
    """Files that name a clip on another machine (an address that is nobody's, RFC 5737); none is read."""
    folder.mkdir(parents=True)
    texts = {
        "a.m3u8": "#EXTM3U\n#EXTINF:1,\nhttp://192.0.2.1/a.ts\n",
        "b.ffconcat": "ffconcat version 1.0\nfile 'http://192.0.2.1/a.ts'\n",
        "c.pls": "[playlist]\nFile1=http://192.0.2.1/a.ts\n",
    }
    for name, text in texts.items():
        (folder.parent / name).write_text(text)
    command = ["unmask", "check", *(folder.parent / name for name in texts), "--csv", "out/o.csv"]
    return finish(folder, start(folder, *command, home=home), (1,))


def library(folder, face_file, home):
    program = folder.with_suffix(".py")
    program.write_text(LIBRARY)
    return finish(folder, start(folder, program, face_file, home=home))


def serve(folder, face_file, home):
    from tests.video import clips

    process = start(folder, "unmask", "serve", "--port", "0", home=home)
    own, port = None, None
    for line in process.stderr:
        own = own or re.match(r"process (\d+)", line)
        port = re.search(r"http://[^ ]+:(\d+)", line)
        if port:
            break
    with closing(http.client.HTTPConnection("127.0.0.1", int(port[1]), timeout=PATIENCE)) as connection:
        connection.request("POST", "/api/v1/check", face_file.read_bytes(), {"Content-Type": "image/png"})
        connection.getresponse().read()
        connection.request("POST", "/api/v1/clips", clips.animation("GIF"))
        address = json.loads(connection.getresponse().read())["id"]

        def is_answered():
            connection.request("GET", f"/api/v1/clips/{address}")
            return json.loads(connection.getresponse().read())["state"] == "done"

        until(is_answered)
    os.kill(int(own[1]), signal.SIGTERM)
    return finish(folder, process, (0, -signal.SIGTERM, 128 + signal.SIGTERM))


@pytest.fixture(
    scope="module",
    params=[
        pytest.param((check, "home"), id="check"),
        pytest.param((check, "none"), id="check, no home"),
        pytest.param((check_clips, "home"), id="check of clips", marks=pytest.mark.video),
        pytest.param((check_playlists, "home"), id="check of playlists"),
        pytest.param((library, "none"), id="library, no home"),
        pytest.param((serve, "home"), id="serve"),
    ],
)
def answering(request, face_file, tmp_path_factory):
    """The light half."""
    run, home = request.param
    return run(tmp_path_factory.mktemp("private") / "run", face_file, home)


@pytest.fixture(scope="module")
def learning(prepared, tmp_path_factory):
    """The heavy half."""
    folder = tmp_path_factory.mktemp("private") / "run"
    program = folder.with_suffix(".py")
    program.write_text(LEARNING)
    return finish(folder, start(folder, program, prepared))


def test_answering_leaves_no_file_but_what_it_was_told_to_write(answering):
    assert answering.left == []
    assert answering.opened == set()


def test_answering_says_nothing_of_a_home_that_cannot_be_written_to(answering):
    assert "warn" not in answering.stderr.lower()
    assert "home" not in answering.stderr.lower().replace(str(answering.folder).lower(), "")


def test_answering_asks_no_other_machine(answering):
    assert asked(answering) == []


@pytest.mark.strace
def test_answering_calls_nobody_and_writes_nothing_behind_pythons_back(answering):
    assert answering.opened_by_libraries == set()
    assert calls_out(answering) == []


@pytest.mark.train
def test_learning_leaves_no_file_but_what_it_was_told_to_write(learning):
    assert (learning.folder / "out" / "bundle" / "model.onnx").is_file()
    assert (learning.folder / "out" / "report").is_dir()
    assert learning.left == []
    assert learning.opened == set()


@pytest.mark.train
def test_learning_asks_no_other_machine(learning):
    assert asked(learning) == []


@pytest.mark.train
@pytest.mark.strace
def test_learning_calls_nobody_and_writes_nothing_behind_pythons_back(learning):
    assert learning.opened_by_libraries == set()
    assert calls_out(learning) == []


def asked(trace):
    """Uses of a network, but for what listens on this machine alone."""
    network = [line for line in trace.audit if line.startswith("socket.")]
    local = re.compile(r"socket\.(bind|getaddrinfo) .*('127\.0\.0\.1'|'::1'|'localhost')")
    return [line for line in network if not local.match(line)]


def calls_out(trace):
    """Calls that reach for another machine; sockets of one machine (AF_UNIX) and the server's own are not among them."""
    reaching = re.compile(r"\b(connect|sendto|sendmsg|sendmmsg)\(.*AF_INET")
    return [call for call in trace.calls if reaching.search(call)]


def test_the_runtime_is_imported_in_one_place_only():
    pattern = re.compile(r"^\s*(import|from) onnxruntime", re.MULTILINE)
    places = [
        path.relative_to(ROOT).as_posix()
        for folder in ("src", "benchmarks")
        for path in (ROOT / folder).rglob("*.py")
        if pattern.search(path.read_text(encoding="utf-8"))
    ]
    assert places == ["src/unmask/system/private.py"]


def test_an_account_without_a_home_folder_is_no_error(monkeypatch):
    def unknown(_):
        raise KeyError

    monkeypatch.setattr(os, "environ", {})
    monkeypatch.setattr(pwd, "getpwuid", unknown)
    keep_keras_out_of_home()
    assert os.environ["KERAS_HOME"] == "/dev/null/keras"
