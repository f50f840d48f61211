"""A picture with Content Credentials, signed by a certificate that is made here."""

import io
import json
from datetime import UTC, datetime, timedelta

DRAWING = "http://cv.iptc.org/newscodes/digitalsourcetype/algorithmicMedia"


def sign(picture: bytes, kind: str = "image/jpeg", action: str = "c2pa.created", source: str = DRAWING) -> bytes:
    """A file of a media type with a manifest of one action: made with "Drawing board", signed by "Test signer"."""
    import c2pa

    chain, key = certificates()
    manifest = {
        "claim_generator_info": [{"name": "Drawing\u202e board", "version": "1"}],
        "assertions": [
            {"label": "c2pa.actions", "data": {"actions": [{"action": action, "digitalSourceType": source}]}}
        ],
    }
    info = c2pa.C2paSignerInfo(b"es256", chain, key, None)
    result = io.BytesIO()
    with c2pa.Builder.from_json(json.dumps(manifest)) as builder:
        builder.sign(c2pa.Signer.from_info(info), kind, io.BytesIO(picture), result)
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
