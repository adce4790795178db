"""What models cannot say: the workspace policy."""

from django.db import migrations

from opencoach.common.rls import IsolateByWorkspace


class Migration(migrations.Migration):
    dependencies = [("knowledge", "0001_initial")]
    operations = [
        IsolateByWorkspace("knowledge_document", "knowledge_passage", "knowledge_passagevector"),
    ]
