"""What the invented district learns with: workbooks of its courses, who works with them, and who logs in how."""

from collections.abc import Iterator, Mapping

from deploy.cli.demo.gradebook import Row
from deploy.cli.demo.people import Section

HEADERS = {
    "resources": "vendorResourceId title roles importance vendorId applicationId",
    "classResources": "title classSourcedId resourceSourcedId",
    "courseResources": "title courseSourcedId resourceSourcedId",
    "userResources": "userSourcedId orgSourcedId classSourcedId resourceSourcedId",
    "userProfiles": "userSourcedId profileType vendorId applicationId description credentialType username password",
}
"""The columns of these files behind sourcedId, status and dateLastModified."""

_HANDBOOK, _GUIDE = "BOOK-TEACHERS", "BOOK-FAMILIES"
_VENDOR = "publisher.example"


def shared(courses: Mapping[str, str]) -> Iterator[Row]:
    """A workbook of each course, by its sourcedId and title, the teachers' handbook and the families' guide."""
    yield "resources", _HANDBOOK, ("handbook", "Handbook for teachers", "teacher", "secondary", _VENDOR, "library")
    families = ("guide", "Guide for families", "guardian,parent", "secondary", _VENDOR, "library")
    yield "resources", _GUIDE, families
    for course, title in courses.items():
        book = _workbook(course)
        about = (book.lower(), f"{title}, workbook", "student,teacher", "primary", _VENDOR, "library")
        yield "resources", book, about
        yield "courseResources", f"CR-{course}", (f"{title}, workbook", course, book)


def of_class(class_id: str, course: str, title: str) -> Iterator[Row]:
    """A class works with the workbook of its course."""
    yield "classResources", f"CLR-{class_id}", (f"{title}, workbook", class_id, _workbook(course))


def of_student(section: Section, student: str, login: str) -> Iterator[Row]:
    """A student has the workbook of mathematics, and an account."""
    school, book = section.school.sourced_id, _workbook(f"CRS-M{section.grade}")
    yield "userResources", f"UR-{student}", (student, school, section.class_id("M"), book)
    yield _account(student, login)


def of_teacher(teacher: str, school: str, login: str) -> Iterator[Row]:
    """A teacher has the handbook, and an account."""
    yield "userResources", f"UR-{teacher}", (teacher, school, "", _HANDBOOK)
    yield _account(teacher, login)


def of_guardian(guardian: str, school: str) -> Iterator[Row]:
    """Who has a child at school has the guide."""
    yield "userResources", f"UR-{guardian}", (guardian, school, "", _GUIDE)


def profile(user: str) -> str:
    """The sourcedId of a user's account; a URI, as the REST binding wants it."""
    return f"urn:trellis.example:profile:{user}"


def _account(user: str, login: str) -> Row:
    about = (user, "single sign-on", "sso.example", "portal", "", "password", login, "")
    return "userProfiles", profile(user), about


def _workbook(course: str) -> str:
    return f"BOOK-{course.removeprefix('CRS-')}"
