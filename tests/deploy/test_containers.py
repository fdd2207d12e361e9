"""What can be known of the container files without containers: they parse, what they name exists, nothing floats."""

from __future__ import annotations

import fnmatch
import ipaddress
import re
import shutil
import subprocess
import sys
import tomllib
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
import yaml
from click.testing import CliRunner
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from deepguard.cli.main import main
from deepguard.cli.serve import GRACE as WEB_GRACE
from deepguard.cli.worker import GRACE as WORKER_GRACE
from deepguard.service.settings import ServiceSettings

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "compose.yaml").read_text(encoding="utf-8"))
CUDA: dict[str, Any] = yaml.safe_load((DEPLOY / "compose.cuda.yaml").read_text(encoding="utf-8"))
SERVICES: dict[str, Any] = COMPOSE["services"]
DOCKERFILE = (DEPLOY / "Dockerfile").read_text(encoding="utf-8")
EXAMPLE = (DEPLOY / "env.example").read_text(encoding="utf-8")
SETTINGS = {field.alias or f"DEEPGUARD_{name.upper()}" for name, field in ServiceSettings.model_fields.items()}
UNITS = sorted((DEPLOY / "systemd").glob("*.service"))
OURS = {"HOST", "PORT", "PREFERRED_URL_SCHEME"}

unit = pytest.mark.parametrize("file", UNITS, ids=lambda file: file.stem)


def strangers(names: set[str]) -> set[str]:
    """Those of the names that look like a setting of the service and are none."""
    return {name for name in names if name.startswith("DEEPGUARD_") or name in OURS} - SETTINGS


def interpolated(text: str) -> str:
    """A value as compose reads it with nothing set."""
    return re.sub(r"\$\{\w+:?[-?]?([^}]*)\}", r"\1", text)


def test_every_variable_that_looks_like_a_setting_is_one() -> None:
    services = [*SERVICES.values(), *CUDA["services"].values()]
    named = {name for service in services for name in service.get("environment", {})}
    texts = [DOCKERFILE, EXAMPLE, (ROOT / "compose.yaml").read_text(), *(file.read_text() for file in UNITS)]
    for text in texts:
        named |= set(re.findall(r"\b(DEEPGUARD_[A-Z0-9_]+)\b", text))
    assert len(named & SETTINGS) >= 10
    assert strangers(named) == set()


def test_the_example_names_every_variable_that_compose_asks_for_and_nothing_else() -> None:
    asked = set(re.findall(r"\$\{(\w+)", (ROOT / "compose.yaml").read_text()))
    offered = set(re.findall(r"^#?([A-Z][A-Z0-9_]+)=", EXAMPLE, re.MULTILINE))
    assert asked - offered <= {"S3_IMAGE"}
    assert {name for name in offered if name not in SETTINGS} <= asked


def test_the_example_changes_no_default_unless_a_line_is_uncommented() -> None:
    set_there = re.findall(r"^([A-Z][A-Z0-9_]+)=(.*)$", EXAMPLE, re.MULTILINE)
    assert {name for name, value in set_there if value} == set()


def test_every_example_value_is_accepted(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in re.findall(r"^#?([A-Z][A-Z0-9_]+)=(.+)$", EXAMPLE, re.MULTILINE):
        if name in SETTINGS:
            monkeypatch.setenv(name, value)
    ServiceSettings(_env_file=None)


def test_every_file_of_this_project_that_is_mounted_or_copied_exists() -> None:
    sources = [
        volume.split(":")[0] for each in SERVICES.values() for volume in map(interpolated, each.get("volumes", []))
    ]
    files = [source for source in sources if source.startswith("./")]
    assert len(files) >= 6
    copied = [
        word for line in re.findall(r"^COPY (?!--from)(.+) \S+$", DOCKERFILE, re.MULTILINE) for word in line.split()
    ]
    assert {"src", "pyproject.toml"} <= set(copied)
    assert [
        name for name in (*files, *copied, SERVICES["web"]["build"]["dockerfile"]) if not (ROOT / name).exists()
    ] == []
    for site in ("plain", "tls", "prefix"):
        assert (DEPLOY / "nginx" / f"{site}.conf").exists()


def test_what_the_image_copies_is_not_ignored() -> None:
    allowed = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    copied = {
        word for line in re.findall(r"^COPY (?!--from)(.+) \S+$", DOCKERFILE, re.MULTILINE) for word in line.split()
    }
    assert copied == allowed


def test_every_named_volume_is_declared_and_used() -> None:
    sources = {interpolated(volume).split(":")[0] for each in SERVICES.values() for volume in each.get("volumes", [])}
    assert {source for source in sources if not source.startswith(".")} == set(COMPOSE["volumes"])


def test_every_image_has_a_version() -> None:
    images = [interpolated(each["image"]) for each in SERVICES.values()] + re.findall(
        r"^FROM (\S+)", DOCKERFILE, re.MULTILINE
    )
    for image in images:
        if image != "deepguard:local":
            assert re.search(r":\D*\d+[.-]\d+", image), image


def test_only_this_machine_reaches_what_is_published_unless_told() -> None:
    published = [interpolated(port) for each in SERVICES.values() for port in each.get("ports", [])]
    assert len(published) >= 4
    assert all(port.startswith("127.0.0.1:") for port in published)


def test_the_web_process_has_the_address_that_nginx_is_told_and_believes_its_network() -> None:
    (pool,) = COMPOSE["networks"]["inside"]["ipam"]["config"]
    address = SERVICES["web"]["networks"]["inside"]["ipv4_address"]
    assert ipaddress.ip_address(address) in ipaddress.ip_network(pool["subnet"])
    port = SERVICES["web"]["environment"]["PORT"]
    assert f"server {address}:{port};" in (DEPLOY / "nginx" / "upstream.compose.conf").read_text()
    assert SERVICES["web"]["environment"]["DEEPGUARD_PROXIES"] == pool["subnet"]
    believed = ProxyHeadersMiddleware(None, trusted_hosts=pool["subnet"]).trusted_hosts
    assert "172.30.57.99" in believed
    assert "10.0.0.1" not in believed


@pytest.mark.parametrize("name", ["web", "worker"])
def test_our_containers_run_a_command_that_exists_as_an_ordinary_user(name: str) -> None:
    command = [*SERVICES[name]["command"], "--help"]
    assert CliRunner().invoke(main, command).exit_code == 0
    assert SERVICES[name]["cap_drop"] == ["ALL"]
    assert DOCKERFILE.index("USER deepguard") < DOCKERFILE.index("ENTRYPOINT")


def test_containers_get_longer_to_stop_than_the_supervisor_gives_its_children() -> None:
    longest = max(WEB_GRACE, WORKER_GRACE)
    for name in ("web", "worker"):
        assert int(SERVICES[name]["stop_grace_period"].rstrip("s")) > longest
    for file in UNITS:
        seconds = re.search(r"^TimeoutStopSec=(\d+)$", file.read_text(), re.MULTILINE)
        assert seconds
        assert int(seconds[1]) > longest


def test_the_probe_says_yes_no_and_nothing_there() -> None:
    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200 if self.path == "/well" else 503)
            self.end_headers()
            self.wfile.write(b"so it is")

        def log_message(self, *words: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Answer) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        here = f"http://127.0.0.1:{server.server_port}"
        codes = [probe(f"{here}/well"), probe(f"{here}/ill")]
        server.shutdown()
        thread.join()
    assert codes == [(0, "so it is"), (1, "so it is")]
    assert probe(here)[0] == 1


def probe(address: str) -> tuple[int, str]:
    done = subprocess.run(
        [sys.executable, str(DEPLOY / "probe.py"), address], capture_output=True, text=True, check=False, timeout=30
    )
    return done.returncode, done.stdout.strip()


def test_an_installation_that_is_not_editable_has_every_file_of_the_package() -> None:
    package = ROOT / "src" / "deepguard"
    patterns = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["package-data"]["deepguard"]
    for file in package.rglob("*"):
        inner = str(file.relative_to(package))
        if file.is_dir() or "__pycache__" in inner:
            continue
        if file.suffix == ".py":
            assert (file.parent / "__init__.py").exists(), f"{inner} is in no package"
        else:
            assert any(fnmatch.fnmatch(inner, pattern) for pattern in patterns), f"{inner} is in no package-data"


@unit
def test_a_unit_names_a_command_that_exists_and_the_settings_file(file: Path) -> None:
    text = file.read_text()
    words = re.search(r"^ExecStart=/opt/deepguard/bin/deepguard (.+)$", text, re.MULTILINE)
    assert words
    assert CliRunner().invoke(main, [*words[1].split(), "--help"]).exit_code == 0
    assert "EnvironmentFile=-/etc/deepguard/deepguard.env" in text


@unit
def test_systemd_finds_nothing_wrong_with_a_unit_but_the_missing_program(file: Path, tmp_path: Path) -> None:
    program = shutil.which("systemd-analyze")
    if program is None:
        pytest.skip("systemd-analyze is not installed")
    here = tmp_path / file.name
    here.write_text(file.read_text().replace("/opt/deepguard/bin/deepguard", "/bin/true"))
    done = subprocess.run([program, "verify", str(here)], capture_output=True, text=True, check=False, timeout=60)
    assert [line for line in done.stderr.splitlines() if file.stem in line] == []
