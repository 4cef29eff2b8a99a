"""The ten answers that the vendor's script asks for: variables, flags, defaults, order. Pure.

A variable that is set, even to an empty value, is an answer. An empty answer means the default, if there is one.
"""

from __future__ import annotations

from collections.abc import Mapping

from transload.app.location import Location
from transload.errors import SettingMissing
from transload.login import Login, Secret
from transload.oci.reference import check_registry, check_repository, check_tag
from transload.values import evolve, field, frozen


@frozen(kw_only=True)
class Answers:
    """One field per question, in the order of the questions; None means not answered yet."""

    source_registry: str | None = None
    source_repository: str | None = None
    source_username: str | None = None
    source_password: str | None = field(default=None, repr=False)
    source_tag: str | None = None
    target_registry: str | None = None
    target_repository: str | None = None
    target_username: str | None = None
    target_password: str | None = field(default=None, repr=False)
    target_tag: str | None = None

    @classmethod
    def from_variables(cls, variables: Mapping[str, str]) -> Answers:
        """The answers in the variables of the vendor's script, if they are set."""
        return cls(**{question.field: variables.get(question.variable) for question in QUESTIONS})

    def over(self, below: Answers) -> Answers:
        """These answers, and those of `below` for questions without one.

        A login belongs to the registry that it was given with: if these answers name another registry, the user and
        the password of `below` are left out.
        """
        foreign = {
            name: None for side in ("source", "target") if self._elsewhere(below, side) for name in _login_of(side)
        }
        own = {name: value for name in _FIELDS if (value := getattr(self, name)) is not None}
        return evolve(below, **{**foreign, **own})

    def _elsewhere(self, below: Answers, side: str) -> bool:
        """Whether both name a registry for `side`, but different ones."""
        question = question_of(f"{side}_registry")
        registry, other = (getattr(answers, question.field) for answers in (self, below))
        return bool(registry) and other is not None and registry != (other or question.default)

    def open(self) -> tuple[Question, ...]:
        """The questions without an answer, in order."""
        return tuple(question for question in QUESTIONS if getattr(self, question.field) is None)

    def source_login(self) -> Login | None:
        """The login for the source, if a user was named."""
        return _login(self.source_username, self.source_password)

    def target_login(self) -> Login | None:
        """The login for the target, if a user was named."""
        return _login(self.target_username, self.target_password)

    def target(self) -> Location:
        """The target. Raises `SettingMissing`, `ReferenceInvalid`."""
        if not self.target_registry:
            raise missing((question_of("target_registry"),))
        prefix = (self.target_repository or "").strip("/")
        return Location("registry", check_registry(self.target_registry), check_repository(prefix) if prefix else "")

    def checked(self) -> Answers:
        """The same, with empty answers as None. Raises `ReferenceInvalid` for an invalid registry, path or tag."""
        values = {name: getattr(self, name) or None for name in _FIELDS}
        checks = {
            "registry": check_registry,
            "repository": lambda path: check_repository(path.strip("/")),
            "tag": check_tag,
        }
        for name in _FIELDS:
            check = checks.get(name.partition("_")[2])
            if check and values[name] and name != "source_tag":  # a release may also be named by a part, or a range
                values[name] = check(values[name])
        return Answers(**values)


@frozen
class Question:
    """One of the ten: its variable, its text, the flag that answers it, the default for an empty answer."""

    variable: str
    field: str
    flag: str
    text: str
    default: str = ""
    secret: bool = False
    required: bool = False


DEFAULT_CATALOG = "arcdata"
"""The catalog to copy if only the vendor's questions are answered: the product of the vendor's script."""

QUESTIONS = (
    Question(
        "SOURCE_DOCKER_REGISTRY",
        "source_registry",
        "--source-registry",
        "Registry to copy from",
        default="mcr.microsoft.com",
    ),
    Question(
        "SOURCE_DOCKER_REPOSITORY",
        "source_repository",
        "--source-repository",
        "Repository prefix there",
        default="arcdata",
    ),
    Question("SOURCE_DOCKER_USERNAME", "source_username", "--source-username", "User there (empty for none)"),
    Question("SOURCE_DOCKER_PASSWORD", "source_password", "--source-password-stdin", "Password there", secret=True),
    Question("SOURCE_DOCKER_TAG", "source_tag", "--tag", "Release tag"),
    Question(
        "TARGET_DOCKER_REGISTRY", "target_registry", "--to", "Registry to copy to (host or host:port)", required=True
    ),
    Question("TARGET_DOCKER_REPOSITORY", "target_repository", "--to", "Repository prefix there (empty for none)"),
    Question("TARGET_DOCKER_USERNAME", "target_username", "--target-username", "User there (empty for none)"),
    Question("TARGET_DOCKER_PASSWORD", "target_password", "--target-password-stdin", "Password there", secret=True),
    Question("TARGET_DOCKER_TAG", "target_tag", "--target-tag", "Tag there"),
)
_FIELDS = tuple(question.field for question in QUESTIONS)


def missing(questions: tuple[Question, ...]) -> SettingMissing:
    """The error for missing answers when there is no terminal to ask on."""
    variables = ", ".join(question.variable for question in questions)
    flags = ", ".join(dict.fromkeys(question.flag for question in questions))
    return SettingMissing(
        f"something is missing, and there is no terminal to ask on: {variables}",
        hint=f"set {'it' if len(questions) == 1 else 'them'}, or use {flags}",
    )


def needed_without_terminal(answers: Answers) -> tuple[Question, ...]:
    """The unanswered questions that have no default: those about the target."""
    return tuple(question for question in answers.open() if question.field in {"target_registry", "target_repository"})


def question_of(name: str) -> Question:
    """The question that fills this field of the answers."""
    return next(question for question in QUESTIONS if question.field == name)


def _login_of(side: str) -> tuple[str, str]:
    return (f"{side}_username", f"{side}_password")


def _login(username: str | None, password: str | None) -> Login | None:
    return Login(username, Secret(password or "")) if username else None
