"""A certificate for Google's hosts, from an authority that nobody else trusts."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

HOSTS = ("*.googleapis.com", "*.p.googleapis.com")


def make_certificate(folder: Path, authority: Path) -> Path:
    """Write a key with its certificate into `folder`, and the authority's into `authority`.

    The authority has no key identifiers, like those of many networks.
    """
    now = dt.datetime.now(dt.UTC)
    authority_key, key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    issuer = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "a throw-away authority")])
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "stand-in")])

    def certificate(
        name: x509.Name, public: ec.EllipticCurvePublicKey, extension: x509.ExtensionType
    ) -> bytes:
        made = (
            x509.CertificateBuilder()
            .issuer_name(issuer)
            .subject_name(name)
            .public_key(public)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - dt.timedelta(days=1))
            .not_valid_after(now + dt.timedelta(days=1))
            .add_extension(extension, critical=isinstance(extension, x509.BasicConstraints))
            .sign(authority_key, hashes.SHA256())
        )
        return made.public_bytes(serialization.Encoding.PEM)

    constraints = x509.BasicConstraints(ca=True, path_length=None)
    authority.write_bytes(certificate(issuer, authority_key.public_key(), constraints))
    names = x509.SubjectAlternativeName([x509.DNSName(each) for each in HOSTS])
    file = folder / "stand-in.pem"
    file.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        + certificate(subject, key.public_key(), names)
    )
    return file
