"""What the platform stands on, from Debian's and Python's packages on loopback: PostgreSQL, Redis, an S3 object store.

Passwords are drawn once and kept beside the data, readable by their owner alone; none stands in a command line. Not
here: Airflow and MLflow on top of it (`stack`, `services`), and containers (docker-compose.yml).
"""

import base64
import json
import os
import secrets
import shutil
import socket
import subprocess
import sys
import urllib.request
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path

SECRETS = ("postgres", "redis", "objects", "airflow", "jwt", "fernet")
PORTS = ("postgres", "redis", "s3", "master", "volume", "filer")
DATABASES = {"airflow": "CREATE DATABASE airflow", "mlflow": "CREATE DATABASE mlflow"}
USER = "shopkeel"


@dataclass(frozen=True)
class Backing:
    """One machine's backing services: their folder, passwords by service, and ports."""

    folder: Path
    passwords: dict[str, str]
    ports: dict[str, int]

    def database(self, name: str) -> str:
        """A database's address for SQLAlchemy, password included."""
        at = f"127.0.0.1:{self.ports['postgres']}/{name}"
        return f"postgresql+psycopg2://{USER}:{self.passwords['postgres']}@{at}"

    def environment(self) -> dict[str, str]:
        """What Airflow, MLflow and the pipeline read to stand on these services."""
        keys = {"AWS_ACCESS_KEY_ID": USER, "AWS_SECRET_ACCESS_KEY": self.passwords["objects"]}
        return keys | {
            "AWS_ENDPOINT_URL": f"http://127.0.0.1:{self.ports['s3']}",
            "AWS_DEFAULT_REGION": "us-east-1",
            "AIRFLOW__API_AUTH__JWT_SECRET": self.passwords["jwt"],
            "AIRFLOW__API__SECRET_KEY": self.passwords["airflow"],
            "AIRFLOW__CELERY__BROKER_URL": f"redis://:{self.passwords['redis']}@127.0.0.1:{self.ports['redis']}/0",
            "AIRFLOW__CELERY__RESULT_BACKEND": f"db+{self.database('airflow')}",
            "AIRFLOW__CELERY_BROKER_TRANSPORT_OPTIONS__VISIBILITY_TIMEOUT": "43200",
            "AIRFLOW__CORE__EXECUTOR": "CeleryExecutor",
            "AIRFLOW__CORE__FERNET_KEY": self.passwords["fernet"],
            "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": self.database("airflow"),
            "MLFLOW_ARTIFACTS_DESTINATION": "s3://mlflow",
            "MLFLOW_BACKEND_STORE_URI": self.database("mlflow"),
            "SHOPKEEL_OBJECT_STORE": "s3://snapshots",
        }

    def services(self) -> dict[str, list[str]]:
        """The command line of each service."""
        ports = [f"-{part}.port={self.ports[part]}" for part in ("s3", "master", "volume", "filer")]
        here = ["-ip=127.0.0.1", "-ip.bind=127.0.0.1", "-master.telemetry=false", "-master.volumeSizeLimitMB=64"]
        # As many volumes as the disk holds: each bucket grows by several, and eight, the default, are soon used up.
        off = ["-volume.max=0", "-s3.port.iceberg=0", "-s3.port.lance=0"]
        listen = [
            "-p",
            str(self.ports["postgres"]),
            "-c",
            "listen_addresses=127.0.0.1",
            "-c",
            "unix_socket_directories=",
        ]
        return {
            "postgres": [*_as_postgres(), _postgres("postgres"), "-D", str(self.folder / "postgres"), *listen],
            "redis": [_found("redis-server"), str(self.folder / "redis.conf")],
            "object-store": ["weed", "server", f"-dir={self.folder / 'objects'}", "-s3", *ports, *here, *off],
        }

    def are_ready(self) -> bool:
        """Whether each of the three answers; the databases are made when they are not there."""
        try:
            self._make_databases()
            with socket.create_connection(("127.0.0.1", self.ports["redis"]), 5):
                pass
            address = f"http://127.0.0.1:{self.ports['s3']}/healthz"
            with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(address, timeout=5):
                return True
        except Exception:
            return False

    def _make_databases(self) -> None:
        import psycopg2  # type: ignore[import-untyped]

        at = {"host": "127.0.0.1", "port": self.ports["postgres"], "connect_timeout": 5}
        login = {"dbname": "postgres", "user": USER, "password": self.passwords["postgres"]}
        with closing(psycopg2.connect(**at, **login)) as connection, connection.cursor() as cursor:
            connection.autocommit = True
            cursor.execute("SELECT datname FROM pg_database")
            there = {name for (name,) in cursor.fetchall()}
            for name in DATABASES.keys() - there:
                cursor.execute(DATABASES[name])


def prepare(folder: Path) -> Backing:
    """Make the services' folder, passwords and an empty database cluster, unless they stand already.

    Raises:
        SystemExit: a program is not installed.
    """
    folder.mkdir(parents=True, exist_ok=True)
    backing = Backing(
        folder, _passwords(folder / "passwords.json"), dict(zip(PORTS, free_ports(len(PORTS)), strict=True))
    )
    (folder / "objects").mkdir(exist_ok=True)
    conf = ["bind 127.0.0.1", f"port {backing.ports['redis']}", f"requirepass {backing.passwords['redis']}", 'save ""']
    _write_secret(folder / "redis.conf", "\n".join(conf) + "\n")
    data = folder / "postgres"
    if not data.exists():
        _make_cluster(data, backing.passwords["postgres"])
    return backing


def worker() -> str:
    """What a worker of this machine is called among its siblings: Airflow's hostname callable."""
    return os.environ["SHOPKEEL_WORKER"]


def free_ports(count: int) -> list[int]:
    """Ports that are free, and so is each one 10,000 above, which the object store takes too."""
    found: list[int] = []
    while len(found) < count:
        port = 10_000 + secrets.randbelow(20_000)
        with socket.socket() as one, socket.socket() as other, suppress(OSError):
            one.bind(("127.0.0.1", port))
            other.bind(("127.0.0.1", port + 10_000))
            found.append(port)
    return found


def _passwords(path: Path) -> dict[str, str]:
    if not path.exists():
        drawn = {name: base64.urlsafe_b64encode(secrets.token_bytes(32)).decode() for name in SECRETS}
        _write_secret(path, json.dumps(drawn))
    kept: dict[str, str] = json.loads(path.read_text(encoding="utf-8"))
    return kept


def _write_secret(path: Path, text: str) -> None:
    path.unlink(missing_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        file.write(text)


def _make_cluster(data: Path, password: str) -> None:
    """An empty cluster whose only user is ours, with its password asked for on every connection."""
    data.mkdir(mode=0o700)
    if os.geteuid() == 0:
        shutil.chown(data, "postgres", "postgres")
    command = [_postgres("initdb"), "-D", str(data), "-U", USER, "--auth=scram-sha-256", "--pwfile=/dev/stdin"]
    words = ["--encoding=UTF8", "--locale=C.UTF-8"]
    done = subprocess.run(
        [*_as_postgres(), *command, *words], input=f"{password}\n", capture_output=True, text=True, check=False
    )
    if done.returncode:
        shutil.rmtree(data)
        sys.exit(f"initdb failed: {done.stderr.strip()[-500:]}")


def _as_postgres() -> list[str]:
    """PostgreSQL refuses to run as root: there it runs as Debian's user, who may reach our folder still."""
    if os.geteuid():
        return []
    reach = ["--inh-caps", "+dac_override", "--ambient-caps", "+dac_override"]
    return [_found("setpriv"), "--reuid", "postgres", "--regid", "postgres", "--clear-groups", *reach]


def _postgres(program: str) -> str:
    """One of PostgreSQL's programs, which Debian keeps off the path; the newest version's."""
    versions = Path("/usr/lib/postgresql").glob(f"*/bin/{program}")
    newest = max(versions, key=lambda path: int(path.parts[-3]), default=None)
    return str(newest) if newest else _found(program)


def _found(program: str) -> str:
    path = shutil.which(program)
    if path is None:
        sys.exit(f"{program} is not installed: `apt install postgresql redis-server util-linux`")
    return path
