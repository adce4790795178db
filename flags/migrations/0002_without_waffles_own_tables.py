"""waffle makes tables for its own flag model, which ours stands for.

Empty as they are, two of them hold keys into our users and groups, which then cannot be truncated
alone: tests that commit do that after each test.
"""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("flags", "0001_initial"), ("waffle", "0004_update_everyone_nullbooleanfield")]
    operations = [
        migrations.RunSQL(
            "DROP TABLE waffle_flag_groups, waffle_flag_users", migrations.RunSQL.noop
        )
    ]
