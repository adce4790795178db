"""What models cannot say: the workspace policy, and what PostgreSQL must not change."""

from django.db import migrations

from opencoach.common.rls import AppendOnly, IsolateByWorkspace


class Migration(migrations.Migration):
    dependencies = [("usage", "0001_initial")]
    operations = [
        IsolateByWorkspace("usage_ledgerentry"),
        AppendOnly("usage_ledgerentry", "usage_modelprice"),
    ]
