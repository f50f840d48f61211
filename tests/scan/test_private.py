"""Ray, which reports to its maker by default, asks nobody when a scan starts it."""

import re
import socket
import tempfile
from pathlib import Path

import pytest

from tests.test_privacy import finish, start

pytestmark = [pytest.mark.scan, pytest.mark.ray, pytest.mark.strace]


def is_of_this_machine(address):
    with socket.socket() as trial:
        try:
            trial.bind((address, 0))
        except OSError:
            return False
    return True


@pytest.fixture
def short_folder():
    """The path of a socket, deep below it, has 107 letters at most."""
    with tempfile.TemporaryDirectory(prefix="ray-") as name:
        yield Path(name)


def test_ray_reaches_for_no_other_machine_and_leaves_the_home_alone(face_file, toy_bundle, short_folder):
    options = ["--bundle", toy_bundle, "--ray", "local", "--workers", "1"]
    folder = short_folder / "run"
    trace = finish(folder, start(folder, "unmask", "scan", face_file, "--out", "out/results", *options))
    reaching = [call for call in trace.calls if re.search(r"\b(connect|sendto|sendmsg|sendmmsg)\(", call)]
    reached = {address for call in reaching for address in re.findall(r'inet_addr\("([\d.]+)"\)', call)}
    # To learn its own address it connects a datagram socket, which sends nothing.
    assert {address for address in reached if not is_of_this_machine(address)} <= {"8.8.8.8"}
    assert not [call for call in reaching if re.search(r"\bsend\w*\(.*8\.8\.8\.8", call)]
    assert not any((folder / "home").iterdir())
