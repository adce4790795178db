from django.contrib.admin.apps import AdminConfig


class PlatformAdminConfig(AdminConfig):
    """Stands for `django.contrib.admin` in `INSTALLED_APPS`: it brings our site with it."""

    default_site = "opencoach.common.admin.PlatformSite"
