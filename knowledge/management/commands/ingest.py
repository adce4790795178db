"""`manage.py ingest PATH... --workspace SLUG`: files and folders into knowledge, here and now."""

import shutil
from argparse import ArgumentParser
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from knowledge.exceptions import DocumentRefused
from knowledge.ingest import ingest_document
from knowledge.models import Document, DocumentStatus
from knowledge.services import add_document
from knowledge.texts import SUFFIXES, decode, title_from
from opencoach.accounts.models import Coach, Workspace
from opencoach.common.rls import workspace_scope


class Command(BaseCommand):
    help = "Reads .txt and .md files, and folders of them, into a coach's knowledge."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("paths", nargs="+", type=Path, metavar="PATH")
        parser.add_argument("--workspace", required=True, metavar="SLUG")
        parser.add_argument(
            "--coach", metavar="EMAIL", help="Whose knowledge it is; else the first coach's."
        )

    def handle(self, *, paths: list[Path], workspace: str, **options: Any) -> None:
        try:
            practice = Workspace.objects.get(slug=workspace)
        except Workspace.DoesNotExist:
            raise CommandError(f"There is no workspace {workspace!r}.") from None
        with workspace_scope(practice.id):
            coach = self._coach(practice, options["coach"])
            failed = self._read_all(list(self._files(paths)), coach)
        if failed:
            raise CommandError(f"{failed} could not be read.")

    def _coach(self, workspace: Workspace, email: str | None) -> Coach:
        coaches = Coach.objects.filter(workspace=workspace).order_by("id")
        if email:
            coaches = coaches.filter(membership__user__email=email.lower())
        coach = coaches.first()
        if coach is None:
            raise CommandError(f"{workspace.name} has no such coach.")
        return coach

    def _files(self, paths: list[Path]) -> Iterator[Path]:
        for path in paths:
            if not path.is_dir():
                yield path
                continue
            for file in sorted(p for p in path.rglob("*") if p.is_file()):
                if file.suffix.lower() in SUFFIXES:
                    yield file
                else:
                    self._say(file, "skipped: not .txt or .md")

    def _read_all(self, files: list[Path], coach: Coach) -> int:
        failed = 0
        for done, file in enumerate(files):
            self._bar(done, len(files), file.name)
            result, well = _read(file, coach)
            failed += not well
            self._say(file, result)
        self._bar(len(files), len(files))
        if self.stderr.isatty():
            self.stderr.write("")
        return failed

    def _say(self, file: Path, result: str) -> None:
        if self.stderr.isatty():
            self.stderr.write("\r\x1b[K", ending="")  # takes the bar away
        self.stdout.write(f"{file}: {result}")

    def _bar(self, done: int, of: int, name: str = "") -> None:
        """Where nobody watches, the line a file is enough."""
        if self.stderr.isatty():
            filled = 24 * done // max(of, 1)
            line = f"[{'█' * filled}{'·' * (24 - filled)}] {done}/{of} {name}"
            self.stderr.write(
                "\r\x1b[K" + line[: shutil.get_terminal_size().columns - 1], ending=""
            )
            self.stderr.flush()


def _read(file: Path, coach: Coach) -> tuple[str, bool]:
    """What became of it, in words, and whether it is well."""
    try:
        text = decode(file.read_bytes())
        document, created = add_document(coach=coach, title=title_from(file.name), text=text)
    except OSError as error:
        return f"failed: {error.strerror}", False
    except DocumentRefused as refused:
        return f"failed: {refused}", False
    if not created and document.status == DocumentStatus.READY:
        return "known already", True
    ingest_document(document.id)
    document = Document.objects.defer("text").get(id=document.id)
    match document.status:
        case DocumentStatus.READY:
            return f"read, passages: {document.passage_count}", True
        case DocumentStatus.FAILED:
            return f"failed: {document.error}", False
        case _:
            return "a worker is reading it", True
