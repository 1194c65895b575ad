"""docs/settings.md says what the Settings classes say."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from pydantic_core import PydanticUndefined
from pydantic_settings import BaseSettings

from deploy import managed, processes, service
from services.assessment import main as assessment
from services.gateway import main as gateway
from services.mastery import main as mastery
from services.partnership import main as partnership
from services.roster import main as roster

PAGE = Path(__file__).parents[3] / "docs" / "settings.md"
PAGES: dict[str, Sequence[type[BaseSettings]]] = {
    "roster": [roster.Settings],
    "assessment": [assessment.Settings],
    "mastery": [mastery.Settings],
    "partnership": [partnership.Settings],
    "gateway": [gateway.Settings],
    "Every process on Kafka": [service.ProcessSettings, service.KafkaSettings],
    "`make up`": [processes.Surroundings],
    "`trellis provision`": [managed.Managed],
}


def rows(classes: Sequence[type[BaseSettings]]) -> Iterator[str]:
    """A table's rows as the page must have them."""
    for settings in classes:
        prefix = settings.model_config.get("env_prefix", "")
        for name, field in settings.model_fields.items():
            default = field.default
            if default is PydanticUndefined:
                shown = "**required**"
            else:
                shown = (
                    "none" if default is None else f"`{str(default).lower() if default in (True, False) else default}`"
                )
            yield f"| `{(prefix + name).upper()}` | {shown} | {field.description} |"


def section(title: str) -> str:
    return PAGE.read_text(encoding="utf-8").split(f"## {title}\n", 1)[1].split("\n## ", 1)[0]


def test_every_setting_is_on_the_page_with_its_default_and_meaning() -> None:
    for title, classes in PAGES.items():
        said = [line for line in section(title).splitlines() if line.startswith("| `")]

        assert said == list(rows(classes)), title


def test_every_setting_has_a_description() -> None:
    for classes in PAGES.values():
        for settings in classes:
            assert [name for name, field in settings.model_fields.items() if not field.description] == []
