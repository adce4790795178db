import pytest
from django.core.management import call_command

from opencoach.accounts.checks import check_database_role, role_errors


def test_our_own_role_passes(db: None) -> None:
    assert check_database_role(databases=["default"]) == []
    call_command("check", databases=["default"])


def test_without_a_database_named_nothing_is_asked() -> None:
    assert check_database_role() == []


@pytest.mark.parametrize(
    ("is_super", "bypasses", "why"), [(True, False, "superuser"), (False, True, "BYPASSRLS")]
)
def test_a_role_that_policies_do_not_bind_is_an_error_that_says_what_to_do(
    is_super: bool, bypasses: bool, why: str
) -> None:
    (error,) = role_errors("default", "root", is_super=is_super, bypasses=bypasses)
    assert error.is_serious()
    assert why in error.msg
    assert "DATABASE_URL" in str(error.hint)
