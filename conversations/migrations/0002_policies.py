"""What models cannot say: the workspace policy, and what PostgreSQL must not change."""

from django.db import migrations

from opencoach.common.rls import IsolateByWorkspace


class Migration(migrations.Migration):
    dependencies = [("conversations", "0001_initial")]
    operations = [
        IsolateByWorkspace("conversations_conversation", "conversations_turn", "conversations_message", "conversations_conversationevent"),
    ]
