"""The demo practice that a fresh installation opens with: people, a coach's voice, real texts."""

from opencoach.demo.practice import load

__all__ = ["load"]
