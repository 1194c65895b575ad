"""deploy/topics.yaml and the code say the same."""

import importlib
import pkgutil
from collections.abc import Iterator

import pytest
from google.protobuf.descriptor import Descriptor, FileDescriptor

import shared.events_pb
from deploy.topics import Declared, declared, topics
from shared.events import BUCKETS, type_of

SERVICES = ("roster", "assessment", "mastery")


def files() -> Iterator[FileDescriptor]:
    """Every generated file of events."""
    for found in pkgutil.walk_packages(shared.events_pb.__path__, "shared.events_pb."):
        if found.name.endswith("_pb2"):
            yield importlib.import_module(found.name).DESCRIPTOR


def events() -> dict[str, Descriptor]:
    """Every event: a message with `facts`."""
    return {
        message.full_name: message
        for file in files()
        for message in file.message_types_by_name.values()
        if "facts" in message.fields_by_name
    }


def listeners_of(topic: Declared) -> set[str]:
    """The services whose `events.LISTENS` names the topic."""
    found = set()
    for service in SERVICES:
        listens = importlib.import_module(f"services.{service}.events").LISTENS
        if topic.name in {type_of(one.event) for one in listens}:
            found.add(service)
    return found


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
