"""`python -m send_queue.sandbox --port 0 --journal FILE`: print the URL, serve until SIGTERM or SIGINT."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from send_queue.sandbox import JournalDamaged, JournalInUse, Sandbox, read_faults, serve


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m send_queue.sandbox", description="Imitate the providers.")
    parser.add_argument("--port", type=int, default=0, help="0, the default: any free port")
    parser.add_argument(
        "--journal", type=Path, default=Path("sandbox-journal.jsonl"), help="the file for accepted sends"
    )
    parser.add_argument("--faults", type=Path, help="a JSON list of initial faults")
    parser.add_argument("--api-key", help="the only valid key (default: any key)")
    parser.add_argument("--no-sync", action="store_true", help="do not wait for the disk, for benchmarks")
    parser.add_argument("--redirect-profiles", action="store_true", help="301 on a profile without its last slash")
    parser.add_argument("--viewer-scoped-ids", action="store_true", help="404 for an id that another account found")
    given = parser.parse_args()
    try:
        sandbox = Sandbox(
            given.journal,
            given.port,
            api_key=given.api_key,
            faults=read_faults(given.faults.read_bytes()) if given.faults else (),
            sync=not given.no_sync,
            redirect_profiles=given.redirect_profiles,
            viewer_scoped_ids=given.viewer_scoped_ids,
        )
        serve(sandbox)
    except (JournalInUse, JournalDamaged, ValueError, OSError) as error:
        print(f"The sandbox cannot start: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
