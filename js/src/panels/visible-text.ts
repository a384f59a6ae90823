/** A token's text with what cannot be seen made visible: a space at either end, a line break. */
export function visibleText(text: string): string {
  return text.replaceAll("\n", "⏎").replace(/^ | $/g, "␣");
}
