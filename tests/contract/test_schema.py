"""The graph's schema is the committed one, and breaks nothing that was released."""

from pathlib import Path

from services.gateway import schema


class TestTheSchema:
    def test_is_what_the_committed_text_says(self) -> None:
        assert schema.TEXT.read_text(encoding="utf-8") == schema.text()

    def test_breaks_nothing_released(self) -> None:
        assert schema.breaks(schema.RELEASED.read_text(encoding="utf-8"), schema.text()) == []

    def test_without_a_field_that_was_released_is_refused(self) -> None:
        now = schema.text()
        student = now.index("type Student ")
        less = now[:student] + now[student:].replace("  givenName: String!\n", "", 1)

        assert less != now
        assert [change.description for change in schema.breaks(now, less)] == ["Field Student.givenName was removed."]

    def test_with_an_argument_newly_required_is_refused(self) -> None:
        now = schema.text()
        stricter = now.replace(
            "    after: String = null\n  ): StudentConnection", "    after: String!\n  ): StudentConnection"
        )

        assert stricter != now
        assert schema.breaks(now, stricter) != []

    def test_with_one_field_more_is_fine(self) -> None:
        now = schema.text()

        assert (
            schema.breaks(now, now.replace("  givenName: String!\n", "  givenName: String!\n  nickname: String\n"))
            == []
        )

    def test_check_writes_nothing(self) -> None:
        before = {path: path.stat().st_mtime_ns for path in Path(schema.__file__).parent.glob("*.graphql")}

        assert schema.main(["--check"]) == 0

        assert {path: path.stat().st_mtime_ns for path in before} == before
