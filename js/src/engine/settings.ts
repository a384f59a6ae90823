/** Settings of a session, with the names, bounds and meanings of `ai_widgets/settings.py`. */

import { SettingError } from "./errors";
import type { SettingSchema } from "./manifest";

/** All settings. Null means the checkpoint's own value. */
export interface Settings {
  readonly greedy: boolean;
  readonly temperature: number | null;
  readonly top_k: number | null;
  readonly top_p: number | null;
  readonly seed: number;
  readonly bias: number;
  readonly mask: boolean;
  readonly strict: boolean;
  readonly alternatives: number;
  readonly system_prompt: string | null;
  readonly context: "slide" | "stop" | "reset";
  readonly context_limit: number | null;
  readonly context_seconds: number | null;
  readonly forget_after_reply: boolean;
  readonly max_new_tokens: number | null;
  readonly max_reply_tokens: number | null;
}

/** Most characters of a given value in an error. */
const MAX_QUOTED = 60;

/** Return the settings of a new session before any change. */
export function defaultSettings(schema: readonly SettingSchema[]): Settings {
  return Object.fromEntries(schema.map((each) => [each.name, each.default])) as unknown as Settings;
}

/**
 * Return settings with some of them changed.
 *
 * @throws SettingError if a name is unknown or a value is not allowed.
 */
export function changedSettings(
  schema: readonly SettingSchema[],
  settings: Settings,
  changes: Readonly<Record<string, unknown>>,
): Settings {
  const checked = Object.entries(changes).map(([name, value]) => {
    const known = schema.find((each) => each.name === name);
    if (!known) {
      const names = schema.map((each) => each.name).join(", ");
      throw new SettingError(`There is no setting '${name}'; known are ${names}.`);
    }
    if (!isAllowed(known, value)) {
      throw new SettingError(`${name} must be ${known.allowed}, not ${quoted(value)}.`);
    }
    return [name, value];
  });
  return { ...settings, ...Object.fromEntries(checked) };
}

/** Return the names of the settings that are not whole numbers, which a sentence writes with a point. */
export function floatNames(schema: readonly SettingSchema[]): ReadonlySet<string> {
  return new Set(schema.filter(({ kind }) => kind === "float").map(({ name }) => name));
}

function isAllowed(setting: SettingSchema, value: unknown): boolean {
  if (value === null) return setting.optional;
  switch (setting.kind) {
    case "bool":
      return typeof value === "boolean";
    case "choice":
      return setting.choices.some(([word]) => word === value);
    case "str":
      return typeof value === "string" && value.length <= (setting.longest ?? Number.POSITIVE_INFINITY);
    case "int":
      // A whole number beyond 2^53 is not exact in a page.
      return Number.isSafeInteger(value) && isWithin(setting, value as number);
    case "float":
      return typeof value === "number" && Number.isFinite(value) && isWithin(setting, value);
  }
}

function isWithin({ low, high, above }: SettingSchema, value: number): boolean {
  if (low !== null && (above ? value <= low : value < low)) return false;
  return high === null || value <= high;
}

function quoted(value: unknown): string {
  if (typeof value === "string") {
    return value.length > MAX_QUOTED ? `text of ${value.length} characters` : `'${value}'`;
  }
  if (typeof value === "object" && value !== null) return Array.isArray(value) ? "a list" : "an object";
  return String(value);
}
