"""The thread: conversations, what was said, what happened, and each turn's why-record.

Messages and events of a conversation share one sequence (`seq`), given out under the conversation's
row lock: together they are its append-only log, and no text is stored twice.
"""

from uuid import UUID

from django.db import models
from django.utils.timezone import now

from opencoach.accounts.tenancy import HotTenantModel, TenantModel


class Mode(models.TextChoices):
    """Who holds the conversation."""

    AI = "ai"
    WAITING = "waiting", "waiting for a human"
    HUMAN = "human"
    PAUSED = "paused"
    COMPLETED = "completed"


class Source(models.TextChoices):
    """Who wrote a message."""

    CLIENT = "client"
    AI = "ai"
    HUMAN_COACH = "human_coach"
    SYSTEM = "system"


class Conversation(TenantModel):
    client = models.ForeignKey(
        "accounts.Client", on_delete=models.CASCADE, related_name="conversations"
    )
    coach = models.ForeignKey(
        "accounts.Coach", on_delete=models.PROTECT, related_name="conversations"
    )
    mode = models.CharField(max_length=10, choices=Mode, default=Mode.AI)
    holder = models.ForeignKey(
        "accounts.Coach",
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        related_name="held_conversations",
        help_text="The human coach who has taken over.",
    )
    epoch = models.PositiveIntegerField(
        default=0,
        help_text="Rises on every intervention and re-run; a turn commits only at its own.",
    )
    last_seq = models.PositiveIntegerField(default=0)
    last_client_seq = models.PositiveIntegerField(default=0)
    answered_seq = models.PositiveIntegerField(
        default=0, help_text="Client messages after this one still want an answer."
    )
    needs_human = models.BooleanField(default=False)
    note_for_clone = models.TextField(blank=True, help_text="The coach's note at hand-back.")
    created_at = models.DateTimeField(default=now, editable=False)
    last_message_at = models.DateTimeField(default=now)

    client_id: UUID
    coach_id: UUID
    holder_id: UUID | None

    class Meta:
        indexes = [
            models.Index(fields=["workspace", "-id"], name="conversations_newest"),
            models.Index(fields=["client", "-id"], name="conversations_of_client"),
        ]

    def __str__(self) -> str:
        return f"Conversation {self.id}"

    @property
    def has_pending(self) -> bool:
        """Whether the client said something that nobody has answered yet."""
        return self.last_client_seq > self.answered_seq


class TurnStatus(models.TextChoices):
    RUNNING = "running"
    COMPLETED = "completed"
    DISCARDED = "discarded", "discarded: a human stepped in"
    FAILED = "failed"


class Turn(HotTenantModel):
    """From what the client said to one reply: the why-record, the retry handle, the replay input.

    While it runs, the process that runs it holds a lease; a sweeper runs a turn whose lease is
    over again under a new epoch, so that one run commits.
    """

    conversation = models.ForeignKey(
        Conversation, on_delete=models.CASCADE, related_name="turns", db_index=False
    )
    status = models.CharField(max_length=10, choices=TurnStatus, default=TurnStatus.RUNNING)
    epoch = models.PositiveIntegerField()
    attempt = models.PositiveSmallIntegerField(default=1)
    lease_until = models.DateTimeField()
    input_seq = models.PositiveIntegerField(
        help_text="The last client message that this turn has read: it answers up to here."
    )
    trace_id = models.CharField(max_length=32)
    created_at = models.DateTimeField(default=now)
    finished_at = models.DateTimeField(null=True)
    error = models.CharField(max_length=200, blank=True)
    record = models.JSONField(default=dict)
    """Why it said that: model, prompt version, passages with scores, stage timings (`*_ms`)."""

    conversation_id: UUID

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["conversation"],
                condition=models.Q(status="running"),
                name="one_running_turn",
            )
        ]
        indexes = [models.Index(fields=["conversation", "id"], name="turns_of_conversation")]

    def __str__(self) -> str:
        return f"Turn {self.id} ({self.status})"


class Message(HotTenantModel):
    conversation = models.ForeignKey(
        Conversation, on_delete=models.CASCADE, related_name="messages", db_index=False
    )
    seq = models.PositiveIntegerField()
    source = models.CharField(max_length=11, choices=Source)
    content = models.TextField()
    client_message_id = models.CharField(max_length=100, null=True)
    author_name = models.CharField(max_length=120, blank=True)
    # No constraint: to check it, erasing a turn would read the whole table. Both rows hang on the
    # conversation, and go with it.
    turn = models.ForeignKey(
        Turn,
        on_delete=models.DO_NOTHING,
        null=True,
        related_name="replies",
        db_constraint=False,
        db_index=False,
    )
    citations = models.JSONField(default=list)
    metadata = models.JSONField(default=dict)
    created_at = models.DateTimeField(default=now)

    conversation_id: UUID
    turn_id: UUID | None

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["conversation", "seq"], name="message_seq_once"),
            models.UniqueConstraint(
                fields=["conversation", "client_message_id"],
                condition=models.Q(client_message_id__isnull=False),
                name="message_accepted_once",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.source} #{self.seq}"


class ConversationEvent(HotTenantModel):
    """What happened besides messages: `mode.changed`, `turn.failed`, … Never changed."""

    conversation = models.ForeignKey(
        Conversation, on_delete=models.CASCADE, related_name="events", db_index=False
    )
    seq = models.PositiveIntegerField()
    type = models.CharField(max_length=40)
    payload = models.JSONField(default=dict)
    created_at = models.DateTimeField(default=now)

    conversation_id: UUID

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["conversation", "seq"], name="event_seq_once")
        ]

    def __str__(self) -> str:
        return f"{self.type} #{self.seq}"
