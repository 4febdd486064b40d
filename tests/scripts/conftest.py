from tests.distill.conftest import tiny  # noqa: F401 — a fixture
