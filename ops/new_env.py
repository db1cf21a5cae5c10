"""Write .env with a new secret for every variable docker-compose.yml requires; one that exists stays as it is.

Beside them, which profile trains: gpu on a machine with NVIDIA's driver, else cpu.
Secrets are 32 random bytes in URL-safe base64: what Airflow's Fernet key must be, and fit for passwords in URLs.
"""

import base64
import os
import re
import secrets
import shutil
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]


def required(compose: str) -> list[str]:
    """Names of the variables that stand as ${NAME:?...}, sorted."""
    return sorted(set(re.findall(r"(?<!\$)\$\{([A-Z_]+):\?", compose)))


def main(root: Path = ROOT) -> None:
    """Write the file, readable by its owner alone.

    Raises:
        SystemExit: there is one already.
    """
    names = required((root / "docker-compose.yml").read_text(encoding="utf-8"))
    lines = [f"{name}={base64.urlsafe_b64encode(secrets.token_bytes(32)).decode()}\n" for name in names]
    lines.append(f"COMPOSE_PROFILES={'gpu' if shutil.which('nvidia-smi') else 'cpu'}\n")
    try:
        descriptor = os.open(root / ".env", os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        sys.exit(".env exists: its passwords are in the databases already; remove it and the volumes to start anew")
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.writelines(lines)
    print(f"wrote .env: {', '.join(names)}")


if __name__ == "__main__":
    main()
