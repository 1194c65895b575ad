"""What the gateway is told from outside."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from services.gateway.main import Settings

DOCS = Path(__file__).resolve().parents[3] / "docs" / "keys.md"
GOOD = {
    "database_url": "postgresql://role@host/db",
    "token_secret": "t" * 32,
    "roster_url": "http://roster",
    "assessment_url": "http://assessment",
    "mastery_url": "http://mastery",
    "partnership_url": "http://partnership",
    "key_pepper": "p" * 32,
    "operator_secret": "trl_oper_" + "o" * 43,
}


class TestASetting:
    @pytest.mark.parametrize("name", Settings.model_fields)
    def test_is_in_the_table_of_the_docs(self, name: str) -> None:
        assert f"| `TRELLIS_GATEWAY_{name.upper()}` |" in DOCS.read_text(encoding="utf-8")

    @pytest.mark.parametrize(
        ("name", "bad"),
        [
            ("operator_secret", "o" * 60), ("operator_secret", "trl_oper_short"), ("key_pepper", "short"),
            ("token_secret", "short"), ("database_url", "sqlite://"),
        ],
    )  # fmt: skip
    def test_that_is_known_to_be_bad_is_refused(self, name: str, bad: str) -> None:
        Settings(**GOOD)

        with pytest.raises(ValidationError):
            Settings(**(GOOD | {name: bad}))

    @pytest.mark.parametrize("name", ["key_pepper", "operator_secret", "token_secret"])
    def test_that_is_secret_has_no_default(self, name: str) -> None:
        with pytest.raises(ValidationError):
            Settings(**{key: value for key, value in GOOD.items() if key != name})
