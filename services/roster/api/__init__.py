"""What the roster answers: our own services' questions, and OneRoster's REST."""

from fastapi import APIRouter

from services.roster.api import daily, exports, facts, guard, identity, questions
from services.roster.api.oneroster import routes

router = APIRouter()
router.include_router(questions.router)
router.include_router(daily.router)
router.include_router(guard.router)
router.include_router(exports.router)
router.include_router(facts.router)
router.include_router(identity.router)
router.routes.append(routes.whole)

__all__ = ["router"]
