"""What CI promises: fixed versions, every check, and a floor for the coverage."""

import re
import tomllib

import pytest
import yaml

import unmask
from tests.conftest import ROOT

CI = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
CHANGELOG = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def pyproject():
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def test_every_package_that_ci_installs_has_a_fixed_version(pyproject):
    extras = re.search(r"-e '\.\[([\w,-]+)\]'", CI)[1].split(",")
    wanted = [*pyproject["project"]["dependencies"]]
    for extra in extras:
        wanted += pyproject["project"]["optional-dependencies"][extra]
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    fixed = {line.partition("==")[0] for line in lines}
    names = {re.match(r"[\w.-]+", requirement)[0] for requirement in wanted}
    assert names - {"unmask"} <= fixed  # extras name each other


@pytest.mark.parametrize("command", ["ruff format --check .", "ruff check .", "mypy", "hadolint Dockerfile"])
def test_ci_runs_every_check(command):
    assert command in CI.splitlines()


def test_ci_fails_below_nine_lines_in_ten(pyproject):
    assert "--cov" in CI
    assert pyproject["tool"]["coverage"]["report"]["fail_under"] == 90


def test_the_docstrings_examples_run_with_the_tests(pyproject):
    options = pyproject["tool"]["pytest"]["ini_options"]
    assert "--doctest-modules" in options["addopts"].split()
    assert options["testpaths"] == ["tests", "src"]


def test_the_workflow_runs_everything_on_every_python_that_is_promised(pyproject):
    jobs = yaml.safe_load((ROOT / ".github" / "workflows" / "ci.yml").read_text(encoding="utf-8"))["jobs"]
    assert {"run": ".ci/run"} in jobs["everything"]["steps"]
    tried = {version for job in ("everything", "light") for version in jobs[job]["strategy"]["matrix"]["python"]}
    promised = re.findall(r"Python :: (3\.\d+)", str(pyproject["project"]["classifiers"]))
    assert tried == set(promised)


def test_no_hook_fetches_anything():
    hooks = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8"))["repos"]
    assert {repo["repo"] for repo in hooks} == {"local"}


def test_the_changelog_has_the_version_of_the_package():
    assert re.search(rf"^## \[{re.escape(unmask.__version__)}\] - 20\d\d-", CHANGELOG, re.MULTILINE)
