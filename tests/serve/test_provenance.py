"""Content Credentials in the reply and on the page."""

import io

import pytest
from flask.testing import FlaskClient

from tests.signed_picture import sign

pytestmark = pytest.mark.c2pa


@pytest.fixture(scope="module")
def signed(face: bytes) -> bytes:
    return sign(face)


def test_a_manifest_that_breaks_the_package_leaves_the_answer(
    client: FlaskClient, face: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise RuntimeError("not the package's own")

    monkeypatch.setattr("c2pa.Reader", broken)
    reply = client.post("/api/v1/check?provenance=c2pa", data=face + b"jumdc2pa")
    assert reply.status_code == 200
    assert reply.json["findings"][0]["provenance"]["state"] == "unreadable"


def test_provenance_is_no_part_of_the_score(client: FlaskClient, signed: bytes, face: bytes) -> None:
    with_manifest = client.post("/api/v1/check?provenance=c2pa", data=signed).json["findings"][0]
    without = client.post("/api/v1/check?provenance=c2pa", data=face).json["findings"][0]
    assert with_manifest["provenance"]["state"] == "valid"
    assert with_manifest["score"] == without["score"]


def test_the_page_shows_who_signed(client: FlaskClient, signed: bytes) -> None:
    page = client.post("/card", data={"picture": (io.BytesIO(signed), "signed.jpg")}).text
    assert "Test signer (not checked against a trust list)" in page
    assert "Drawing board (its own words)" in page
