"""The compose files, read by the compose client itself; no engine is needed for that."""

import os
import re
import shutil
import subprocess
from typing import Any

import yaml

from tests.conftest import ROOT
from tests.lacking import skip
from tests.postgres import programs

CLIENTS = (["docker", "compose"], ["docker-compose"])
SECRET = {"MONITOR_DATABASE_PASSWORD": "not-a-secret"}


def client() -> list[str]:
    """Find a compose client, or skip the test."""
    for command in CLIENTS:
        if shutil.which(command[0]):
            asked = subprocess.run([*command, "version"], capture_output=True, check=False)
            if asked.returncode == 0:
                return command
    return skip("no compose client: run 'make tools' as root, or install it by other means")


def read(name: str, **environment: str) -> "subprocess.CompletedProcess[str]":
    """Have the client read a file and print what it understood."""
    return subprocess.run(
        [*client(), "--file", str(ROOT / name), "config"],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, **environment},
    )


def city() -> dict[str, Any]:
    """Read the composition of a city as the client understands it."""
    checked = read("docker-compose.yml", **SECRET)
    assert checked.returncode == 0, checked.stderr
    found: dict[str, Any] = yaml.safe_load(checked.stdout)
    return found


def test_county_is_valid() -> None:
    """The compose client takes the file as it stands, and its one service keeps its ledger in a volume."""
    checked = read("docker-compose.county.yml")
    assert checked.returncode == 0, checked.stderr
    assert "/data" in checked.stdout


def test_city_has_every_process_and_two_workers() -> None:
    """Kafka, PostgreSQL, workers and what serves; topics and rulebook are made before anything needs them."""
    services = city()["services"]
    assert set(services) == {"kafka", "postgres", "topics", "rulebook", "worker", "serve"}
    assert services["worker"]["deploy"]["replicas"] == 2
    for name in ("worker", "serve"):
        assert {each: how["condition"] for each, how in services[name]["depends_on"].items()} == {
            "topics": "service_completed_successfully",
            "rulebook": "service_completed_successfully",
        }
        assert services[name]["restart"] == "unless-stopped"


def test_city_needs_a_password_of_its_own() -> None:
    """Nobody runs it with one that everybody knows: without one the file is refused, and says what to do."""
    checked = read("docker-compose.yml", MONITOR_DATABASE_PASSWORD="")
    assert checked.returncode != 0
    assert "set it in .env" in checked.stderr


def test_only_the_page_is_published_and_only_to_this_machine() -> None:
    """Broker and database are reached by the services alone; ours run without rights they do not need."""
    composed = city()
    services = composed["services"]
    assert [name for name, service in services.items() if "ports" in service] == ["serve"]
    assert "127.0.0.1" in str(services["serve"]["ports"])
    assert composed["networks"]["inside"]["internal"] is True
    assert [name for name, service in services.items() if "outside" in service["networks"]] == ["serve"]
    for name in ("topics", "rulebook", "worker", "serve"):
        assert services[name]["read_only"] is True
        assert services[name]["cap_drop"] == ["ALL"]


def test_versions_are_exact_and_those_that_are_tested() -> None:
    """Images are named by a full version; Kafka and the major version of PostgreSQL are those of the tests."""
    services = city()["services"]
    images = {service["image"] for service in services.values()}
    built = re.findall(r"(?m)^FROM (\S+)", (ROOT / "Dockerfile").read_text(encoding="utf-8"))
    for image in images | set(built):
        assert re.search(r":\d+\.\d+(\.\d+)?", image), image
    tested = re.search(r"<version>(4[\d.]+)</version>", (ROOT / "tests" / "pom.xml").read_text(encoding="utf-8"))
    assert tested is not None
    assert services["kafka"]["image"] == f"apache/kafka:{tested.group(1)}"
    said = subprocess.run([programs() / "postgres", "--version"], capture_output=True, text=True, check=True).stdout
    assert services["postgres"]["image"].split(":")[1].split(".")[0] == said.split()[-1].split(".")[0]
