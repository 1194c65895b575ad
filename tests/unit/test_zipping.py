"""An archive that is sent while it is written."""

import io
import zipfile

from shared.zipping import StreamedZip

CONTENT = b"".join(b"s%06d,,,Given%d,Family%d\n" % (number, number % 97, number % 31) for number in range(20_000))


def _packed(level: int) -> bytes:
    archive = StreamedZip("what it is", level=level)
    pieces = [archive.begin("users.csv"), archive.add(CONTENT), archive.begin("orgs.csv"), archive.add(b"o\n")]
    return b"".join([*pieces, archive.end()])


def test_it_is_whole_and_says_no_time() -> None:
    with zipfile.ZipFile(io.BytesIO(_packed(5))) as archive:
        assert archive.testzip() is None
        assert archive.comment == b"what it is"
        assert {one.filename: one.date_time[0] for one in archive.infolist()} == {"users.csv": 1980, "orgs.csv": 1980}
        assert archive.read("users.csv") == CONTENT


def test_it_is_packed_as_hard_as_was_asked() -> None:
    assert len(_packed(9)) < len(_packed(1)) < len(CONTENT) / 2
