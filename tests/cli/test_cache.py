"""`utta cache clear`: the kept answers go, and nothing else."""

from click.testing import CliRunner

from utta.cli.main import cli


def clear():
    return CliRunner().invoke(cli, ["cache", "clear"], prog_name="utta")


def test_the_answers_go_and_the_models_stay(tmp_path, monkeypatch):
    monkeypatch.setenv("UTTA_HOME", str(tmp_path))
    (tmp_path / "answers" / "00").mkdir(parents=True)
    (tmp_path / "answers" / "00" / "what-a-student-wrote.bin").write_bytes(b"x" * 1_500_000)
    (tmp_path / "models").mkdir()
    done = clear()
    assert (done.exit_code, done.stdout) == (0, "Deleted 1.5 MB of kept answers.\n")
    assert [path.name for path in tmp_path.iterdir()] == ["models"]
    assert clear().stdout == "Deleted 0.0 MB of kept answers.\n"


def test_an_answer_that_is_kept_is_gone_afterwards(tmp_path, monkeypatch):
    import dspy

    from utta.models.load import use_own_cache

    monkeypatch.setenv("UTTA_HOME", str(tmp_path))
    monkeypatch.delenv("UTTA_CACHE", raising=False)
    monkeypatch.setattr(dspy, "cache", dspy.cache)  # to be put back
    question = {"state": "what a student wrote"}
    use_own_cache()
    dspy.cache.put(question, {"answer": 1})
    use_own_cache()
    assert dspy.cache.get(question) == {"answer": 1}
    assert clear().exit_code == 0
    use_own_cache()
    assert dspy.cache.get(question) is None
