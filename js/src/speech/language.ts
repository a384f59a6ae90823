/** Which language a text is in, as far as its script tells, for a voice to read it. */

/** Letters of each script, and the language that is meant where the page's own languages do not say otherwise. */
const SCRIPTS: readonly (readonly [letters: RegExp, language: string, codes: readonly string[]])[] = [
  [/[\p{Script=Hiragana}\p{Script=Katakana}]/gu, "ja", ["Jpan"]],
  [/\p{Script=Hangul}/gu, "ko", ["Kore"]],
  [/\p{Script=Han}/gu, "zh-CN", ["Hans", "Hant", "Jpan"]],
  [/\p{Script=Cyrillic}/gu, "ru", ["Cyrl"]],
  [/\p{Script=Arabic}/gu, "ar", ["Arab"]],
  [/\p{Script=Hebrew}/gu, "he", ["Hebr"]],
  [/\p{Script=Devanagari}/gu, "hi", ["Deva"]],
  [/\p{Script=Thai}/gu, "th", ["Thai"]],
  [/\p{Script=Greek}/gu, "el", ["Grek"]],
  [/\p{Script=Latin}/gu, "en", ["Latn"]],
];
/** A letter of these stands for more than one of an alphabet: a Chinese sentence that names a brand is Chinese. */
const DENSE = 3;
const DENSE_SCRIPTS = 3;

/** Languages of the page and of its reader, the nearest first. */
export function pageLanguages(): readonly string[] {
  const page = globalThis.document?.documentElement.lang ?? "";
  return [page, ...(globalThis.navigator?.languages ?? [])].filter(Boolean);
}

/**
 * The language of a text (BCP 47) by the script of most of its letters; null where it has none. A script of several
 * languages (Latin, Cyrillic, Han) is read in the first of `preferred` that uses it.
 */
export function languageOf(text: string, preferred: readonly string[] = pageLanguages()): string | null {
  let best: { language: string; codes: readonly string[]; count: number } | null = null;
  let kana = false;
  for (const [i, [letters, language, codes]] of SCRIPTS.entries()) {
    const count = (text.match(letters)?.length ?? 0) * (i < DENSE_SCRIPTS ? DENSE : 1);
    if (count === 0) continue;
    kana ||= language === "ja";
    if (!best || count > best.count) best = { language, codes, count };
  }
  if (!best) return null;
  // Han letters among kana are Japanese, however many they are.
  if (kana && best.codes.includes("Hans")) return "ja";
  const { codes, language } = best;
  return preferred.find((wanted) => codes.includes(scriptOf(wanted))) ?? language;
}

/** The script that a language is written in; empty where the browser does not know. */
function scriptOf(language: string): string {
  try {
    return new Intl.Locale(language).maximize().script ?? "";
  } catch {
    // Not a language tag: pages write all kinds of things there.
    return "";
  }
}

/** The voice for a language: of the same region if there is one, else of the same language; null where there is none. */
export function voiceFor<V extends Pick<SpeechSynthesisVoice, "lang" | "default">>(
  voices: readonly V[],
  language: string,
): V | null {
  // Android writes zh_CN.
  const tag = (lang: string) => lang.replace("_", "-").toLowerCase();
  const base = (lang: string) => tag(lang).split("-")[0];
  const exact = voices.filter(({ lang }) => tag(lang) === tag(language));
  const near = voices.filter(({ lang }) => base(lang) === base(language));
  for (const found of [exact, near]) {
    const [first] = found;
    if (first) return found.find((voice) => voice.default) ?? first;
  }
  return null;
}

/** A language by its name in English, as the rest of the page speaks. */
export function languageName(language: string): string {
  try {
    return new Intl.DisplayNames(["en"], { type: "language" }).of(language) ?? language;
  } catch {
    return language;
  }
}
