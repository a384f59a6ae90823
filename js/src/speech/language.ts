/** Language of a text by its script, to choose a voice. */

/** Letters of each script, and its language if the page's languages do not decide otherwise. */
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
/**
 * Weight of a letter of a dense script, which stands for several alphabetic letters: a Chinese sentence with a brand
 * name is Chinese.
 */
const DENSE = 3;
/** Number of the first entries of `SCRIPTS` whose letters are dense. */
const DENSE_SCRIPTS = 3;

/** Return the languages of the page and of its reader, in order of preference. */
export function pageLanguages(): readonly string[] {
  const page = globalThis.document?.documentElement.lang ?? "";
  return [page, ...(globalThis.navigator?.languages ?? [])].filter(Boolean);
}

/**
 * Return the language of a text (BCP 47) by the script of most of its letters; null without letters. A script of
 * several languages (Latin, Cyrillic, Han) is read in the first of `preferred` that uses it.
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
  // Han letters together with kana are Japanese in any number.
  if (kana && best.codes.includes("Hans")) return "ja";
  const { codes, language } = best;
  return preferred.find((wanted) => codes.includes(scriptOf(wanted))) ?? language;
}

/** Return the script of a language; empty if the browser does not know it. */
function scriptOf(language: string): string {
  try {
    return new Intl.Locale(language).maximize().script ?? "";
  } catch {
    // The page's `lang` may be no valid language tag.
    return "";
  }
}

/** Return the voice for a language: of the same region, else of the same language; null if there is none. */
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

/** Return the English name of a language. */
export function languageName(language: string): string {
  try {
    return new Intl.DisplayNames(["en"], { type: "language" }).of(language) ?? language;
  } catch {
    return language;
  }
}
