from utta.core.errors import EXIT_ERROR, EXIT_GATE, GateFailed, UttaError, shorten


def test_exit_codes():
    assert UttaError("x").exit_code == EXIT_ERROR == 1
    assert GateFailed("x").exit_code == EXIT_GATE == 100
    assert isinstance(GateFailed("x"), UttaError)


def test_shorten_makes_one_line_of_at_most_the_width():
    assert shorten("a\n b\t c") == "a b c"
    assert shorten("x" * 60) == "x" * 60
    assert shorten("x" * 61) == "x" * 59 + "…"
    assert shorten(["a", 1], width=5) == "['a'…"
