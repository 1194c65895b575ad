"""Traces where no span is kept: what came goes on, in a process of its own, for what is said here is said once."""

import subprocess
import sys

GIVEN = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
BEGIN = "from shared import telemetry\nimport asyncio\n"


def _said(script: str) -> list[str]:
    ran = subprocess.run([sys.executable, "-c", BEGIN + script], capture_output=True, text=True, check=True)
    return ran.stdout.split()


def test_without_recording_a_trace_that_came_is_carried_on_and_one_is_begun_where_none_came() -> None:
    said = _said(f"""
telemetry.configure("test")
print(telemetry.traceparent())
with telemetry.span("edge", parent="{GIVEN}"):
    with telemetry.span("inside"):
        print(telemetry.traceparent())
    print(telemetry.traceparent())
for wrong in (None, "nonsense", "00-{"0" * 32}-b7ad6b7169203331-01"):
    with telemetry.span("edge", parent=wrong):
        begun = telemetry.traceparent()
        with telemetry.span("inside"):
            print(len(begun) == 55 and begun == telemetry.traceparent() != wrong)
print(telemetry.traceparent())
""")

    assert said == ["None", GIVEN, GIVEN, "True", "True", "True", "None"]


def test_without_recording_requests_beside_each_other_keep_their_own_trace() -> None:
    said = _said("""
telemetry.configure("test")
async def one():
    with telemetry.span("edge"):
        first = telemetry.traceparent()
        await asyncio.sleep(0.01)
        assert telemetry.traceparent() == first
        return first
async def main():
    return await asyncio.gather(*(one() for _ in range(20)))
print(len(set(asyncio.run(main()))))
""")

    assert said == ["20"]


def test_with_recording_spans_have_ids_of_their_own() -> None:
    said = _said(f"""
telemetry.configure("test", traces=True)
with telemetry.span("edge", parent="{GIVEN}"):
    print(telemetry.traceparent())
""")

    assert len(said) >= 1
    [carried] = [one for one in said if one.startswith("00-")]
    assert carried.split("-")[1] == GIVEN.split("-")[1]
    assert carried.split("-")[2] != GIVEN.split("-")[2]
