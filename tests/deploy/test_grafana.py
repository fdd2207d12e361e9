"""The dashboard and the alerts ask only for what the service tells."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
DASHBOARD = DEPLOY / "grafana" / "dashboards" / "deepguard.json"
TABLE = ROOT / "docs" / "reference" / "metrics.md"
NAME = re.compile(r"\b(?:deepguard|process|python)_[a-z0-9_]+\b|\bup\b(?=[{ ])")
SELECTOR = re.compile(r"\b(deepguard_\w+)\{([^}]*)\}")
BY = re.compile(r"\bby \(([^)]*)\)")
KINDS = {"row", "stat", "timeseries"}
ALWAYS = {"job", "instance", "le"}
PROCESS = {"process_resident_memory_bytes", "up"}


def exposed() -> dict[str, set[str]]:
    """Return every series by name with its labels; the table is held to the code by the tests of metrics."""
    found: dict[str, set[str]] = {}
    for line in TABLE.read_text(encoding="utf-8").splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if cells[0].startswith("`deepguard_"):
            name, labels = cells[0].strip("`"), set(re.findall(r"`(\w+)`", cells[2]))
            endings = ("_bucket", "_sum", "_count") if cells[1] == "histogram" else ("",)
            found |= {name + ending: labels for ending in endings}
    return found


def panels() -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(DASHBOARD.read_text(encoding="utf-8"))["panels"]
    return found


def rules() -> list[dict[str, Any]]:
    text = (DEPLOY / "prometheus" / "alerts.yaml").read_text(encoding="utf-8")
    found: list[dict[str, Any]] = yaml.safe_load(text)["groups"][0]["rules"]
    return found


def expressions() -> Iterator[str]:
    """Yield what the dashboard and the alerts ask."""
    for panel in panels():
        yield from (target["expr"] for target in panel.get("targets", ()))
    yield from (rule["expr"] for rule in rules())


def test_every_expression_asks_for_metrics_and_labels_that_exist() -> None:
    known = exposed()
    asked = list(expressions())
    assert len(asked) > 30
    for expression in asked:
        names = set(NAME.findall(expression))
        assert names, expression
        assert names <= set(known) | PROCESS, expression
        labels = {label for name in names for label in known.get(name, set())} | ALWAYS
        for name, inside in SELECTOR.findall(expression):
            wanted = set(re.findall(r"(\w+)\s*(?:=~|!=|!~|=)", inside))
            assert wanted <= known[name] | ALWAYS, expression
        for inside in BY.findall(expression):
            assert {each.strip() for each in inside.split(",")} <= labels, expression


def test_every_metric_of_the_service_stands_on_the_dashboard() -> None:
    text = " ".join(target["expr"] for panel in panels() for target in panel.get("targets", ()))
    shown = set(NAME.findall(text))
    missing = {name for name in exposed() if name not in shown and not name.endswith(("_sum", "_count", "_bucket"))}
    assert missing == set()


def test_parentheses_and_braces_are_closed() -> None:
    for expression in expressions():
        for opening, closing in ("()", "{}", "[]"):
            assert expression.count(opening) == expression.count(closing), expression


def test_counters_are_asked_for_their_growth_and_gauges_are_not() -> None:
    for expression in expressions():
        grown = {name for name in NAME.findall(expression) if name.endswith(("_total", "_count", "_bucket"))}
        growth = re.findall(r"(?:rate|increase)\((\w+)", expression)
        assert set(growth) == grown, expression


def test_the_dashboard_has_the_shape_that_grafana_reads() -> None:
    board = json.loads(DASHBOARD.read_text(encoding="utf-8"))
    assert board["uid"] == "deepguard"
    assert board["title"]
    assert board["schemaVersion"] >= 36
    ids = [panel["id"] for panel in board["panels"]]
    assert len(ids) == len(set(ids))
    for panel in board["panels"]:
        assert panel["type"] in KINDS
        assert panel["title"]
        place = panel["gridPos"]
        assert 0 <= place["x"] < place["x"] + place["w"] <= 24
        if panel["type"] != "row":
            assert panel["fieldConfig"]["defaults"]["unit"]
            assert panel["datasource"] == {"type": "prometheus", "uid": "${datasource}"}
            references = [target["refId"] for target in panel["targets"]]
            assert len(references) == len(set(references)) > 0


def test_no_two_panels_lie_on_each_other() -> None:
    taken: set[tuple[int, int]] = set()
    for panel in panels():
        place = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not cells & taken, panel["title"]
        taken |= cells


def test_every_variable_that_is_used_is_defined() -> None:
    board = json.loads(DASHBOARD.read_text(encoding="utf-8"))
    defined = {each["name"] for each in board["templating"]["list"]}
    used = set(re.findall(r"\$\{?([a-z]+)\}?", json.dumps(board["panels"])))
    assert used == defined == {"datasource", "job"}


def test_the_provisioning_reads_the_folder_that_the_dashboard_is_mounted_at() -> None:
    provisioning = DEPLOY / "grafana" / "provisioning"
    [provider] = yaml.safe_load((provisioning / "dashboards" / "deepguard.yaml").read_text())["providers"]
    [source] = yaml.safe_load((provisioning / "datasources" / "prometheus.yaml").read_text())["datasources"]
    assert source["type"] == "prometheus"
    services = yaml.safe_load((ROOT / "compose.yaml").read_text())["services"]
    mounted = dict(volume.split(":")[:2] for volume in services["grafana"]["volumes"] if volume.startswith("./"))
    assert mounted["./deploy/grafana/dashboards"] == provider["options"]["path"]
    assert source["url"].strip("${}") in services["grafana"]["environment"]


def test_prometheus_reads_the_alerts_and_asks_the_web_process() -> None:
    config = yaml.safe_load((DEPLOY / "prometheus" / "prometheus.yaml").read_text())
    assert all((DEPLOY / "prometheus" / name).is_file() for name in config["rule_files"])
    [scrape] = config["scrape_configs"]
    assert (scrape["job_name"], scrape["metrics_path"]) == ("deepguard", "/metrics")
    services = yaml.safe_load((ROOT / "compose.yaml").read_text())["services"]
    for target in scrape["static_configs"][0]["targets"]:
        assert target.partition(":")[0] in services


@pytest.mark.parametrize("word", ["database_up", "workers", "queue_oldest", "jobs_ended_total", "disk_free"])
def test_what_an_operator_must_know_raises_an_alert(word: str) -> None:
    assert any(f"deepguard_{word}" in rule["expr"] for rule in rules())


def test_every_alert_says_what_happened_and_what_to_do() -> None:
    names = [rule["alert"] for rule in rules()]
    assert len(names) == len(set(names))
    for rule in rules():
        assert rule["annotations"]["summary"].endswith(".")
        assert rule["annotations"]["action"]
        assert rule["labels"]["severity"] in {"warning", "critical"}
