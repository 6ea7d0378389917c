"""What is in deploy/: the manifests are what Kubernetes takes, their commands are ours and do what they say, their
times fit together, and the image is built from what is there.

No cluster and no container is started here. What needs a docker daemon is asked for by SEND_QUEUE_TEST_DOCKER=1.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
import venv
from collections.abc import Iterator, Mapping
from copy import deepcopy
from datetime import timedelta
from importlib.metadata import entry_points
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import kubernetes_validate  # type: ignore[import-untyped]  # it ships no types
import psycopg
import pytest
import yaml  # type: ignore[import-untyped]  # its types are a package of their own
from command_line import parse
from conftest import Cli

from acceptance.conftest import DAY, MINUTE, MONDAY, Json, Queue
from send_queue.core import run
from send_queue.providers.oauth.renew import RULES
from send_queue.rules.vault import VARIABLE
from send_queue.sandbox import Sandbox
from send_queue.store import schema

ROOT = Path(__file__).parents[2]
KUBERNETES = ROOT / "deploy/kubernetes"
EXAMPLE = KUBERNETES / "secret.example.yaml"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]

OLDEST = "1.29"
"""The first Kubernetes that has all that we use: backoffLimitPerIndex, in the parallel shard."""

START = timedelta(seconds=60)
"""What is allowed for a pod to be placed, its image to be pulled and Python to start: the Job's deadline counts it."""


class Manifest(NamedTuple):
    path: Path
    body: Json

    def __str__(self) -> str:
        return f"{self.path.relative_to(KUBERNETES)}:{self.body['metadata']['name']}"

    @property
    def job(self) -> Json:
        """The Job's spec, be it in a CronJob or not."""
        spec: Json = self.body["spec"]
        return spec["jobTemplate"]["spec"] if self.body["kind"] == "CronJob" else spec

    @property
    def pod(self) -> Json:
        pod: Json = self.job["template"]["spec"]
        return pod

    @property
    def container(self) -> Json:
        [container] = self.pod["containers"]
        assert isinstance(container, dict)
        return container

    @property
    def words(self) -> list[str]:
        words: list[str] = self.container["args"]
        return words


def manifests(*kinds: str) -> list[Manifest]:
    found = []
    for path in sorted(KUBERNETES.rglob("*.yaml")):
        for body in yaml.safe_load_all(path.read_text()):
            if body["kind"] in kinds or (not kinds and body["kind"] != "Kustomization"):
                found.append(Manifest(path, body))
    return found


JOBS = manifests("CronJob", "Job")
CRON = manifests("CronJob")
BESIDE = {"tokens": {"tokens"}, "pages": {"metrics", "report"}}
"""The folders that are applied beside the senders, and their commands."""
SENDERS = [m for m in CRON if m.words[0] in ("run", "run-once")]


# --- what Kubernetes takes --------------------------------------------------------------------------------


@pytest.mark.parametrize("version", [OLDEST, kubernetes_validate.latest_version()])
@pytest.mark.parametrize("manifest", manifests(), ids=str)
def test_a_manifest_fits_the_schema(manifest: Manifest, version: str) -> None:
    """Each manifest is what that Kubernetes describes, with no field that it does not know."""
    kubernetes_validate.validate(manifest.body, version, strict=True)


@pytest.mark.parametrize("wrong", [{"concurrencyPolicy": 3}, {"concurrency": "Allow"}, {"schedule": None}])
def test_a_manifest_that_does_not_fit_would_be_found(wrong: Json) -> None:
    """A wrong type, an unknown field and a missing one are refused, or the test above would prove nothing."""
    body = deepcopy(CRON[0].body)
    body["spec"] |= wrong
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(body, kubernetes_validate.latest_version(), strict=True)


def kustomizations() -> list[Path]:
    return sorted(path.parent for path in KUBERNETES.rglob("kustomization.yaml"))


def gathered(folder: Path) -> Iterator[Path]:
    """The files that a kustomization puts together, those of the folders that it names included."""
    for name in yaml.safe_load((folder / "kustomization.yaml").read_text())["resources"]:
        target = (folder / name).resolve()
        yield from gathered(target) if target.is_dir() else [target]


def test_kustomizations_name_every_manifest_but_the_example_of_secrets() -> None:
    """Applying a folder never puts the example's values over real secrets."""
    named = [path for folder in kustomizations() for path in gathered(folder)]
    assert {manifest.path for manifest in manifests()} - set(named) == {EXAMPLE}
    assert [path for path in named if not path.is_file()] == []


@pytest.mark.parametrize("folder", kustomizations(), ids=lambda folder: folder.name)
def test_a_kustomization_has_each_name_once(folder: Path) -> None:
    """Nothing that is applied together would overwrite something else of it, nor be sent by two unawares."""
    files = set(gathered(folder))
    names = [(m.body["kind"], m.body["metadata"]["name"]) for m in manifests() if m.path in files]
    assert len(names) == len(set(names)) > 0


@pytest.mark.skipif(shutil.which("kubectl") is None, reason="kubectl is not installed")
@pytest.mark.parametrize("folder", kustomizations(), ids=lambda folder: folder.name)
def test_kubectl_builds_a_kustomization(folder: Path) -> None:
    """What `kubectl apply -k` would send fits the schemas too, and holds all that was named."""
    done = subprocess.run(["kubectl", "kustomize", folder], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    built = list(yaml.safe_load_all(done.stdout))
    for body in built:
        kubernetes_validate.validate(body, kubernetes_validate.latest_version(), strict=True)
    files = set(gathered(folder))
    assert {body["metadata"]["name"] for body in built} == {
        m.body["metadata"]["name"] for m in manifests() if m.path in files
    }


# --- what is called ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("manifest", JOBS, ids=str)
def test_the_command_of_a_manifest_is_one_of_ours(manifest: Manifest) -> None:
    """The real command can read the words, which stand behind the image's entrypoint."""
    assert parse(manifest.words).info_name in manifest.words[:2]
    assert "command" not in manifest.container


def test_something_sends_recovers_prunes_and_migrates() -> None:
    """The plain set and each way of sharing the work have all that a queue needs."""
    for folder in kustomizations():
        commands = {tuple(m.words[:1]) for m in JOBS if m.path in set(gathered(folder))}
        if folder.name == "migrate":
            assert commands == {("migrate",)}
        elif folder.name == "common":
            assert commands == {("run-once",), ("prune",)}
        elif folder.name in BESIDE:
            assert commands == {(command,) for command in BESIDE[folder.name]}
        else:
            assert {("run",), ("run-once",), ("prune",)} <= commands


def keys(kind: str) -> dict[str, set[str]]:
    """The Secrets or ConfigMaps that there are, and their keys."""
    return {
        m.body["metadata"]["name"]: set(m.body.get("stringData", {}) | m.body.get("data", {})) for m in manifests(kind)
    }


def environment(manifest: Manifest) -> set[str]:
    """The variables that a container gets. Fails where it refers to what is not there."""
    there = {"secret": keys("Secret"), "configMap": keys("ConfigMap")}
    got: set[str] = set()
    for source in manifest.container.get("envFrom", []):
        [(reference, named)] = source.items()
        got |= there[reference.removesuffix("Ref")][named["name"]]
    for variable in manifest.container.get("env", []):
        [(reference, named)] = variable["valueFrom"].items()
        assert named["key"] in there[reference.removesuffix("KeyRef")][named["name"]]
        got.add(variable["name"])
    return got


@pytest.mark.parametrize("manifest", JOBS, ids=str)
def test_a_pod_has_what_its_command_needs_and_no_secret_more(manifest: Manifest) -> None:
    """Secrets and keys that are referred to are there; what does not send has no key of a provider."""
    got = environment(manifest)
    assert "DATABASE_URL" in got
    if manifest in SENDERS:
        assert {"UNIPILE_DSN", "UNIPILE_API_KEY"} <= got
    elif manifest.words[0] == "tokens":
        clients = {name for rule in RULES.values() if rule.client for name in (f"{rule.client}_CLIENT_ID",
                   f"{rule.client}_CLIENT_SECRET")}  # fmt: skip
        assert got == {"DATABASE_URL", VARIABLE, *clients}
    else:
        assert got == {"DATABASE_URL"}


@pytest.mark.parametrize("manifest", [m for m in JOBS if "-o" in m.words], ids=str)
def test_a_file_is_written_on_a_volume(manifest: Manifest) -> None:
    """The root is read-only; what is written outlives the pod, on a claim that the same folder makes."""
    folder = Path(manifest.words[manifest.words.index("-o") + 1]).parent
    [mounted] = manifest.container["volumeMounts"]
    [volume] = manifest.pod["volumes"]
    assert (mounted["mountPath"], mounted["name"]) == (str(folder), volume["name"])
    [claim] = manifests("PersistentVolumeClaim")
    assert volume["persistentVolumeClaim"]["claimName"] == claim.body["metadata"]["name"]
    assert manifest.pod["securityContext"]["fsGroup"] == manifest.pod["securityContext"]["runAsGroup"]


def test_the_role_that_is_granted_is_the_one_that_runs_connect_as() -> None:
    """migrate grants to the user of the senders' DATABASE_URL."""
    [worker] = [m.body for m in manifests("Secret") if m.body["metadata"]["name"] == "send-queue-worker"]
    [migrate] = [m for m in JOBS if m.words[0] == "migrate"]
    assert parse(migrate.words).params["work"] == (urlsplit(worker["stringData"]["DATABASE_URL"]).username,)


@pytest.mark.parametrize("manifest", JOBS, ids=str)
def test_a_pod_has_no_right_that_it_does_not_use(manifest: Manifest) -> None:
    """The `restricted` Pod Security Standard, a root that is read-only, no token of the cluster, bounded memory."""
    pod, container = manifest.pod, manifest.container
    assert pod["automountServiceAccountToken"] is False
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert {"cpu", "memory"} <= container["resources"]["requests"].keys()
    assert "memory" in container["resources"]["limits"]


def test_the_image_is_this_version() -> None:
    """Manifests and kustomizations name the version that pyproject.toml has, and the Dockerfile builds it."""
    version = PROJECT["version"]
    assert {m.container["image"] for m in JOBS} == {f"send-queue:{version}"}
    images = [yaml.safe_load((folder / "kustomization.yaml").read_text()).get("images") for folder in kustomizations()]
    assert [found for found in images if found] == [[{"name": "send-queue", "newTag": version}]] * 6
    assert f"-t send-queue:{version} ." in (ROOT / "deploy/Dockerfile").read_text()


# --- times ------------------------------------------------------------------------------------------------


def interval(schedule: str) -> timedelta:
    """The shortest time between two starts: of a schedule that is for some minutes of each hour, or once a day."""
    field, hour, *rest = schedule.split()
    assert rest == ["*", "*", "*"]
    if hour != "*":
        assert 0 <= int(field) < 60
        assert 0 <= int(hour) < 24
        return DAY
    span, _, step = field.partition("/")
    first, last = (0, 59) if span == "*" else (int(n) for n in span.split("-"))
    minutes = list(range(first, last + 1, int(step or 1)))
    return min(b - a for a, b in pairwise([*minutes, minutes[0] + 60])) * MINUTE


@pytest.mark.parametrize(
    ("schedule", "minutes"), [("*/5 * * * *", 5), ("2-59/5 * * * *", 5), ("* * * * *", 1), ("*/7 * * * *", 4)]
)
def test_the_time_between_two_starts_is_the_shortest(schedule: str, minutes: int) -> None:
    """The last start of an hour and the first of the next count too."""
    assert interval(schedule) == minutes * MINUTE


def longest_call() -> timedelta:
    """The longest that one call can last, of all providers that come with the project."""
    env = {"UNIPILE_DSN": "unipile.invalid:1"}
    calls: list[timedelta] = [e.load()(env).longest_call for e in entry_points(group="send_queue.providers")]
    return max(calls)


def seconds(n: int) -> timedelta:
    return timedelta(seconds=n)


@pytest.mark.parametrize("manifest", SENDERS, ids=str)
def test_what_is_in_flight_is_finished_before_a_pod_is_killed(manifest: Manifest) -> None:
    """From SIGTERM to SIGKILL there is time for the longest call, and for its result to be written down."""
    assert seconds(manifest.pod["terminationGracePeriodSeconds"]) > longest_call() + seconds(
        int(run.LOCK_WAIT_SECONDS) + 5
    )


@pytest.mark.parametrize("manifest", SENDERS, ids=str)
def test_a_run_ends_by_itself_before_its_deadline(manifest: Manifest) -> None:
    """Even one that begins its longest call at the last moment; and all is over when a lease would be."""
    params = parse(manifest.words).params
    at_work = params["max_runtime"] if manifest.words[0] == "run" else seconds(int(run.MAX_WAIT_SECONDS))
    assert START + at_work + longest_call() < seconds(manifest.job["activeDeadlineSeconds"])
    assert longest_call() + seconds(manifest.pod["terminationGracePeriodSeconds"]) < run.SEND_LEASE


@pytest.mark.parametrize("manifest", [m for m in SENDERS if m.words[0] == "run"], ids=str)
def test_a_run_stops_to_claim_before_the_next_begins(manifest: Manifest) -> None:
    """--max-runtime is shorter than the schedule, so that runs follow each other and seldom overlap."""
    assert parse(manifest.words).params["max_runtime"] + START <= interval(manifest.body["spec"]["schedule"])


@pytest.mark.parametrize("manifest", [m for m in CRON if m.body["spec"]["concurrencyPolicy"] == "Allow"], ids=str)
def test_where_overlap_is_allowed_no_more_than_two_are_there_at_once(manifest: Manifest) -> None:
    """What send.yaml says: a run is gone, killed if need be, when the next but one begins."""
    longest = seconds(manifest.job["activeDeadlineSeconds"] + manifest.pod["terminationGracePeriodSeconds"])
    assert longest <= 2 * interval(manifest.body["spec"]["schedule"])


@pytest.mark.parametrize("manifest", CRON, ids=str)
def test_what_was_missed_or_failed_is_left_to_the_next_run(manifest: Manifest) -> None:
    """Nothing is tried again by Kubernetes, or started so late that it meets the next; what is over is cleaned up."""
    spec, job = manifest.body["spec"], manifest.job
    # Below ten seconds the controller, which looks every ten, may miss it altogether.
    assert 10 <= spec["startingDeadlineSeconds"] < interval(spec["schedule"]).total_seconds()
    assert job.get("backoffLimit", job.get("backoffLimitPerIndex")) == 0
    assert manifest.pod["restartPolicy"] == "Never"
    assert job["ttlSecondsAfterFinished"] > 0
    assert {"successfulJobsHistoryLimit", "failedJobsHistoryLimit", "concurrencyPolicy"} <= spec.keys()


def test_a_schedule_for_an_hour_of_the_day_says_in_which_time_zone() -> None:
    """The controller's own zone is nobody's."""
    assert [
        str(m) for m in CRON if interval(m.body["spec"]["schedule"]) == DAY and "timeZone" not in m.body["spec"]
    ] == []


# --- what they do -----------------------------------------------------------------------------------------


class Cluster:
    """The commands of the manifests, run with the roles that their secrets have."""

    def __init__(self, url: str, roles: Mapping[str, str], cli: Cli, env: Mapping[str, str]) -> None:
        self._url, self._roles, self._cli, self._env = url, roles, cli, env

    def __call__(self, manifest: Manifest, minutes: float = 0, **more: Any) -> subprocess.CompletedProcess[str]:
        sources = json.dumps(manifest.container.get("envFrom", manifest.container.get("env")))
        role = self._roles["send_worker" if "send-queue-worker" in sources else "send_owner"]
        as_it = f"{'&' if '?' in self._url else '?'}options=-crole%3D{role}"
        words = [self._roles.get(word, word) for word in manifest.words]
        env = {**self._env, "DATABASE_URL": self._url + as_it, **more.pop("env", {})}
        return self._cli(*words, now=MONDAY + minutes * MINUTE, env=env, **more)


@pytest.fixture
def roles(empty_database: str) -> Iterator[dict[str, str]]:
    """The two roles of the example, under names of this test's own: roles belong to the whole server."""
    suffix = urlsplit(empty_database).path[1:]
    named = {name: f"{name}_{suffix}" for name in ("send_owner", "send_worker")}
    with psycopg.connect(empty_database, autocommit=True) as conn:
        for role in named.values():
            conn.execute(f"create role {role}".encode())
        conn.execute(f"grant create, usage on schema public to {named['send_owner']}".encode())
        yield named
        for role in reversed(named.values()):
            conn.execute(f"drop owned by {role} cascade; drop role {role}".encode())


def only(command: str, folder: str = "") -> Manifest:
    [found] = [m for m in JOBS if m.words[0] == command and m.path.parent == KUBERNETES / folder]
    return found


def test_the_manifests_run_a_queue(
    empty_database: str, roles: dict[str, str], cli: Cli, env: dict[str, str], sandbox: Sandbox, tmp_path: Path
) -> None:
    """Migrate, send by each sender, recover, renew, watch, prune: each with the rights of its own secret alone."""
    cluster = Cluster(empty_database, roles, cli, env)
    cluster(only("migrate", "migrate"))
    with psycopg.connect(empty_database, autocommit=True) as conn:
        queue = Queue(conn, cli, sandbox, env)
        at_once: Json = {"max_in_flight": 5, "min_gap_seconds": 0, "jitter_seconds": 0}
        queue.account("anna", **at_once)
        queue.lane("anna", "linkedin_message", daily_cap=None, weekly_cap=None, **at_once)
        queue.campaign("fall", "anna")

        recover = only("run-once", "common")
        senders = [m for m in SENDERS if m != recover]
        for n, sender in enumerate(senders, 1):
            queue.enqueue(channel=parse(sender.words).params["channel"] or "linkedin_invite")
            cluster(sender, n)
            assert len(queue.accepted()) == n, sender

        # A run takes a row in hand and dies; another is due. Recovery asks, too early to believe that it is not there;
        # then twice, a lag apart: it never arrived, so both are pending. It sends neither.
        gone, due = queue.enqueue(2)
        conn.execute("select send_claim('a run that died', at => %s)", (MONDAY + 10 * MINUTE,))
        for minutes, status in (30, "uncertain"), (35, "uncertain"), (40, "pending"):
            cluster(recover, minutes)
            assert (queue.row(gone)["status"], queue.row(due)["status"]) == (status, "pending")
        assert len(queue.accepted()) == len(senders)

        cluster(only("tokens", "tokens"), 41)
        for command in BESIDE["pages"]:
            page = only(command, "pages")
            page = page._replace(body=deepcopy(page.body))
            written = tmp_path / Path(page.words[-1]).name
            page.words[-1] = str(written)
            cluster(page, 41)
            assert written.stat().st_size > 1000

        prune = only("prune", "common")
        assert cluster(prune, 120 * 24 * 60).stdout == "0 deleted.\n"  # there are fewer than --keep-last
        words = [*prune.words[:-2], "--keep-last", "0"]
        as_worker = prune._replace(body=deepcopy(recover.body))
        as_worker.container["args"] = words
        assert cluster(as_worker, 120 * 24 * 60, check=False).returncode == 78
        as_owner = prune._replace(body=deepcopy(prune.body))
        as_owner.container["args"] = words
        assert cluster(as_owner, 120 * 24 * 60).stdout == f"{len(senders)} deleted.\n"


# --- the image --------------------------------------------------------------------------------------------

DOCKERFILE = ROOT / "deploy/Dockerfile"


def stages() -> list[list[tuple[str, str]]]:
    """The Dockerfile's instructions, stage by stage, each as its name and the rest of its line."""
    text = re.sub(r"^\s*#.*\n", "", DOCKERFILE.read_text(), flags=re.MULTILINE).replace("\\\n", " ")
    found: list[list[tuple[str, str]]] = []
    for line in filter(str.strip, text.splitlines()):
        name, _, rest = line.partition(" ")
        if name == "FROM":
            found.append([])
        found[-1].append((name, " ".join(rest.split())))
    return found


def of(stage: list[tuple[str, str]], name: str) -> list[str]:
    return [rest for instruction, rest in stage if instruction == name]


def copied() -> dict[str, str]:
    """What the build stage copies from the project, and where to."""
    found: dict[str, str] = {}
    for rest in of(stages()[0], "COPY"):
        *sources, target = rest.split()
        found |= dict.fromkeys(sources, target)
    return found


def test_the_base_is_pinned_and_new_enough() -> None:
    """Both stages stand on one Python, named down to its patch, so that the venv of one runs in the other."""
    bases = [re.sub(r" AS \w+$", "", of(stage, "FROM")[0]) for stage in stages()]
    [base] = set(bases)
    found = re.fullmatch(r"python:(\d+)\.(\d+)\.\d+-slim-[a-z]+", base)
    assert found
    least = tuple(map(int, PROJECT["requires-python"].removeprefix(">=").split(".")))
    assert (int(found[1]), int(found[2])) >= least
    assert set(re.findall(r"python(\d+\.\d+)", " ".join(of(stages()[-1], "RUN")))) <= {f"{found[1]}.{found[2]}"}


def test_the_final_image_holds_the_venv_and_no_more() -> None:
    """One thing is copied into it, from the build; nothing is installed in it; pip is taken out of it."""
    build, final = stages()
    assert of(build, "FROM")[0].endswith(" AS build")
    assert of(final, "COPY") == ["--from=build /opt/send-queue /opt/send-queue"]
    runs = " ".join(of(final, "RUN"))
    assert not re.search(r"apt-get|pip (install|wheel)|curl|gcc", runs)
    assert "pip uninstall --yes" in runs
    assert of(final, "ENTRYPOINT") == ['["send-queue"]']


def test_no_cache_and_no_extra_goes_in() -> None:
    """pip keeps nothing behind, and the embedded Postgres is not in the image."""
    runs = " && ".join(run for stage in stages() for run in of(stage, "RUN"))
    calls = re.findall(r"\bpip (?:--python \S+ )?(?:wheel|install|uninstall)[^&]*", runs)
    assert len(calls) == 4
    for call in calls:
        assert "--no-cache-dir" in call
    assert "embedded" not in runs


def test_the_image_installs_what_is_locked_and_no_more() -> None:
    """All that is fetched for it has its version and its hash in requirements.lock, and is built by nobody here."""
    [run] = of(stages()[0], "RUN")
    locked, ours = re.findall(r"pip --python \S+ install [^&]*", run)
    for option in ("--require-hashes", "--only-binary :all:", "--requirement requirements.lock"):
        assert option in locked
    assert "--no-deps" in ours
    assert ours.split()[-1].endswith(".whl")
    assert copied()["requirements.lock"] == "./"


def test_the_user_of_the_image_is_a_number_and_that_of_the_manifests() -> None:
    """runAsNonRoot can judge a number only."""
    *_, user = of(stages()[-1], "USER")
    uid, gid = map(int, user.split(":"))
    assert uid > 0
    assert {(m.pod["securityContext"]["runAsUser"], m.pod["securityContext"]["runAsGroup"]) for m in JOBS} == {
        (uid, gid)
    }


def test_no_secret_is_in_the_image() -> None:
    """Neither an argument of the build nor a variable of the image is one; no file comes in that may hold one."""
    given = " ".join(rest for stage in stages() for name in ("ARG", "ENV") for rest in of(stage, name))
    assert not re.search(r"KEY|TOKEN|PASSWORD|SECRET|DSN|DATABASE_URL", given, re.IGNORECASE)
    assert not any(name == "ADD" for stage in stages() for name, _ in stage)
    refused, *allowed = [
        line for line in (ROOT / "deploy/Dockerfile.dockerignore").read_text().splitlines() if line[:1] not in ("#", "")
    ]
    assert refused == "*"
    assert {line.removeprefix("!") for line in allowed if line.startswith("!")} == set(copied())


def test_what_the_build_copies_makes_a_command_that_works(
    tmp_path: Path, empty_database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From the files that the build sees comes a wheel, from the wheel a venv without pip, and in it a command that
    finds its SQL; with no home and no folder to write to. The dependencies are those of this venv: none is fetched."""
    source, wheels, there = tmp_path / "src", tmp_path / "wheel", tmp_path / "venv"
    source.mkdir()
    for name, target in copied().items():
        place = source / name if target == "./" else source / target
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, place, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(ROOT / name, place)
    monkeypatch.chdir(source)
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check"]
    offline = ["--quiet", "--no-cache-dir", "--no-deps", "--no-index"]
    subprocess.run([*pip, "wheel", *offline, "--no-build-isolation", "--wheel-dir", wheels, "."], check=True)
    venv.create(there, with_pip=False)
    [wheel] = wheels.glob("*.whl")
    subprocess.run([*pip, "--python", there / "bin/python", "install", *offline, wheel], check=True)

    [packages] = there.glob("lib/python*/site-packages")
    assert list(packages.glob("send_queue/core/__pycache__/run.*.pyc"))
    assert not (packages / "pip").exists()
    [ours] = {Path(module.__file__).parents[1] for module in (psycopg,) if module.__file__}
    (packages / "dependencies.pth").write_text(f"{ours}\n")  # after its own, so send-queue is the wheel's

    def said(*args: str) -> str:
        env = {"PATH": str(there / "bin"), "HOME": "/nonexistent", "DATABASE_URL": empty_database}
        return subprocess.run(
            [there / "bin/send-queue", *args], env=env, cwd="/", capture_output=True, text=True, check=True
        ).stdout

    assert said("--version") == f"send-queue {PROJECT['version']}\n"
    assert f"{len(list(schema.sql_dir().glob('migrations/*.sql')))} migrations," in said("migrate")
    assert '"sent": 0' in said("run-once", "--json")


@pytest.mark.skipif(
    not os.environ.get("SEND_QUEUE_TEST_DOCKER"),
    reason="building the image needs a docker daemon and its registry: SEND_QUEUE_TEST_DOCKER=1 asks for it",
)
def test_the_image_runs_as_nobody_on_a_root_that_is_read_only() -> None:
    """The image itself, under what the manifests ask of it."""
    build = ["docker", "build", "--quiet", "--file", str(DOCKERFILE), str(ROOT)]
    image = subprocess.run(build, check=True, capture_output=True, text=True).stdout.strip()
    bare = ["docker", "run", "--rm", "--read-only", "--cap-drop=ALL", "--network=none"]
    version = subprocess.run([*bare, image, "--version"], check=True, capture_output=True, text=True).stdout
    assert version == f"send-queue {PROJECT['version']}\n"
    asked = "import importlib.util as u, os; print(os.getuid(), u.find_spec('pip'), u.find_spec('ensurepip'))"
    inside = subprocess.run(
        [*bare, "--entrypoint=python", image, "-c", asked], check=True, capture_output=True, text=True
    )
    assert inside.stdout == "65532 None None\n"
