"""Content Credentials, with a manifest signed here by a certificate made here."""

import pytest
from tests.bad_files import encode, quarters
from tests.signed_picture import sign

from unmask.demo import draw_face
from unmask.image import provenance
from unmask.image.encode import encode_jpeg
from unmask.image.provenance import read_provenance
from unmask.image.read import read_image

pytestmark = pytest.mark.c2pa


@pytest.fixture(scope="module")
def face() -> bytes:
    return encode_jpeg(draw_face(7), 92)


@pytest.fixture(scope="module")
def signed(face: bytes) -> bytes:
    return sign(face)


def test_a_signed_picture_says_by_whom_and_with_what(signed: bytes) -> None:
    found = read_provenance(signed, "JPEG")
    assert (found.state, found.signed_by, found.trusted) == ("valid", "Test signer", False)
    assert found.made_with == "Drawing board"


def test_a_picture_changed_after_signing_is_told(signed: bytes) -> None:
    changed = bytearray(signed)
    changed[-1000] ^= 1
    found = read_provenance(bytes(changed), "JPEG")
    assert found.state == "invalid"
    assert found.signed_by is None


def test_a_manifest_that_is_no_manifest_is_told(face: bytes) -> None:
    box = b"JP\x02\x11\0\0\0\1\0\0\0\x40jumb\0\0\0\x20jumdc2pa" + b"\xff" * 40
    segment = b"\xff\xeb" + (len(box) + 2).to_bytes(2, "big") + box
    assert read_provenance(face[:2] + segment + face[2:], "JPEG").state in ("none", "unreadable")


class Reader:
    """One that finds what it is told to."""

    def __init__(self, found: str | Exception) -> None:
        self.found = found

    def __call__(self, *_: object, **__: object) -> "Reader":
        return self

    def __enter__(self) -> "Reader":
        return self

    def __exit__(self, *_: object) -> None:
        return None

    def get_validation_state(self) -> str:
        return "Valid"

    def json(self) -> str:
        if isinstance(self.found, Exception):
            raise self.found
        return self.found


@pytest.mark.parametrize(
    "found",
    [
        RuntimeError("not the package's own"),
        "{",
        "[]",
        "[" * 100_000,
        '{"active_manifest": "a", "manifests": {"a": 7}}',
        '{"active_manifest": "a", "manifests": {"a": {"signature_info": "x"}}}',
        '{"active_manifest": [], "manifests": {}}',
    ],
)
def test_whatever_a_manifest_holds_is_told_and_raises_nothing(
    face: bytes, monkeypatch: pytest.MonkeyPatch, found: str | Exception
) -> None:
    monkeypatch.setattr("c2pa.Reader", Reader(found))
    assert read_provenance(face + b"jumdc2pa", "JPEG").state == "unreadable"


def test_a_picture_without_credentials_has_none(face: bytes) -> None:
    assert read_provenance(face, "JPEG").state == "none"


def test_without_the_package_a_manifest_is_not_checked(signed: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(provenance, "_context", lambda: None)
    assert read_provenance(signed, "JPEG").state == "unchecked"


MADE = "http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia"


@pytest.mark.parametrize("format_name", ["JPEG", "PNG", "WEBP", "TIFF", "GIF", "AVIF"])
def test_a_signed_picture_that_says_it_was_made_by_ai_is_marked_in_every_format(format_name: str) -> None:
    signed = sign(encode(quarters(), format_name), f"image/{format_name.lower()}", source=MADE)
    image = read_image(signed, credentials=True)
    (mark,) = image.facts.marks
    assert (mark.says, mark.where, mark.words) == ("made", "Content Credentials", "trainedAlgorithmicMedia")
    assert image.provenance is not None
    assert image.provenance.state == "valid"


def test_a_drawing_that_a_program_made_is_told_apart(signed: bytes) -> None:
    assert [mark.says for mark in read_image(signed).facts.marks] == ["computed"]


def test_credentials_are_looked_at_where_they_are_asked_for(signed: bytes) -> None:
    assert read_image(signed).provenance is None
