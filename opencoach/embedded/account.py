"""PostgreSQL refuses to run as root; then an account without rights runs it.

CI and containers are where root starts us. Everyone else runs the server as
themselves and nothing here applies.
"""

import os
import pwd
import shutil
import stat
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ACCOUNT_NAME = "opencoach"


@dataclass(frozen=True)
class Account:
    uid: int
    gid: int

    def as_subprocess_arguments(self) -> dict[str, Any]:
        return {"user": self.uid, "group": self.gid, "extra_groups": []}

    def own(self, path: Path) -> None:
        os.chown(path, self.uid, self.gid)


def account_for(folder: Path) -> Account | None:
    """Who runs the server whose data is in `folder`; None means we do, not being root.

    Data that is already there stays with its owner, whatever that uid is called
    in this container.
    """
    if os.geteuid() != 0:
        return None
    if folder.exists() and (owner := folder.stat()).st_uid != 0:
        return Account(owner.st_uid, owner.st_gid)
    entry = _find_or_create()
    return Account(entry.pw_uid, entry.pw_gid)


def _find_or_create() -> pwd.struct_passwd:
    try:
        return pwd.getpwnam(ACCOUNT_NAME)
    except KeyError:
        pass
    useradd = shutil.which("useradd")
    if not useradd:
        return pwd.getpwnam("nobody")
    subprocess.run(  # noqa: S603  (the command is ours)
        [useradd, "--system", "--no-create-home", "--shell", "/bin/false", ACCOUNT_NAME],
        check=False,  # another start may have made it in the meantime: look again
        capture_output=True,
    )
    return pwd.getpwnam(ACCOUNT_NAME)


def let_pass(path: Path) -> None:
    """Let other accounts walk through the folders above `path`, without listing them."""
    for folder in path.resolve().parents:
        mode = folder.stat().st_mode
        if not mode & stat.S_IXOTH:
            folder.chmod(mode | stat.S_IXOTH)


def let_read(tree: Path) -> None:
    """Let other accounts read an installed package, which a strict umask prevents."""
    if not tree.exists():
        return
    let_pass(tree)
    for path in (tree, *tree.rglob("*")):
        if path.is_symlink():
            continue
        mode = path.stat().st_mode
        wanted = mode | stat.S_IRGRP | stat.S_IROTH
        if mode & stat.S_IXUSR:
            wanted |= stat.S_IXGRP | stat.S_IXOTH
        if wanted != mode:
            path.chmod(wanted)
