"""What all tests share: the option that rewrites golden files."""

import pathlib

import pytest

ROOT = pathlib.Path(__file__).resolve().parent.parent


def pytest_addoption(parser):
    parser.addoption("--update-goldens", action="store_true", help="rewrite the golden files instead of comparing")


@pytest.fixture
def golden(request):
    """Compare text with a golden file under tests/, or rewrite the file on --update-goldens."""

    def check(path: str, text: str) -> None:
        file = ROOT / "tests" / path
        if request.config.getoption("--update-goldens"):
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text, encoding="utf-8")
        assert file.exists(), f"{path} is missing: run pytest --update-goldens"
        assert text == file.read_text(encoding="utf-8"), f"{path} differs: if that is meant, run pytest --update-goldens"

    return check
