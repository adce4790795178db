"""What the offline provider can say. Every line is true of any coach and any client."""

import re
from dataclasses import dataclass

# Where a long sentence can be cut without losing its sense.
CLAUSE_STARTS = frozenset({"and", "but", "because", "so", "while", "although", "which", "or"})

BRIEF = (
    "I am with you. Take all the time that you need.",
    "Good, let us stay with that for a moment.",
    "Thank you. We can go on from right here.",
)
TOLD = (
    "I hear you when you say “{words}”.",
    "Thank you for telling me. “{words}” is worth staying with for a moment.",
    "“{words}”: let us look at that together.",
)
ASKED = (
    "You ask: “{words}” That is a question worth your time.",
    "“{words}” I am glad that you bring that here.",
    "Let us take your question seriously: “{words}”",
)
CITED = (
    "In “{title}” there is a sentence that fits here: “{quote}” [{n}]",
    "“{title}” puts it this way: “{quote}” [{n}]",
    "This line from “{title}” comes to mind: “{quote}” [{n}]",
)
CITED_UNTITLED = (
    "One sentence from the material fits here: “{quote}” [{n}]",
    "The material puts it this way: “{quote}” [{n}]",
)


@dataclass(frozen=True, slots=True)
class Mood:
    cues: str
    """Beginnings of words, as a regular expression."""
    reflections: tuple[str, ...]
    offers: tuple[str, ...]
    questions: tuple[str, ...]


_SMALL_STEPS = (
    "You do not have to solve all of it today; one honest step, small enough for this week, "
    "will teach you more than a perfect plan.",
    "It can help to write it down in one plain sentence and to see what changes once it stands "
    "on paper.",
    "Notice which part of this is yours to decide; that is where your effort will count.",
    "There is no hurry in this conversation, so let us be curious before we are clever.",
)

MOODS = {
    "arriving": Mood(
        "",
        (
            "It is good to hear from you. Let us take a moment to arrive before we start.",
            "Hello, and thank you for making this time for yourself.",
            "Welcome. There is no right place to begin here, so begin wherever you are.",
        ),
        (
            "You can bring a decision, a worry, a goal, or only a feeling that has no name yet.",
            "We can go slowly: first what is on your mind, then what you would like to change, "
            "and only after that what to do about it.",
            "Nothing has to be well put here; a few plain words are plenty to begin with.",
            "What you tell me helps me to ask better questions, and the answers stay yours.",
        ),
        (
            "What would make this conversation worth your time today?",
            "What is on your mind as you arrive here?",
            "What would you like to be different by the end of this week?",
        ),
    ),
    "overwhelmed": Mood(
        r"overwhelm|too much|exhaust|tired|burn(?:t|ed|ing)? ?out|stress|drain|swamp|no time",
        (
            "That is a lot to carry, and it makes sense that you feel the weight of it.",
            "It sounds as if much has asked for you at once, and very little of it gave back.",
        ),
        (
            "When everything is loud, choosing what can wait is already progress.",
            "Rest is part of the work too: a short pause today may do more than another hour of "
            "pushing through.",
            *_SMALL_STEPS,
        ),
        (
            "If you could put down just one thing this week, what would it be?",
            "What would feel lighter by Friday if you changed only one thing?",
            "What is one thing on your list that matters less than it pretends to?",
        ),
    ),
    "afraid": Mood(
        r"afraid|fear|scared|anxi|nervous|worr|terrif|panic|doubt|impost[eo]r|not good enough",
        (
            "It takes some courage to say that out loud.",
            "Fear often stands next to something that matters to you, so let us listen to both.",
        ),
        (
            "You can be unsure and still take a first step; confidence tends to come after it, "
            "not before.",
            "Sometimes it helps to name the worst case in one sentence, and then to ask how "
            "likely it really is.",
            *_SMALL_STEPS,
        ),
        (
            "What would you try if being nervous were allowed to come along?",
            "What does this worry want to protect?",
            "What would you say to a good friend who stood where you stand?",
        ),
    ),
    "stuck": Mood(
        r"stuck|procrast|putt?(?:ing)? (?:it )?off|avoid|can(?:no|')t (?:decide|start|seem)|"
        r"don't know|do not know|unsure|confus|(?:feel|i'm|am|so) lost|blocked|torn",
        (
            "Being stuck is rarely laziness; more often two good reasons pull in different "
            "directions.",
            "It sounds as if part of you is ready to move and another part still has a question.",
        ),
        (
            "A first step of ten minutes counts, even when it feels almost too small to mention.",
            "Instead of looking for the right answer, you could look for the next small "
            "experiment.",
            *_SMALL_STEPS,
        ),
        (
            "What is the smallest step that you could take before tomorrow evening?",
            "What becomes possible once this is decided?",
            "What do you already know about this that you have not yet acted on?",
        ),
    ),
    "grieving": Mood(
        r"grief|griev|passed away|died|death|funeral|(?:i|we) lost (?:my|our|a|him|her)",
        (
            "I am sorry. Thank you for trusting this place with something so heavy.",
            "I am sorry for what you are going through. Nothing has to be solved right now.",
        ),
        (
            "Grief keeps its own time, and there is no right way to go through it.",
            "It is allowed to do less than usual for a while, and to let other people help.",
            "We can simply stay with this for as long as you want, without making a plan of it.",
            "If the days feel long, it may help to think only as far as this evening.",
        ),
        (
            "What would be a kindness to yourself today?",
            "Who could be near you in the next days?",
            "What would you like to be remembered here?",
        ),
    ),
    "hurt": Mood(
        r"sad|lonely|alone|hurt|angry|anger|frustrat|upset|disappoint|conflict|argu|fight|guilt|asham",
        (
            "That sounds painful, and I am glad that you did not keep it to yourself.",
            "There is strong feeling in that, and it deserves room before any advice.",
        ),
        (
            "A feeling like this usually points at something that you care about and that did "
            "not get what it needed.",
            "You can take the feeling seriously without having to act on it tonight.",
            *_SMALL_STEPS,
        ),
        (
            "What did you need in that moment that you did not get?",
            "What would you want the other person to understand?",
            "What would taking good care of yourself look like in the next two days?",
        ),
    ),
    "proud": Mood(
        r"(?:i'm|i am|so|really|very) (?:proud|happy|glad|excited|grateful)|managed to|did it\b|"
        r"(?:great|good) news|finally (?:told|did|made|said|finished|started|asked|had|got|sent)",
        (
            "That is worth celebrating, so let us not hurry past it.",
            "Well done. You made that happen, and it shows.",
        ),
        (
            "Progress stays when we know what made it possible, so it is worth a closer look.",
            "You might write down what you did differently this time; you will want it on a "
            "harder day.",
            *_SMALL_STEPS,
        ),
        (
            "What did you do that made this possible?",
            "How could you make more room for this in the coming weeks?",
            "What does this success tell you about yourself?",
        ),
    ),
    "open": Mood(
        "",
        (
            "There seems to be something in it that matters to you.",
            "Let us find out together what lies underneath it.",
        ),
        _SMALL_STEPS,
        (
            "What would be different if this went the way that you hope?",
            "What makes this important to you right now?",
            "When you picture yourself three months from now, what has changed?",
            "What have you already tried, and what did it teach you?",
            "What would a good outcome look like to you?",
        ),
    ),
}

_GREETING = re.compile(
    r"(?:hi|hello|hey|hallo|good (?:morning|afternoon|evening|day))\b[\w ,!.👋]{0,20}$",
    re.IGNORECASE,
)

_COMMON = """
the and for that this with have has had you your yours are was were not but from they them what
when how why who which would could should can will just about into out over then than there here
some any all more most very really want need feel like get got its it's been being did does doing
our their his her she him because also only even much many every everybody everyone everything
something someone let make made yes okay thanks thank hello
"""
STOP_WORDS = frozenset(_COMMON.split())

_NEGATION = re.compile(r"(?:\bnot|\bnever|n't|\bno|\bhardly|\bif)(?: \w+)? $")


def inner_quotes(text: str) -> str:
    """Quotes inside a quotation step down one level."""
    curly = re.sub(r'"([^"]*)"', r"‘\1’", text)
    return curly.replace("“", "‘").replace("”", "’").replace('"', "’")


def mood_of(said: str) -> str:
    """The mood that the client's words name first; "open" when they name none."""
    if not said or _GREETING.match(said):
        return "arriving"
    text = said.lower().replace("’", "'")
    found = [
        (match.start(), name)
        for name, mood in MOODS.items()
        if mood.cues
        for match in re.finditer(rf"\b(?:{mood.cues})", text)
        if not _NEGATION.search(text[: match.start()])
    ]
    return min(found)[1] if found else "open"
