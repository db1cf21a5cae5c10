"""What ad platforms take instead of a name: the plain SHA-256 of a normalised e-mail address.

Such a hash can be reversed by trying addresses, so it is made last, for one file, and kept nowhere else. Not here: the
floors of the platforms (`floors`) and whose address may be hashed at all (`consent`).
"""

import hashlib

DOTLESS = ("gmail.com", "googlemail.com")

# The header of the one column; None where a platform's file has no header.
HEADERS: dict[str, str | None] = {
    "google": "Email", "linkedin": "email", "meta": "email", "pinterest": None, "snapchat": None, "tiktok": None,
}  # fmt: skip


def normalised(email: str, platform: str) -> str | None:
    """An address as the platform hashes it on its side; None for what is no address.

    All lower their case and trim; Google, too, takes dots and +tags out of its own mail's names.

    Source: the platforms' help pages on customer lists.
    """
    name, at, domain = email.strip().lower().rpartition("@")
    if not (name and at and "." in domain) or any(sign.isspace() for sign in name + domain):
        return None
    if platform == "google" and domain in DOTLESS:
        name = name.split("+")[0].replace(".", "")
    return f"{name}@{domain}" if name else None


def hashed(email: str, platform: str) -> str | None:
    """The hash that stands for an address, 64 hex digits; None for what is no address."""
    plain = normalised(email, platform)
    return None if plain is None else hashlib.sha256(plain.encode()).hexdigest()
