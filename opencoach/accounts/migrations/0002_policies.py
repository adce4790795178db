"""What models cannot say: the workspace policy."""

from django.db import migrations

from opencoach.common.rls import IsolateByWorkspace


class Migration(migrations.Migration):
    dependencies = [("accounts", "0001_initial")]
    operations = [
        IsolateByWorkspace("accounts_membership", "accounts_coach", "accounts_client", "accounts_apikey", "accounts_providerkey"),
    ]
