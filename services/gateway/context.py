"""What every resolver has at hand: who asks, and the loaders of this one request."""

from dataclasses import dataclass

import strawberry

from services.assessment import contract as assessment
from services.gateway.clients import Services
from services.gateway.loaders import Loaders
from services.mastery import contract as mastery
from services.partnership import contract as partnership
from shared.auth import Caller


@dataclass(frozen=True, slots=True)
class Context:
    """One request. Never shared: its loaders remember what this caller may see."""

    caller: Caller
    services: Services
    loaders: Loaders

    @classmethod
    def of(cls, caller: Caller, services: Services) -> "Context":
        return cls(caller, services, Loaders(services, caller))

    def need_diagnostic(self, scope: str) -> None:
        """Results of diagnosis need their scope, and a purpose other than accountability."""
        self.caller.refuse_accountability()
        self.caller.need(scope)

    async def administrations(self, ask: assessment.Page) -> assessment.AdministrationPage:
        return await self.services.assessment.page_of_administrations(ask, self.caller)

    async def programmes(self, ask: partnership.Page) -> partnership.ProgrammePage:
        return await self.services.partnership.page_of_programmes(ask, self.caller)

    async def snapshot(self) -> mastery.Snapshot:
        return await self.services.mastery.latest_snapshot(self.caller)


Info = strawberry.Info[Context, None]
