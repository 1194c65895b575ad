"""deploy/topics.yaml and the code say the same."""

import importlib
from collections.abc import Iterator
from pathlib import Path

import pytest
from google.protobuf.descriptor import Descriptor, FileDescriptor

from deploy.topics import Declared, declared, topics
from shared.events import BUCKETS, type_of

ROOT = Path(__file__).parents[2]
SERVICES = ("roster", "assessment", "mastery", "partnership")


def files() -> Iterator[FileDescriptor]:
    """Every generated file of events."""
    for path in sorted((ROOT / "shared" / "events_pb").rglob("*_pb2.py")):
        yield importlib.import_module(".".join(path.relative_to(ROOT).with_suffix("").parts)).DESCRIPTOR


def events() -> dict[str, Descriptor]:
    """Every event: a message with `facts`."""
    return {
        message.full_name: message
        for file in files()
        for message in file.message_types_by_name.values()
        if "facts" in message.fields_by_name
    }


def listeners_of(topic: Declared) -> set[str]:
    """The services that say, where they are put together, that they listen to it."""
    return {service for service in SERVICES if topic.name in listens_to(service)}


def listens_to(service: str) -> set[str]:
    modules = [importlib.import_module(f"services.{service}.{chapter}") for chapter in ("events", "main")]
    return {type_of(one.event) for module in modules for one in getattr(module, "LISTENS", ())}


def test_every_event_has_a_topic_and_every_topic_an_event() -> None:
    assert {topic.name for topic in declared()} == set(events())


@pytest.mark.parametrize("topic", declared(), ids=lambda topic: topic.name)
def test_a_topic_is_announced_by_the_service_whose_package_it_is_in(topic: Declared) -> None:
    assert topic.producer == topic.name.split(".")[2]


@pytest.mark.parametrize("topic", declared(), ids=lambda topic: topic.name)
def test_the_key_of_a_topic_is_the_second_field_of_its_facts(topic: Declared) -> None:
    fact = events()[topic.name].fields_by_name["facts"].message_type

    assert fact.fields_by_number[2].name == topic.key


@pytest.mark.parametrize("topic", declared(), ids=lambda topic: topic.name)
def test_the_consumers_of_a_topic_are_those_that_listen(topic: Declared) -> None:
    assert set(topic.consumers) == listeners_of(topic)


@pytest.mark.parametrize("topic", declared(), ids=lambda topic: topic.name)
def test_partitions_divide_the_buckets_evenly(topic: Declared) -> None:
    assert BUCKETS % topic.partitions == 0


def test_a_cluster_acknowledges_when_two_of_three_copies_have_it() -> None:
    [settings] = {topic.settings["min.insync.replicas"] for topic in topics(replication=3)}

    assert settings == "2"
