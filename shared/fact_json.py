"""Facts in protobuf's JSON form, made by the million: what `json_format` would write, which tests prove.

A fact is parsed by protobuf and written by a function made for its type once; bytes become base64, names camel case,
and what has its default, or is absent, is left out.
"""

from binascii import b2a_base64
from collections.abc import Callable, Iterable
from functools import cache
from typing import Any

import orjson
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass

from shared.events import type_of

_Told = Callable[[Any], dict[str, Any]]
_PLAIN = {
    FieldDescriptor.TYPE_STRING, FieldDescriptor.TYPE_BOOL, FieldDescriptor.TYPE_INT32, FieldDescriptor.TYPE_SINT32,
    FieldDescriptor.TYPE_UINT32, FieldDescriptor.TYPE_FIXED32,
}  # fmt: skip


def lines(event: type[Message], facts: Iterable[bytes]) -> bytes:
    """A line of JSON for each of these serialised facts: the event's name, and the fact."""
    before = b'{"type":' + orjson.dumps(type_of(event)) + b',"fact":'
    of_fact: Any = event.DESCRIPTOR.fields_by_name["facts"].message_type
    parse, told, dumps = GetMessageClass(of_fact).FromString, _teller(of_fact), orjson.dumps
    return b"".join([part for fact in facts for part in (before, dumps(told(parse(fact))), b"}\n")])


@cache
def _teller(descriptor: Any) -> _Told:
    """What writes messages of this type."""
    fields = [(one.name, one.json_name, one.has_presence, _value(one)) for one in descriptor.fields]

    def told(message: Any) -> dict[str, Any]:
        found = {}
        for name, called, is_optional, value in fields:
            said = getattr(message, name)
            if message.HasField(name) if is_optional else said:
                found[called] = said if value is None else value(said)
        return found

    return told


def _value(field: FieldDescriptor) -> Callable[[Any], Any] | None:
    """How a field's value is written; nothing when it is as it stands."""
    if field.message_type is not None and field.is_repeated:
        inner = _teller(field.message_type)
        return lambda several: [inner(one) for one in several]
    if field.message_type is not None:
        return _teller(field.message_type)
    if field.type == FieldDescriptor.TYPE_BYTES and not field.is_repeated:
        return _base64
    if field.type == FieldDescriptor.TYPE_STRING and field.is_repeated:
        return list
    if field.type in _PLAIN and not field.is_repeated:
        return None
    raise TypeError(f"{field.full_name} is of a type that no fact has had so far")


def _base64(content: bytes) -> str:
    return b2a_base64(content, newline=False).decode()
