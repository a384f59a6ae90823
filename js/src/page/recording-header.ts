/** Header of a recording (docs/record-format.md), and what the page shows of it. */
import { EVENTS_VERSION, MEL_FRAMES } from "../record/events";
import { readVocabulary, type Vocabulary } from "../record/vocabulary";
import { isObject } from "../text/json";

const FORMAT = "ai_widgets recording";
/** Version of the format that the page writes; a newer major version is refused. */
const VERSION = [1, 1] as const;
/** Largest size of a header in bytes, as in the Python package. */
export const HEADER_BYTES = 4_000_000;

type Fields = Readonly<Record<string, unknown>>;

/** Facts about a session besides events and audio. */
export interface Header {
  readonly created: string;
  readonly model: Fields;
  readonly settings: Fields;
  readonly live: Fields;
  readonly framing: Fields;
  readonly versions: Fields;
  readonly sessions: number;
  readonly reduced: readonly [number, number];
  /** Index of the first chunk of the audio, and whether the audio has a rest. */
  readonly first_chunk: number;
  readonly rest: boolean;
}

export const NO_HEADER: Header = {
  ...{ created: "", model: {}, settings: {}, live: {}, framing: {}, versions: {} },
  ...{ sessions: 0, reduced: [0, 0], first_chunk: 0, rest: false },
};

/** A file that is no recording, or cannot be read; the message is a sentence. */
export class RecordingError extends Error {
  override readonly name = "RecordingError";
}

/** Write a header as the content of `header.json`. */
export function headerText(header: Header): string {
  const { first_chunk, rest, ...fields } = header;
  const audio = { rate: 16_000, chunk: 6400, first_chunk, rest };
  const whole = { format: FORMAT, version: VERSION, events_version: EVENTS_VERSION, audio, ...fields };
  return `${ascii(JSON.stringify(whole, null, 1))}\n`;
}

/**
 * Read the content of `header.json`. Fields of the wrong type are taken as missing.
 *
 * @throws RecordingError if it is the header of something else, or of a newer version.
 * @throws SyntaxError if it is not JSON.
 */
export function readHeader(text: string, name: string): Header {
  const values: unknown = JSON.parse(text);
  if (!isObject(values) || values.format !== FORMAT) {
    throw new RecordingError(`${name} is not a recording of ai_widgets: its header does not say so.`);
  }
  const major = Array.isArray(values.version) ? values.version[0] : null;
  if (!Number.isInteger(major) || major > VERSION[0]) {
    const written = fieldsOf(values.versions).ai_widgets ?? "a newer version";
    throw new RecordingError(
      `${name} has version ${String(major)} of the recording format, written by ai_widgets ${String(written)}; this page reads ${VERSION[0]}. Open it with a newer version of this page.`,
    );
  }
  const audio = fieldsOf(values.audio);
  const reduced = Array.isArray(values.reduced) ? values.reduced.map(count) : [];
  return {
    created: typeof values.created === "string" ? values.created : "",
    model: fieldsOf(values.model),
    settings: fieldsOf(values.settings),
    live: fieldsOf(values.live),
    framing: fieldsOf(values.framing),
    versions: fieldsOf(values.versions),
    sessions: count(values.sessions),
    reduced: [reduced[0] ?? 0, reduced[1] ?? 0],
    first_chunk: count(audio.first_chunk),
    rest: audio.rest === true,
  };
}

/** Return the names of the model's tokens, its prefix and its block; null if the header does not say them. */
export function vocabularyOf({ model, framing }: Pick<Header, "model" | "framing">): Vocabulary | null {
  const traits = fieldsOf(model.traits);
  const tokens = { ...fieldsOf(traits.special_tokens), ...fieldsOf(traits.emotions) };
  const texts = fieldsOf(framing.texts);
  const prefix = Array.isArray(framing.prefix) ? framing.prefix : [];
  const parts = fieldsOf(traits.framing).chunk;
  const block = (Array.isArray(parts) ? parts : []).map((name) => {
    const frames = name === "FRAMES";
    return [name, tokens[frames ? "PAD" : String(name)], frames ? MEL_FRAMES : 1];
  });
  return readVocabulary({
    tokens,
    prefix: prefix.map((token) => [token, texts[String(token)] ?? ""]),
    block: block.filter(([, token]) => typeof token === "number"),
    limit: framing.limit,
  });
}

/** Return the model, its device and the date, as far as they are known. */
export function factsOf({ model, created }: Header): string[] {
  return [model.name, model.placement, created].filter(
    (fact) => typeof fact === "string" && fact !== "",
  ) as string[];
}

/** Escape all characters outside ASCII, in JSON. */
export function ascii(json: string): string {
  return json.replace(
    /[\u007f-\uffff]/g,
    (letter) => `\\u${letter.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}

function fieldsOf(value: unknown): Fields {
  return isObject(value) ? value : {};
}

function count(value: unknown): number {
  return Number.isInteger(value) && Number(value) >= 0 ? Number(value) : 0;
}
