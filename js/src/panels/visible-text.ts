/** Make invisible characters of a token's text visible: a space at either end, a line break. */
export function visibleText(text: string): string {
  return text.replaceAll("\n", "⏎").replace(/^ | $/g, "␣");
}
