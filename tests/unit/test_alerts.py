"""docs/alerts.md has the code's figures; the rules of examples/alerts.yaml use figures that exist."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml  # type: ignore[import-untyped]  # its types are a package of their own

from send_queue.insight.metrics import FAMILIES

DOCUMENT = (Path(__file__).parents[2] / "docs/alerts.md").read_text()
EXAMPLE = (Path(__file__).parents[2] / "examples/alerts.yaml").read_text()
RULES: list[dict[str, Any]] = yaml.safe_load(EXAMPLE)["groups"][0]["rules"]
LABELS = {f"send_queue_{family.name}": set(family.labels) for family in FAMILIES}


def test_the_table_has_each_figure_with_its_kind_and_labels() -> None:
    """In the order in which they are written, and no other."""
    rows = re.findall(r"^\| `(\w+)` \| (counter|gauge) \| ([a-z, ]+) \|", DOCUMENT, re.MULTILINE)
    assert rows == [(family.name, family.kind, ", ".join(family.labels)) for family in FAMILIES]


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule["alert"])
def test_an_alert_speaks_of_figures_that_there_are(rule: dict[str, Any]) -> None:
    """With labels that they have; it says for how long, how urgent, what it is, and what to do."""
    assert set(rule) == {"alert", "expr", "for", "labels", "annotations"}
    assert set(rule["annotations"]) == {"summary", "action"}
    assert rule["labels"]["severity"] in ("page", "ticket", "info")
    assert re.fullmatch(r"\d+[mhd]", rule["for"])
    figures = re.findall(r"\bsend_queue_\w+", rule["expr"].replace("send_queue.prom", ""))
    assert set(figures) <= LABELS.keys()
    assert figures or "node_textfile_mtime_seconds" in rule["expr"]
    known = set[str]().union(*(LABELS[figure] for figure in figures))
    assert set(re.findall(r"\$labels\.(\w+)", str(rule["annotations"]))) <= known
    for figure, matchers in re.findall(r"(send_queue_\w+)\{([^}]*)\}", rule["expr"]):
        assert set(re.findall(r"(\w+)=~?\"", matchers)) <= LABELS[figure]
    for pair in ("()", "[]", "{}"):
        assert rule["expr"].count(pair[0]) == rule["expr"].count(pair[1])
