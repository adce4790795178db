"""The coach's forms. Models hold the limits; services do the writing."""

from typing import Any

from django import forms

from opencoach.accounts.models import ApiKey, Client, Coach, Workspace


class _Styled:
    """Gives every widget the class that the stylesheet knows."""

    fields: dict[str, forms.Field]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for field in self.fields.values():
            field.widget.attrs["class"] = "input"


class ClientForm(_Styled, forms.ModelForm):  # type: ignore[type-arg]  # not generic at run time
    class Meta:
        model = Client
        fields = ("name", "email")
        help_texts = {"email": "So that you find them by it; nothing is sent."}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["name"].required = True


class ProfileForm(_Styled, forms.ModelForm):  # type: ignore[type-arg]  # not generic at run time
    class Meta:
        model = Coach
        fields = ("name", "clone_name", "greeting", "approach")
        labels = {
            "name": "Your name",
            "clone_name": "Name of your clone",
            "approach": "How you work",
        }
        help_texts = {"greeting": "The first thing a client reads in a new conversation."}
        widgets = {
            "greeting": forms.Textarea(attrs={"rows": 3}),
            "approach": forms.Textarea(attrs={"rows": 6}),
        }


class WorkspaceForm(_Styled, forms.ModelForm):  # type: ignore[type-arg]  # not generic at run time
    class Meta:
        model = Workspace
        fields = ("name",)


class ApiKeyForm(_Styled, forms.ModelForm):  # type: ignore[type-arg]  # not generic at run time
    class Meta:
        model = ApiKey
        fields = ("name",)
        labels = {"name": "Name for a new key"}
        help_texts = {"name": "So that you know later what uses it. The key may do everything."}


class ProviderKeyForm(forms.Form):
    secret = forms.CharField(max_length=400)
