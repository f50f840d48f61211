"""Content Credentials, with a manifest signed here by a certificate made here."""

import io
import json
from datetime import UTC, datetime, timedelta

import pytest
from flask.testing import FlaskClient

from unmask.serve import provenance
from unmask.serve.provenance import read_provenance

pytestmark = pytest.mark.c2pa

DRAWING = "http://cv.iptc.org/newscodes/digitalsourcetype/algorithmicMedia"


@pytest.fixture(scope="module")
def signed(face: bytes) -> bytes:
    """The drawn face with a manifest."""
    import c2pa

    chain, key = certificates()
    manifest = {
        "claim_generator_info": [{"name": "Drawing\u202e board", "version": "1"}],
        "assertions": [
            {"label": "c2pa.actions", "data": {"actions": [{"action": "c2pa.created", "digitalSourceType": DRAWING}]}}
        ],
    }
    info = c2pa.C2paSignerInfo(b"es256", chain, key, None)
    result = io.BytesIO()
    with c2pa.Builder.from_json(json.dumps(manifest)) as builder:
        builder.sign(c2pa.Signer.from_info(info), "image/jpeg", io.BytesIO(face), result)
    return result.getvalue()


def certificates() -> tuple[bytes, bytes]:
    """A chain of two and the key of the first, as PEM: C2PA takes no certificate that signs itself."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

    root_key, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    now = datetime.now(UTC)

    def name(text: str) -> x509.Name:
        return x509.Name(
            [x509.NameAttribute(NameOID.ORGANIZATION_NAME, text), x509.NameAttribute(NameOID.COMMON_NAME, text)]
        )

    def certificate(subject: str, public: ec.EllipticCurvePublicKey, *, is_root: bool) -> x509.Certificate:
        usage = dict.fromkeys(
            (
                "content_commitment",
                "key_encipherment",
                "data_encipherment",
                "key_agreement",
                "encipher_only",
                "decipher_only",
            ),
            False,
        )
        builder = (
            x509.CertificateBuilder()
            .subject_name(name(subject))
            .issuer_name(name("Test root"))
            .public_key(public)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(days=1))
            .not_valid_after(now + timedelta(days=30))
            .add_extension(x509.BasicConstraints(ca=is_root, path_length=None), critical=True)
            .add_extension(
                x509.KeyUsage(digital_signature=not is_root, key_cert_sign=is_root, crl_sign=is_root, **usage),
                critical=True,
            )
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(root_key.public_key()), critical=False)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
        )
        if not is_root:
            builder = builder.add_extension(
                x509.ExtendedKeyUsage([ExtendedKeyUsageOID.EMAIL_PROTECTION]), critical=False
            )
        return builder.sign(root_key, hashes.SHA256())

    leaf, root = (
        certificate("Test signer", key.public_key(), is_root=False),
        certificate("Test root", root_key.public_key(), is_root=True),
    )
    pem = serialization.Encoding.PEM
    return leaf.public_bytes(pem) + root.public_bytes(pem), key.private_bytes(
        pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


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
def test_whatever_a_manifest_holds_the_answer_stands(
    client: FlaskClient, face: bytes, monkeypatch: pytest.MonkeyPatch, found: str | Exception
) -> None:
    monkeypatch.setattr("c2pa.Reader", Reader(found))
    reply = client.post("/api/v1/check?provenance=c2pa", data=face + b"jumdc2pa")
    assert reply.status_code == 200
    assert reply.json["findings"][0]["provenance"]["state"] == "unreadable"


def test_a_picture_without_credentials_has_none(face: bytes) -> None:
    assert read_provenance(face, "JPEG").state == "none"


def test_without_the_package_a_manifest_is_not_checked(signed: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(provenance, "_context", lambda: None)
    assert read_provenance(signed, "JPEG").state == "unchecked"


def test_provenance_is_no_part_of_the_score(client: FlaskClient, signed: bytes, face: bytes) -> None:
    with_manifest = client.post("/api/v1/check?provenance=c2pa", data=signed).json["findings"][0]
    without = client.post("/api/v1/check?provenance=c2pa", data=face).json["findings"][0]
    assert with_manifest["provenance"]["state"] == "valid"
    assert with_manifest["score"] == without["score"]


def test_the_page_shows_who_signed(client: FlaskClient, signed: bytes) -> None:
    page = client.post("/card", data={"picture": (io.BytesIO(signed), "signed.jpg")}).text
    assert "Test signer (not checked against a trust list)" in page
    assert "Drawing board (its own words)" in page
