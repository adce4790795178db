from django.contrib import admin
from waffle.models import Sample, Switch

from flags.models import Flag
from opencoach.common.admin import ModelAdmin


@admin.register(Flag)
class FlagAdmin(ModelAdmin):
    list_display = ("name", "everyone", "percent", "superusers", "staff", "authenticated", "note")
    search_fields = ("name",)
    filter_horizontal = ("groups", "users")


# One kind of switch: whatever a switch or a sample can say, a flag can.
for model in (Switch, Sample):
    if admin.site.is_registered(model):
        admin.site.unregister(model)
