"""What partnership answers over REST, as its contract says."""

from fastapi import APIRouter

router = APIRouter()
