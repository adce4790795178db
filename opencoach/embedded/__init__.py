"""Real PostgreSQL and Redis servers that come as Python packages.

The default for a machine that names no DATABASE_URL and no REDIS_URL. Nothing
here imports Django: `manage.py` has the servers before settings are read.
"""

from opencoach.embedded.processes import ServerError
from opencoach.embedded.secrets import Secrets, ensure_secrets
from opencoach.embedded.servers import Urls, revive, servers, urls
from opencoach.embedded.state import data_folder

__all__ = [
    "Secrets",
    "ServerError",
    "Urls",
    "data_folder",
    "ensure_secrets",
    "revive",
    "servers",
    "urls",
]
