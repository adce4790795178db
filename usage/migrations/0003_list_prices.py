"""The vendors' list prices as of November 2026, per million tokens: prompt, cached, completion.

Anthropic: platform.claude.com, "Pricing"; OpenAI: developers.openai.com, "Pricing". Bedrock asks
the same for its global endpoints, and a tenth more for those of one region. Not in the table:
Haiku 5.5 costs more for prompts of over 100,000 tokens, which no coaching prompt has.
A price that changes later is a new row, in the admin.
"""

from datetime import UTC, datetime
from decimal import Decimal

from django.db import migrations

VALID_FROM = datetime(2025, 1, 1, tzinfo=UTC)
ANTHROPIC = {
    "claude-haiku-4-5": ("1", "0.10", "5"),
    "claude-haiku-5-5": ("0.10", "0.01", "0.50"),
    "claude-sonnet-4-5": ("3", "0.30", "15"),
    "claude-sonnet-4-6": ("3", "0.30", "15"),
    "claude-sonnet-5": ("2", "0.20", "10"),
    "claude-sonnet-5-5": ("2", "0.10", "10"),
    "claude-opus-4-5": ("5", "0.50", "25"),
    "claude-opus-5": ("5", "0.50", "25"),
    "claude-opus-5-5": ("4", "0.20", "20"),
}
OPENAI = {
    "gpt-4o": ("2.50", "1.25", "10"),
    "gpt-4o-mini": ("0.15", "0.075", "0.60"),
    "gpt-4.1": ("2", "0.50", "8"),
    "gpt-4.1-mini": ("0.40", "0.10", "1.60"),
    "gpt-4.1-nano": ("0.10", "0.025", "0.40"),
    "gpt-5": ("1.25", "0.125", "10"),
    "gpt-5-mini": ("0.25", "0.025", "2"),
    "gpt-5-nano": ("0.05", "0.005", "0.40"),
    "gpt-5.4": ("2.50", "0.25", "15"),
    "gpt-5.4-mini": ("0.75", "0.075", "4.50"),
    "text-embedding-3-small": ("0.02", "0.02", "0"),
    "text-embedding-3-large": ("0.13", "0.13", "0"),
}
PRICES = {
    "anthropic": ANTHROPIC,
    "bedrock": {f"anthropic.{model}": price for model, price in ANTHROPIC.items()},
    "openai": OPENAI,
    "offline": {"offline": ("0", "0", "0")},
}


def add_list_prices(apps, schema_editor):
    ModelPrice = apps.get_model("usage", "ModelPrice")
    ModelPrice.objects.bulk_create(
        ModelPrice(
            provider=provider,
            model=model,
            valid_from=VALID_FROM,
            prompt_usd=Decimal(prompt),
            cached_usd=Decimal(cached),
            completion_usd=Decimal(completion),
        )
        for provider, prices in PRICES.items()
        for model, (prompt, cached, completion) in prices.items()
    )


class Migration(migrations.Migration):
    dependencies = [("usage", "0002_policies")]
    # Going back leaves them: the table is append-only, and dropping it takes them along.
    operations = [migrations.RunPython(add_list_prices, migrations.RunPython.noop)]
