/** The engine's numbers are those of Python: features, resampling, random numbers, draws, texts. */
import { describe, expect, it, vi } from "vitest";
import { envelope, levelDb } from "../src/engine/chunker";
import { type FeaturesState, FRESH, LogMel, thumbnail } from "../src/engine/log-mel";
import type { Manifest } from "../src/engine/manifest";
import { type RandomState, random, seeded } from "../src/engine/random";
import { Resampler } from "../src/engine/resampler";
import { type DrawOptions, draw, Softmax } from "../src/engine/sampling";
import { Tokenizer } from "../src/engine/tokenizer";
import { emotionOf, textOf, withToken } from "../src/engine/turn-state";
import { difference, fromFloat32, fromInt16, vectors } from "./engine-vectors";

// The suite shares its cores with other work.
vi.setConfig({ testTimeout: 60_000 });

const MANIFEST = vectors<Manifest>("manifest.json");

interface Stream {
  name: string;
  chunks: { int16: string; float32: string; thumbnail: string; level_db: number; envelope: number[] }[];
}

describe("log-mel", () => {
  const { atol, streams } = vectors<{ atol: number; streams: Stream[] }>("features.json");
  const filters = {
    starts: MANIFEST.features.filters.map(([first]) => first),
    weights: MANIFEST.features.filters.map(([, weights]) => Float64Array.from(weights)),
  };

  it.each(streams.map((stream) => [stream.name, stream] as const))("%s", (_, { chunks }) => {
    const logMel = new LogMel(filters);
    let state: FeaturesState = FRESH;
    for (const chunk of chunks) {
      const samples = fromInt16(chunk.int16);
      const { mels, state: after } = logMel.push(state, samples);
      expect(difference(mels, fromFloat32(chunk.float32))).toBeLessThanOrEqual(atol);
      expect(thumbnail(mels)).toBe(chunk.thumbnail);
      expect(levelDb(samples)).toBeCloseTo(chunk.level_db, 9);
      expect(envelope(samples)).toEqual(chunk.envelope);
      state = after;
    }
  });
});

describe("resampling", () => {
  interface Case {
    rate: number;
    int16: string;
    count: number;
    float32: string;
  }
  const { atol, edge, cases } = vectors<{ atol: number; edge: number; cases: Case[] }>("resampling.json");

  it.each(cases.map((each) => [each.rate, each] as const))("%d Hz, in blocks of any length", (rate, each) => {
    const samples = fromInt16(each.int16);
    for (const length of [samples.length, 441, 7]) {
      const resampler = new Resampler(rate);
      const out: number[] = [];
      for (let start = 0; start < samples.length; start += length) {
        out.push(...resampler.push(samples.subarray(start, start + length)));
      }
      out.push(...resampler.finish());
      expect(out).toHaveLength(each.count);
      const inner = [edge, each.count - edge] as const;
      const worst = difference(out.slice(...inner), fromFloat32(each.float32).slice(...inner));
      expect(worst).toBeLessThanOrEqual(atol);
    }
  });

  it("a rate whose table would be too large is interpolated between two phases", () => {
    const rate = 44_099;
    const tone = Float32Array.from({ length: rate / 4 }, (_, i) => Math.sin((2 * Math.PI * 1000 * i) / rate));
    const resampler = new Resampler(rate);
    const out = [...resampler.push(tone), ...resampler.finish()];
    const expected = out.map((_, i) => Math.sin((2 * Math.PI * 1000 * i) / 16_000));
    expect(difference(out.slice(400, -400), expected.slice(400, -400))).toBeLessThan(1e-5);
  });
});

it("random numbers are those of NumPy's default_rng, bit for bit", () => {
  const { cases } = vectors<{ cases: { seed: string; first: number[]; after_1016: number[] }[] }>(
    "random.json",
  );
  for (const { seed, first, after_1016 } of cases) {
    let state: RandomState = seeded(BigInt(seed));
    const next = () => {
      const [number, after] = random(state);
      state = after;
      return number;
    };
    expect(first.map(next)).toEqual(first);
    for (let i = 0; i < 1000; i++) next();
    expect(after_1016.map(next)).toEqual(after_1016);
  }
});

describe("sampling", () => {
  interface Drawn {
    token: number;
    p: number;
    p_drawn: number;
    draw: number | null;
    argmax: number;
    likeliest: { token: number; p: number; scaled: number; kept: number }[];
  }
  interface Case {
    logits: string;
    rule: { greedy?: boolean; temperature?: number; top_k?: number; top_p?: number };
    options: DrawOptions;
    seed: number;
    draws: Drawn[];
  }
  const { logits, cases } = vectors<{ logits: Record<string, string>; cases: Case[] }>("sampling.json");

  it.each(Object.keys(logits))("draws the tokens of Python from the distribution %s", (name) => {
    const raw = new Softmax(fromFloat32(logits[name] as string));
    for (const { rule, options, seed, draws } of cases.filter((each) => each.logits === name)) {
      const { greedy = false, temperature = 1, top_k = null, top_p = 1 } = rule;
      let state = seeded(seed);
      for (const expected of draws) {
        const found = draw(raw, { greedy, temperature, topK: top_k, topP: top_p }, state, options);
        state = found.random;
        const { likeliest, p, p_drawn, ...exact } = expected;
        expect(found).toMatchObject(exact);
        // NumPy adds the weights of float32 logits in float32.
        expect(found.p).toBeCloseTo(p, 6);
        expect(found.p_drawn).toBeCloseTo(p_drawn, 6);
        expect(found.likeliest.map(({ token }) => token)).toEqual(likeliest.map(({ token }) => token));
        for (const step of ["p", "scaled", "kept"] as const) {
          const both = [found.likeliest, likeliest].map((all) => all.map((each) => each[step]));
          expect(difference(both[0] as number[], both[1] as number[])).toBeLessThan(1e-6);
        }
      }
    }
  });
});

describe("texts", () => {
  interface Reply {
    tokens: number[];
    added: string[];
    text: string;
    emotion: string | null;
  }
  const { prompts, replies } = vectors<{ prompts: { text: string; ids: number[] }[]; replies: Reply[] }>(
    "tokenizer.json",
  );
  const tokenizer = new Tokenizer(MANIFEST.vocabulary);
  const model = { manifest: MANIFEST, tokenizer };

  it.each(prompts.map(({ text, ids }) => [text, ids] as const))("encodes %j", (text, ids) => {
    expect(tokenizer.encode(text)).toEqual(ids);
  });

  it.each(replies.map((reply) => [reply.text, reply] as const))("shows %j token by token", (_, expected) => {
    let reply = { turn: 0, chunk: 0, clip: 0, tokens: [] as readonly number[], shown: "", added: "" };
    const added = expected.tokens.map((token) => {
      reply = withToken(model, reply, token);
      return reply.added;
    });
    expect(added).toEqual(expected.added);
    expect(textOf(model, expected.tokens)).toBe(expected.text);
    expect(emotionOf(model, expected.tokens)).toBe(expected.emotion);
  });
});
