"""The wheel: what `pip install send-queue` brings."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from configparser import ConfigParser
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_the_wheel_holds_the_sql_and_the_entry_points(tmp_path: Path) -> None:
    """Each file of sql/ is in the wheel byte for byte, where schema.py looks; so are types and commands."""
    build = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation"]
    subprocess.run([*build, "--wheel-dir", tmp_path, ROOT], check=True, capture_output=True, text=True, cwd=tmp_path)
    [file] = tmp_path.glob("send_queue-*.whl")
    with zipfile.ZipFile(file) as wheel:
        names = set(wheel.namelist())
        shipped = {
            name.removeprefix("send_queue/"): wheel.read(name) for name in names if name.startswith("send_queue/sql/")
        }
        [entry_points] = [name for name in names if name.endswith("/entry_points.txt")]
        declared = ConfigParser()
        declared.read_string(wheel.read(entry_points).decode())

    assert {str(path.relative_to(ROOT)): path.read_bytes() for path in (ROOT / "sql").rglob("*.sql")} == shipped
    assert {"send_queue/py.typed", "send_queue/__main__.py", "send_queue/demo/people.csv"} <= names
    assert {"send_queue/insight/report/page.html.j2", "send_queue/insight/report/style.css"} <= names
    assert [name for name in names if name.startswith("tests")] == []
    assert declared["console_scripts"]["send-queue"] == "send_queue.cli:main"
    assert {"unipile", "log"} <= set(declared["send_queue.providers"])
