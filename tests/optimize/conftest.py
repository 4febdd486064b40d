"""The same scripted judge and private folder as the tests of evaluation."""

from tests.evaluate.conftest import judge, own_home  # noqa: F401 — fixtures
