"""Small OneRoster archives, made for a test and changed by it."""

import io
import zipfile
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

TODAY = datetime.now(UTC).date()
BEGAN = (TODAY - timedelta(days=60)).isoformat()
ENDS = (TODAY + timedelta(days=120)).isoformat()
ENDED = (TODAY - timedelta(days=1)).isoformat()

HEADERS = {
    "orgs": "sourcedId,status,dateLastModified,name,type,identifier,parentSourcedId,"
    "metadata.sector,metadata.latitude,metadata.longitude,metadata.phone",
    "academicSessions": "sourcedId,status,dateLastModified,title,type,startDate,endDate,parentSourcedId,schoolYear",
    "courses": "sourcedId,status,dateLastModified,schoolYearSourcedId,title,courseCode,grades,orgSourcedId,subjects,"
    "subjectCodes",
    "classes": "sourcedId,status,dateLastModified,title,grades,courseSourcedId,classCode,classType,location,"
    "schoolSourcedId,termSourcedIds,subjects,subjectCodes,periods",
    "users": "sourcedId,status,dateLastModified,enabledUser,username,userIds,givenName,familyName,middleName,"
    "identifier,email,sms,phone,agentSourcedIds,grades,password,userMasterIdentifier,resourceSourcedIds,"
    "preferredGivenName,preferredMiddleName,preferredFamilyName,primaryOrgSourcedId,pronouns",
    "roles": "sourcedId,status,dateLastModified,userSourcedId,roleType,role,beginDate,endDate,orgSourcedId,"
    "userProfileSourcedId",
    "demographics": "sourcedId,status,dateLastModified,birthDate,sex,americanIndianOrAlaskaNative,asian,"
    "blackOrAfricanAmerican,nativeHawaiianOrOtherPacificIslander,white,demographicRaceTwoOrMoreRaces,"
    "hispanicOrLatinoEthnicity,countryOfBirthCode,stateOfBirthAbbreviation,cityOfBirth,publicSchoolResidenceStatus",
    "enrollments": "sourcedId,status,dateLastModified,classSourcedId,schoolSourcedId,userSourcedId,role,primary,"
    "beginDate,endDate",
}
NOT_SENT = (
    "categories", "classResources", "courseResources", "lineItemLearningObjectiveIds", "lineItems",
    "lineItemScoreScales", "resources", "resultLearningObjectiveIds", "results", "resultScoreScales", "scoreScales",
    "userProfiles", "userResources",
)  # fmt: skip


@dataclass
class Roster:
    """The lines of each file; a test changes what it likes and zips it."""

    files: dict[str, list[str]] = field(default_factory=dict)
    manifest: list[str] = field(default_factory=list)

    def drop(self, file: str, *starts: str) -> "Roster":
        """Without the lines that begin so."""
        self.files[file] = [line for line in self.files[file] if not line.startswith(starts)]
        return self

    def put(self, file: str, before: str, after: str) -> "Roster":
        """With this text in place of that, which must be there."""
        assert any(before in line for line in self.files[file]), before
        self.files[file] = [line.replace(before, after) for line in self.files[file]]
        return self

    def add(self, file: str, *lines: str) -> "Roster":
        self.files[file] += lines
        return self

    def line_of(self, file: str, start: str) -> int:
        """The number of the line that begins so."""
        return next(number for number, line in enumerate(self.files[file], 1) if line.startswith(start))

    def zip(self, extra: Iterable[tuple[str, bytes]] = ()) -> bytes:
        """The archive."""
        held = io.BytesIO()
        with zipfile.ZipFile(held, "w", zipfile.ZIP_DEFLATED) as zipped:
            zipped.writestr("manifest.csv", "\r\n".join(self.manifest) + "\r\n")
            for name, lines in self.files.items():
                zipped.writestr(f"{name}.csv", "\r\n".join(lines) + "\r\n")
            for name, content in extra:
                zipped.writestr(name, content)
        return held.getvalue()


def a_roster(students: int = 30, schools: tuple[str, ...] = ("north", "south")) -> Roster:
    """A district of OneRoster 1.2 with two schools, a class and a teacher each, and students shared out among them."""
    files = {name: [header] for name, header in HEADERS.items()}
    files["orgs"].append("district,,,The District,district,D1,,,,,")
    files["academicSessions"] += [
        f"year,,,The year,schoolYear,{BEGAN},{ENDS},,2027",
        f"term,,,The term,term,{BEGAN},{ENDS},year,2027",
    ]
    files["courses"].append('maths,,,year,Mathematics 4,M4,"4,5",district,Mathematics,')
    for number, school in enumerate(schools):
        files["orgs"].append(f"{school},,,School {school},school,S{number},district,charter,40.5,-73.9,555-0100")
        files["classes"].append(f"class-{school},,,Maths {school},4,maths,M,scheduled,R1,{school},term,Mathematics,,1")
        files["users"].append(f"teacher-{school},,,true,t{number},,Tea,Cher,,,,,,,,secret,,,,,,{school},")
        files["roles"].append(f"r-teacher-{school},,,teacher-{school},primary,teacher,{BEGAN},,{school},")
        files["enrollments"].append(
            f"e-teacher-{school},,,class-{school},{school},teacher-{school},teacher,true,{BEGAN},{ENDS}"
        )
    for number in range(students):
        school, name = schools[number % len(schools)], f"s{number:03}"
        files["users"].append(f"{name},,,true,{name},{{LDAP:{number}}},Given{number},Family{number:03},,,,,,,4,,,,,,,,")
        files["roles"].append(f"r-{name},,,{name},primary,student,{BEGAN},,{school},")
        files["enrollments"].append(f"e-{name},,,class-{school},{school},{name},student,,{BEGAN},{ENDS}")
        files["demographics"].append(f"{name},,,2016-05-01,female,false,true,false,false,false,false,false,US,NY,,")
    manifest = ["propertyName,value", "manifest.version,1.0", "oneroster.version,1.2"]
    manifest += [f"file.{name},bulk" for name in files] + [f"file.{name},absent" for name in NOT_SENT]
    return Roster(files, manifest)


def an_old_roster(students: int = 30) -> Roster:
    """The same district as OneRoster 1.1: roles are in the users' rows."""
    roster = a_roster(students)
    held = {line.split(",")[3]: line.split(",") for line in roster.files.pop("roles")[1:]}
    users = ["sourcedId,status,dateLastModified,enabledUser,orgSourcedIds,role,username,userIds,givenName,familyName,"
             "middleName,identifier,email,sms,phone,agentSourcedIds,grades,password"]  # fmt: skip
    for line in roster.files["users"][1:]:
        cells = line.split(",")[:16]
        users.append(",".join([*cells[:4], held[cells[0]][8], held[cells[0]][5], *cells[4:]]))
    roster.files["users"] = users
    new = {"lineItemLearningObjectiveIds", "lineItemScoreScales", "resultLearningObjectiveIds", "resultScoreScales",
           "roles", "scoreScales", "userProfiles", "userResources"}  # fmt: skip
    roster.manifest = [
        line.replace("version,1.2", "version,1.1")
        for line in roster.manifest
        if line.partition(",")[0].removeprefix("file.") not in new
    ]
    return roster
