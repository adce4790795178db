from io import StringIO
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from knowledge.models import Document
from tests.conftest import Cast
from tests.knowledge.conftest import RETAINER, SLEEP


def run(*paths: Path, workspace: str = "here", **options: str) -> str:
    out = StringIO()
    call_command("ingest", *paths, workspace=workspace, stdout=out, stderr=StringIO(), **options)
    return out.getvalue()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "deep" / "er").mkdir(parents=True)
    (tmp_path / "pricing.md").write_text(RETAINER)
    (tmp_path / "deep" / "er" / "sleep.TXT").write_text(SLEEP)
    (tmp_path / "deep" / "photo.jpg").write_bytes(b"\xff\xd8")
    return tmp_path


def test_a_folder_is_read_with_all_that_is_in_it(here: Cast, folder: Path) -> None:
    said = run(folder)
    assert "pricing.md: read, passages: 1" in said
    assert "photo.jpg: skipped: not .txt or .md" in said
    assert {(d.title, d.status, d.coach_id) for d in Document.objects.all()} == {
        ("pricing", "ready", here.alice.coach.id),  # type: ignore[union-attr]
        ("sleep", "ready", here.alice.coach.id),  # type: ignore[union-attr]
    }


def test_a_second_run_finds_all_known(here: Cast, folder: Path) -> None:
    run(folder)
    assert run(folder).count("known already") == 2
    assert Document.objects.count() == 2


def test_the_coach_may_be_named(here: Cast, folder: Path) -> None:
    run(folder / "pricing.md", coach="BOB@example.com")
    assert Document.objects.get().coach == here.bob.coach
    with pytest.raises(CommandError, match="no such coach"):
        run(folder, coach="charlie@example.com")


def test_one_bad_file_fails_alone_and_the_exit_code_says_so(here: Cast, folder: Path) -> None:
    (folder / "a.md").write_bytes(b"%PDF-1.7")
    with pytest.raises(CommandError, match="1 could not be read") as failed:
        run(folder)
    assert failed.value.returncode == 1
    assert Document.objects.count() == 2
    with pytest.raises(CommandError, match="1 could not be read"):
        run(folder / "missing.md")


def test_a_workspace_that_is_not_there_is_named(cast: Cast, folder: Path) -> None:
    with pytest.raises(CommandError, match="no workspace 'nowhere'"):
        run(folder, workspace="nowhere")
