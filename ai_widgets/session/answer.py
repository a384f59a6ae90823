"""`Answer`: one answer to one clip, the offline tasks of the checkpoint (docs/protocol.md §4), token by token."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape
from typing import TYPE_CHECKING, Any

from ..errors import SettingError
from ..model.distribution import Distribution
from ..model.interfaces import LanguageModel
from ..model.overflow import not_finite
from ..protocol import Alternative, Ending, Token
from ..settings import Settings
from ..special_tokens import TOKEN_NAMES, Emotion
from .detokenize import ReplyText
from .seeded_draws import SeededDraws, first_state
from .terms import sampling_rule

if TYPE_CHECKING:
    import pandas as pd
    from torch import Tensor

MOST_TOKENS = 512
"""Default maximum number of tokens of an answer: more than the words that are spoken in 20 s."""
ANSWER_SETTINGS = ("greedy", "temperature", "top_k", "top_p", "seed", "alternatives", "system_prompt")
"""Session settings that an answer has."""
UNTRAINED = "{name} was not trained to transcribe, to translate or to answer questions: its answer means nothing."
"""Note on an answer of a checkpoint without these tasks."""


def offline_prompt(
    model: LanguageModel, frames: int, text: str | None, language: str, system_prompt: str | None
) -> tuple[list[int], int]:
    """Return the tokens before an answer, with one AUDIO_PAD for each encoder frame, and the index of the first one.

    Raises
    ------
    SettingError
        If the checkpoint has no token for the language.
    """
    traits, tokens = model.traits, model.traits.tokens
    spoken = language_token(model, language)
    prompt = model.encode_text(traits.system_prompt if system_prompt is None else system_prompt)
    opening = [name for name in traits.prefix if name not in ("ONLINE", "ENGLISH")]
    ids = [tokens["OFFLINE"], spoken]
    for name in opening:
        ids += prompt if name == "PROMPT" else [tokens[name]]
    ids.append(tokens["AUDIO_BEGIN"])
    frames_at = len(ids)
    ids += [*[tokens["AUDIO_PAD"]] * frames, tokens["AUDIO_END"]]
    if text:
        ids += [tokens["USER"], tokens["TEXT_BEGIN"], *model.encode_text(text), tokens["TEXT_END"]]
    return [*ids, tokens["ASSISTANT"], tokens["TEXT_BEGIN"]], frames_at


def languages(model: LanguageModel) -> list[str]:
    """List the languages that a checkpoint has tokens for: English, and names that are not among `TOKEN_NAMES`."""
    others = [name for name in model.traits.tokens.ids if name not in TOKEN_NAMES]
    return [name.lower() for name in ("ENGLISH", *others)]


def language_token(model: LanguageModel, language: str) -> int:
    """Return the token of a language.

    Raises
    ------
    SettingError
        If the checkpoint has none.
    """
    known = languages(model)
    if not isinstance(language, str) or language.lower() not in known:
        raise SettingError(f"language must be one of {', '.join(known)}, not {language!r}.", ("language",))
    return model.traits.tokens[language.upper()]


class Answer(Iterator[Token]):
    """Answer to one clip: iterate for its tokens as they are drawn, or take `text`, which draws the rest.

    Made by `Model.answer`.

    Attributes
    ----------
    prompt
        Token ids that were fed before the answer, with AUDIO_PAD in place of the encoder frames.
    tokens
        Tokens so far, each with probabilities and alternatives. `Token.chunk` and `Token.turn` are 0.
    ended
        How the answer ended: `TEXT_END`, or `limit` at the maximum number of tokens; None before its end.
    notes
        Sentences that a reader of the answer should know.

    Examples
    --------
    >>> answer = model.answer("clip:digit", "What was said?")
    >>> for token in answer:
    ...     print(token.text, token.p)
    >>> answer.text, answer.ended
    """

    def __init__(
        self,
        model: LanguageModel,
        frames: Tensor,
        prompt: Sequence[int],
        frames_at: int,
        settings: Settings,
        max_tokens: int,
    ) -> None:
        if isinstance(max_tokens, bool) or not isinstance(max_tokens, int) or max_tokens < 1:
            raise SettingError(f"max_tokens must be a whole number of at least 1, not {max_tokens!r}.", ("max_tokens",))
        if len(prompt) + 1 > model.positions:
            raise SettingError(
                f"The prompt has {len(prompt)} tokens, but {model.name} has {model.positions} positions; shorten the "
                "text, the system prompt or the clip."
            )
        self.prompt = tuple(prompt)
        self.tokens: list[Token] = []
        self.ended: Ending | None = None
        self.notes: tuple[str, ...] = () if model.traits.offline_tasks else (UNTRAINED.format(name=model.name),)
        self._model, self._frames, self._frames_at = model, frames, frames_at
        self._settings, self._rule = settings, sampling_rule(settings, model.rule)
        self._left = min(max_tokens, model.positions - len(prompt))
        self._draws, self._random = SeededDraws(), first_state(settings.seed)
        self._context: Any = model.decoder.context(model.positions)
        self._reply = ReplyText(model)
        self._due = list(prompt)

    def __iter__(self) -> Answer:
        return self

    def __next__(self) -> Token:
        """Draw the next token.

        Raises
        ------
        NotFiniteError
            If a logit is NaN or infinite.
        """
        if self.ended is not None:
            raise StopIteration
        if self._left == 0:
            self._end("limit")
            raise StopIteration
        first = not self.tokens
        frames, frames_at = (self._frames, self._frames_at) if first else (None, 0)
        with self._model.computing():
            if first:
                self._context.clear()
            else:
                self._context.truncate(len(self.prompt) + len(self.tokens) - 1)
            raw = Distribution(self._model.decoder.feed(self._context, self._due, frames, frames_at))
            if not raw.finite:
                what = f"token {len(self.tokens)} of the answer"
                raise not_finite(self._model, what, frames, self._context, self._due, frames_at)
            drawn, random = self._draws.draw(raw, self._rule, self._random, likeliest=self._settings.alternatives)
        # From here on the step counts; one that an interrupt ended before is done again.
        self._random = random
        self._left -= 1
        if drawn.token == self._model.traits.tokens["TEXT_END"]:
            self._end("TEXT_END")
            raise StopIteration
        self._reply = self._reply.with_token(drawn.token)
        alternatives = tuple(
            Alternative(c.token, self._model.token_text(c.token), c.p, c.scaled, c.kept) for c in drawn.likeliest
        )
        token = Token(
            0,
            0,
            len(self.tokens),
            drawn.token,
            drawn.p,
            self._reply.added,
            drawn.p_drawn,
            drawn.draw,
            drawn.argmax,
            self._context.position - 1,
            alternatives,
        )
        self._due = [drawn.token]
        self.tokens.append(token)
        return token

    def _end(self, why: Ending) -> None:
        self.ended = why
        self._context = None

    @property
    def text(self) -> str:
        """The whole answer; draws the tokens that are left."""
        for _ in self:
            pass
        return self._reply.text

    @property
    def emotion(self) -> Emotion | None:
        """Emotion at the start of the answer; not part of the text."""
        return self._reply.emotion

    @property
    def table(self) -> pd.DataFrame:
        """The tokens so far as a DataFrame: `index`, `token`, `text`, `p`, `p_drawn`, `draw`."""
        import pandas as pd

        names = ("index", "token", "text", "p", "p_drawn", "draw")
        return pd.DataFrame([[getattr(token, name) for name in names] for token in self.tokens], columns=list(names))

    def __repr__(self) -> str:
        state = {None: "unfinished", "TEXT_END": "ended"}.get(self.ended, str(self.ended))
        return f"<Answer {self._reply.text!r}, {len(self.tokens)} tokens, {state}>"

    def _repr_html_(self) -> str:
        text = self.text
        spans = "".join(
            f'<span title="p = {token.p:.3f}" style="background:rgba(31,119,180,{(1 - token.p) * 0.5:.2f})">'
            f"{escape(token.text)}</span>"
            for token in self.tokens
        )
        notes = "".join(f"<div><em>{escape(note)}</em></div>" for note in self.notes)
        ended = "" if self.ended == "TEXT_END" else f" <small>({self.ended})</small>"
        return f'<div><div dir="auto">{spans or escape(text) or "(empty answer)"}{ended}</div>{notes}</div>'
