/** Characters as a reader sees them: a flag, a family or a letter with its marks is one, however many codes it takes. */

const segmenter =
  typeof Intl !== "undefined" && "Segmenter" in Intl
    ? new Intl.Segmenter(undefined, { granularity: "grapheme" })
    : null;

/** Where each grapheme of `text` begins, and where the last one ends. */
export function boundaries(text: string): number[] {
  const found = [0];
  if (segmenter) {
    for (const { index, segment } of segmenter.segment(text)) found.push(index + segment.length);
  } else {
    // A browser without a segmenter: at least no code point is taken apart.
    for (const point of text) found.push((found.at(-1) as number) + point.length);
  }
  return found;
}

/** The longest beginning of `text` that has at most `most` code units and ends between two graphemes. */
export function cutAtGrapheme(text: string, most: number): string {
  if (text.length <= most) return text;
  // A grapheme is short, so what comes far behind the cut does not matter.
  const near = text.slice(0, most + 64);
  return text.slice(
    0,
    boundaries(near)
      .filter((at) => at <= most)
      .at(-1) ?? 0,
  );
}

/** Pieces that a reader sees whole: `parts` in their order, joined where a boundary lies inside a grapheme. */
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

/** The direction that a browser gives to text with `dir="auto"`: that of its first letter. */
export function directionOf(text: string): "ltr" | "rtl" {
  const letter = LETTER.exec(text);
  return letter && RIGHT_TO_LEFT.test(letter[0]) ? "rtl" : "ltr";
}

/** Text that runs to the left, marked so that it does not reorder the English sentence around it. */
export function isolated(text: string): string {
  return RIGHT_TO_LEFT.test(text) ? `\u2068${text}\u2069` : text;
}

/** Whether letters of both directions, or digits among those that run to the left, make the order a puzzle. */
export function isMixed(text: string): boolean {
  return RIGHT_TO_LEFT.test(text) && /[\p{N}]|(?![\p{Script=Hebrew}\p{Script=Arabic}])\p{L}/u.test(text);
}
