#!/usr/bin/env python
import os
import sys

from opencoach.embedded.command import environment


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "opencoach.settings")
    with environment(sys.argv):
        from django.core.management import execute_from_command_line

        execute_from_command_line(sys.argv)


if __name__ == "__main__":
    main()
