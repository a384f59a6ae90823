/**
 * Decide and respond: feed a perceived chunk to the model, and draw the decision and the reply, as
 * `ai_widgets/session/turns.py`. `Turns` owns the keys and values of the context; everything else is a `TurnState`, which
 * each step takes and returns with its events. After a failed step the state before it remains valid, and `settle`
 * restores the keys and values to it.
 */

import {
  type Alternative,
  CHUNK_SECONDS,
  type Choice,
  type Decision,
  type Ending,
  type Notice,
  type SessionEvent,
  type Token,
  type Turn,
} from "../record/events";
import { Context, roundedPosition } from "./context";
import type { Forced } from "./engine";
import { NotFiniteError, SessionError } from "./errors";
import { notice } from "./notices";
import { seeded } from "./random";
import type { Runtime } from "./runtime";
import { type Draw, type DrawOptions, draw, Softmax } from "./sampling";
import type { Settings } from "./settings";
import { type Model, termsOf } from "./terms";
import {
  emotionOf,
  forgotten,
  replyLimit,
  roomOf,
  type Stepped,
  slid,
  type TurnState,
  textOf,
  withToken,
} from "./turn-state";
import { Window } from "./window";

/** Return the state before the first chunk; `SettingError` if the context is too short for one. */
export function startOf(model: Model, settings: Settings): TurnState {
  return {
    ...{ terms: termsOf(model, settings), random: seeded(settings.seed), window: new Window(), due: [] },
    ...{ drawn: 0, turns: 0, reply: null, leaving: 0, ended: null },
  };
}

/** Return the state with other settings. The context is kept; `makeRoom` resets it for another prompt. */
export function changed(model: Model, state: TurnState, settings: Settings): TurnState {
  const random = settings.seed === state.terms.settings.seed ? state.random : seeded(settings.seed);
  return { ...state, terms: termsOf(model, settings), random };
}

export class Turns {
  private slidTo: Window | null = null;
  private interrupted = false;

  constructor(
    private readonly model: Model,
    private readonly runtime: Runtime,
    private context: Context,
  ) {}

  /** Create the steps of a new session. */
  static of(model: Model, runtime: Runtime, limit: number): Turns {
    return new Turns(model, runtime, emptyContext(model, limit));
  }

  /** Request the end of the reply in progress after its current token. */
  interrupt(): void {
    this.interrupted = true;
  }

  /** Free the memory of keys and values. */
  release(): void {
    this.context = emptyContext(this.model, this.context.limit);
  }

  /** Return a copy of the positions that `window` held, or null if the context `now` lacks some. */
  branch(window: Window, now: Window): Context | null {
    if (window.oldest !== now.oldest || this.context.position < window.positions) return null;
    return this.context.branch(window.positions);
  }

  /** Continue with a context that holds exactly the positions of `window`. */
  adopt(context: Context, window: Window): void {
    this.context = context;
    this.slidTo = window;
  }

  /** Restore keys and values of a state: truncate positions of a failed step, evict those out of the window. */
  settle(state: TurnState): void {
    const { context } = this;
    const { window } = state;
    context.limit = state.terms.framing.limit;
    if (window.positions === 0) {
      if (context.position > 0) context.clear();
      return;
    }
    if (state.leaving > 0 && this.slidTo !== window) {
      if (context.position > window.positions) context.slide(window.prefix.length, state.leaving);
      this.slidTo = window;
    }
    if (context.position > window.positions) context.truncate(window.positions);
  }

  /** Feed tokens, and return the logits after the last one. */
  async feed(
    tokens: readonly number[],
    frames: Float32Array | null = null,
    framesAt = 0,
  ): Promise<Float32Array> {
    return feed(this.model, this.runtime, this.context, tokens, frames, framesAt);
  }

  /**
   * Feed a chunk and draw the decision.
   *
   * @param state State after `makeRoom` and `settle`.
   * @param frames Encoder frames [10, width].
   * @param forced Decision to take in place of the drawn one; the draw itself happens as always.
   * @throws NotFiniteError if a logit is NaN or infinite.
   */
  async decide(
    state: TurnState,
    chunk: number,
    clip: number,
    frames: Float32Array,
    forced: Forced | null = null,
  ): Promise<readonly [TurnState, Decision]> {
    this.interrupted = false;
    const { framing, settings, inEffect } = state.terms;
    const keep = this.token("KEEP_SILENCE");
    const text = this.token("TEXT_BEGIN");
    const begun = state.window.prefix.length > 0;
    const opening = begun ? state.due : framing.prefix;
    const logits = await this.feed([...opening, ...framing.block], frames, opening.length + framing.framesAt);
    const raw = this.finite(logits, `the decision on chunk ${chunk}`, [keep, text]);
    const drawn = this.draw(state, raw, {
      ...(settings.mask ? { allowed: [keep, text] } : {}),
      ...(settings.bias !== 0 ? { bias: [text, settings.bias] as const } : {}),
      ...(forced === null ? {} : { forced: this.token(forced) }),
      report: [keep, text],
    });
    let { window } = state;
    if (!begun) window = window.begun(opening);
    else if (opening.length > 0) window = window.extended(opening.length);
    window = window.opened(chunk, framing.block.length);
    const logit_keep = logits[keep] as number;
    const logit_text = logits[text] as number;
    const p_keep = raw.p(logit_keep);
    const p_text = raw.p(logit_text);
    const choices: Record<number, Choice> = { [keep]: "KEEP_SILENCE", [text]: "TEXT_BEGIN" };
    const used = window.positions;
    const decision: Decision = {
      type: "decision",
      chunk,
      clip,
      start_s: chunk * CHUNK_SECONDS,
      token: drawn.token,
      choice: choices[drawn.token] ?? "OTHER",
      p_keep,
      p_text,
      p_other: Math.max(0, 1 - p_keep - p_text),
      logit_keep,
      logit_text,
      p_drawn: drawn.p_drawn,
      draw: drawn.draw,
      argmax: drawn.argmax,
      position: used - 1,
      alternatives: this.alternatives(drawn),
      before: opening,
      oldest: window.oldest ?? chunk,
      used,
      limit: framing.limit,
      rule: forced === null ? inEffect : { ...inEffect, forced },
    };
    const after = { ...state, window, due: [drawn.token], drawn: state.drawn + 1, random: drawn.random };
    if (decision.choice !== "TEXT_BEGIN") return [{ ...after, leaving: 0, reply: null }, decision];
    const reply = { turn: state.turns, chunk, clip, tokens: [], shown: "", added: "" };
    return [{ ...after, leaving: 0, reply, turns: state.turns + 1 }, decision];
  }

  /**
   * Run one step of the reply in progress: draw the next token, end the reply, or slide the context.
   *
   * @throws NotFiniteError if a logit is NaN or infinite.
   */
  async speak(state: TurnState): Promise<Stepped<SessionEvent>> {
    const { reply } = state;
    if (!reply) throw new SessionError("No reply is in progress.");
    if (this.interrupted) return this.cut(state, "interrupted");
    if (roomOf(state) < 1 && state.terms.settings.context === "slide") {
      // The chunk of the reply is never evicted, so that a reply without an end reaches the limit.
      const [after, events] = slid(state, reply.chunk, 1, 0, 1);
      if (events.length > 0) return [after, events];
    }
    const limit = replyLimit(state, reply.tokens.length);
    if (limit !== null) {
      const [after, events] = this.cut(state, "limit");
      const told = notice(reply.chunk, "limit", `The reply was truncated: ${limit}.`, { turn: reply.turn });
      return [after, [told, ...events]];
    }
    const what = `token ${reply.tokens.length} of the reply to chunk ${reply.chunk}`;
    const drawn = this.draw(state, this.finite(await this.feed(state.due), what), {});
    const after = {
      ...state,
      window: state.window.extended(state.due.length, true),
      due: [drawn.token],
      drawn: state.drawn + 1,
      random: drawn.random,
      leaving: 0,
    };
    if (drawn.token === this.token("TEXT_END")) return this.endReply(after, "TEXT_END");
    const longer = withToken(this.model, reply, drawn.token);
    const token: Token = {
      type: "token",
      chunk: reply.chunk,
      turn: reply.turn,
      index: reply.tokens.length,
      token: drawn.token,
      p: drawn.p,
      text: longer.added,
      p_drawn: drawn.p_drawn,
      draw: drawn.draw,
      argmax: drawn.argmax,
      position: after.window.positions - 1,
      alternatives: this.alternatives(drawn),
    };
    return [{ ...after, reply: longer }, [token]];
  }

  /**
   * End the reply in progress before its TEXT_END; without a reply return the state unchanged. The next step begins with
   * the reply's last token and TEXT_END, so that the context is as in training.
   */
  cut(state: TurnState, why: Ending): Stepped<SessionEvent> {
    if (!state.reply) return [state, []];
    const due = state.due.length > 0 ? [...state.due, this.token("TEXT_END")] : state.due;
    return this.endReply({ ...state, due }, why);
  }

  /**
   * Build the notice of a drawn token that is not a decision.
   *
   * @throws SessionError if `strict` is set.
   */
  violation(decision: Decision, state: TurnState): Notice {
    const name = this.model.tokenizer.textOf(decision.token);
    const message = `The model produced '${name}' (${decision.token}) where it must decide between silence and a reply.`;
    if (state.terms.settings.strict) {
      throw new SessionError(
        `${message} Set mask to true to prevent it, or strict to false to continue after it.`,
      );
    }
    return notice(decision.chunk, "violation", message, { token: decision.token });
  }

  private endReply(state: TurnState, why: Ending): Stepped<SessionEvent> {
    const { reply } = state;
    if (!reply) return [state, []];
    const { chunk, turn, clip, tokens } = reply;
    const event: Turn = {
      ...{ type: "turn", chunk, turn, clip, start_s: chunk * CHUNK_SECONDS },
      ...{ emotion: emotionOf(this.model, tokens), text: textOf(this.model, tokens), tokens, ended: why },
    };
    const after = { ...state, reply: null };
    if (!state.terms.settings.forget_after_reply) return [after, [event]];
    const message = "The context was reset after the reply (forget_after_reply).";
    const data = { turn, why: "forget_after_reply" };
    return [forgotten(after), [event, notice(chunk, "context_reset", message, data)]];
  }

  private token(name: string): number {
    return this.model.manifest.tokens[name] as number;
  }

  /** Return the raw distribution of logits; `needed` are tokens whose logits must be finite, too. */
  private finite(logits: Float32Array, what: string, needed: readonly number[] = []): Softmax {
    const raw = new Softmax(logits);
    if (raw.finite && needed.every((token) => Number.isFinite(logits[token]))) return raw;
    throw new NotFiniteError(
      `The logits of ${what} are not finite (NaN or infinity). The weights of the page's model are float32, so this ` +
        "means that its files are damaged: load the page again, or write it again with ai-widgets page.",
    );
  }

  private draw(state: TurnState, raw: Softmax, options: DrawOptions): Draw {
    const likeliest = state.terms.settings.alternatives;
    return draw(raw, state.terms.rule, state.random, { ...options, likeliest });
  }

  private alternatives(drawn: Draw): Alternative[] {
    return drawn.likeliest.map(({ token, p, scaled, kept }) => ({
      ...{ token, text: this.model.tokenizer.textOf(token), p, scaled, kept },
    }));
  }
}

/** Create an empty context of at most `limit` positions. */
export function emptyContext({ manifest }: Model, limit: number): Context {
  return new Context(manifest.shape, manifest.rope.frequencies, limit, manifest.context.first_capacity);
}

/** Feed tokens to a context, and return the logits after the last one. */
export async function feed(
  { manifest }: Model,
  runtime: Runtime,
  context: Context,
  tokens: readonly number[],
  frames: Float32Array | null,
  framesAt: number,
): Promise<Float32Array> {
  context.reserve(tokens.length);
  // A context that has slid has fewer positions than float16 represents exactly, where rounding changes nothing, although
  // its places in the buffers may be larger.
  const rounds = manifest.rope.positions === "float16" && context.start === 0;
  const positions = tokens.map((_, i) => (rounds ? roundedPosition(context.end + i) : context.end + i));
  const output = await runtime.step({ tokens, positions, frames, framesAt, past: context.past() });
  context.append(output, tokens.length);
  return output.logits;
}
