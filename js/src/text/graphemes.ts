/**
 * Graphemes, the characters that a reader perceives: a flag, a family or a letter with its marks, of any number of
 * code points.
 */

const segmenter =
  typeof Intl !== "undefined" && "Segmenter" in Intl
    ? new Intl.Segmenter(undefined, { granularity: "grapheme" })
    : null;

/** Return the start of each grapheme of `text`, and the end of the last one. */
export function boundaries(text: string): number[] {
  const found = [0];
  if (segmenter) {
    for (const { index, segment } of segmenter.segment(text)) found.push(index + segment.length);
  } else {
    // A browser without a segmenter: at least no code point is split.
    for (const point of text) found.push((found.at(-1) as number) + point.length);
  }
  return found;
}

/** Truncate `text` to at most `most` code units, between two graphemes. */
export function cutAtGrapheme(text: string, most: number): string {
  if (text.length <= most) return text;
  // Graphemes are short, so text far behind the cut need not be segmented.
  const near = text.slice(0, most + 64);
  return text.slice(
    0,
    boundaries(near)
      .filter((at) => at <= most)
      .at(-1) ?? 0,
  );
}

/** Group `parts` in order, so that no grapheme extends over two groups. */
export function wholeGraphemes<T>(parts: readonly T[], textOf: (part: T) => string): T[][] {
  const at = new Set(boundaries(parts.map(textOf).join("")));
  const groups: T[][] = [];
  let end = 0;
  let open: T[] = [];
  for (const part of parts) {
    open.push(part);
    end += textOf(part).length;
    if (!at.has(end)) continue;
    groups.push(open);
    open = [];
  }
  if (open.length > 0) groups.push(open);
  return groups;
}

const RIGHT_TO_LEFT =
  /[\p{Script=Hebrew}\p{Script=Arabic}\p{Script=Syriac}\p{Script=Thaana}\p{Script=Nko}\p{Script=Adlam}]/u;
const LETTER = /\p{L}/u;

/** Return the direction that a browser gives to text with `dir="auto"`: that of its first letter. */
export function directionOf(text: string): "ltr" | "rtl" {
  const letter = LETTER.exec(text);
  return letter && RIGHT_TO_LEFT.test(letter[0]) ? "rtl" : "ltr";
}

/** Isolate right-to-left text by marks, so that it does not reorder the English sentence around it. */
export function isolated(text: string): string {
  return RIGHT_TO_LEFT.test(text) ? `\u2068${text}\u2069` : text;
}

/**
 * Return whether a text has letters of both directions, or digits among right-to-left letters, so that the visual
 * order differs from the logical order.
 */
export function isMixed(text: string): boolean {
  return RIGHT_TO_LEFT.test(text) && /[\p{N}]|(?![\p{Script=Hebrew}\p{Script=Arabic}])\p{L}/u.test(text);
}
