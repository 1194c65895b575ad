"""How a key is written."""

import re

from hypothesis import given
from hypothesis import strategies as st

from services.gateway.keys import secret

LETTERS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"


class TestAKey:
    def test_is_read_as_it_was_written(self) -> None:
        key = secret.new()

        assert secret.read(key.text) == key

    def test_has_letters_and_digits_and_256_bits(self) -> None:
        text = secret.new().text

        assert re.fullmatch(r"trl_live_[0-9A-Za-z]{12}_[0-9A-Za-z]{49}", text)
        assert 62**43 >= 2**256

    def test_is_never_the_same_twice(self) -> None:
        assert len({secret.new().text for _ in range(1_000)}) == 1_000

    @given(st.integers(9, 70), st.sampled_from(LETTERS))
    def test_with_any_letter_changed_is_a_fake(self, place: int, letter: str) -> None:
        text = secret.Key("abcdefghijkl", "A" * 43).text
        if place == 21 or text[place] == letter:
            return

        assert secret.read(text[:place] + letter + text[place + 1 :]) is None

    @given(st.text(max_size=100))
    def test_is_not_any_other_text(self, text: str) -> None:
        assert secret.read(text) is None
        assert secret.read("trl_live_" + text) is None

    def test_does_not_show_its_secret_in_a_log(self) -> None:
        key = secret.new()

        assert key.secret not in repr(key)
        assert key.secret not in f"{key}"

    def test_is_kept_under_the_pepper_and_its_own_id(self) -> None:
        key = secret.Key("abcdefghijkl", "A" * 43)

        assert key.digest("one pepper") != key.digest("another pepper")
        assert key.digest("pepper") != secret.Key("abcdefghijkm", "A" * 43).digest("pepper")
