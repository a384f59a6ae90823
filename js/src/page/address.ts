/** Settings in the page's address, after the `#`: a link opens the page with them. They are checked when they are read. */
import type { Setting, Values } from "../store/settings";

/** Longest text setting that an address may hold, in characters: longer addresses are cut by some programs. */
export const MOST_TEXT = 2000;

/** Setting of the manifest, with what its values may be. */
export interface Bounded extends Setting {
  readonly optional?: boolean;
  readonly low?: number | null;
  readonly high?: number | null;
  /** Whether `low` itself is not allowed. */
  readonly above?: boolean;
  /** Largest number of characters of a text. */
  readonly longest?: number | null;
  /** Allowed values in words. */
  readonly allowed?: string;
}

/** Settings that were read, and the parts of the address that were not, each as a sentence. */
export interface Read {
  readonly settings: Readonly<Record<string, unknown>>;
  readonly refused: readonly string[];
}

/** Read the settings of a fragment. Unknown names and impossible values are left out and reported. */
export function readAddress(hash: string, schema: readonly Bounded[]): Read {
  const settings: Record<string, unknown> = {};
  const refused: string[] = [];
  for (const [name, text] of new URLSearchParams(hash.replace(/^#/, ""))) {
    const setting = schema.find((each) => each.name === name);
    if (!setting) {
      refused.push(`“${short(name)}” is no setting.`);
      continue;
    }
    const value = valueIn(text, setting);
    if (value === undefined) refused.push(`${name} cannot be “${short(text)}”; it is ${allowed(setting)}.`);
    else settings[name] = value;
  }
  return { settings, refused };
}

/** Write the settings that differ from their defaults as a fragment with `#`; empty if none does. */
export function writeAddress(settings: Values, schema: readonly Bounded[]): string {
  const parameters = new URLSearchParams();
  for (const { name, default: usual } of schema) {
    const value = settings[name];
    if (value === undefined || value === usual) continue;
    const text = value === null ? "" : String(value);
    if (text.length <= MOST_TEXT) parameters.set(name, text);
  }
  const text = parameters.toString();
  return text ? `#${text}` : "";
}

/** Return the value of a setting that a text stands for; undefined if it stands for none. */
function valueIn(text: string, { kind, choices, optional, low, high, above, longest }: Bounded): unknown {
  if (text === "" && optional) return null;
  if (kind === "bool") return { true: true, false: false }[text];
  if (kind === "choice") return choices.some(([word]) => word === text) ? text : undefined;
  if (kind === "str") return text.length <= Math.min(MOST_TEXT, longest ?? MOST_TEXT) ? text : undefined;
  const number = text.trim() === "" ? Number.NaN : Number(text);
  const whole = kind === "float" || Number.isInteger(number);
  const fits =
    (typeof low !== "number" || (above ? number > low : number >= low)) &&
    (typeof high !== "number" || number <= high);
  return Number.isFinite(number) && whole && fits ? number : undefined;
}

/** Describe the values of a setting. */
function allowed({ kind, choices, allowed: said }: Bounded): string {
  if (said) return said;
  if (kind === "bool") return "true or false";
  if (kind === "choice") return `one of ${choices.map(([word]) => word).join(", ")}`;
  if (kind === "str") return `a text of at most ${MOST_TEXT} characters`;
  return kind === "int" ? "a whole number within bounds" : "a number within bounds";
}

function short(text: string): string {
  return text.length > 40 ? `${text.slice(0, 40)}…` : text;
}
