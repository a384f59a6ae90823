/** Tokens of a text, each shaded by its probability; graphemes that span tokens are one span. */
import type { Token } from "../record/events";
import { shadeOf } from "../style/shade";
import { wholeGraphemes } from "../text/graphemes";

export function TokenSpans({ tokens }: { tokens: readonly Token[] }) {
  return (
    <>
      {wholeGraphemes(tokens, (token) => token.text).map((parts, i) => (
        // biome-ignore lint/a11y/useSemanticElements: a real button would not break with its line
        <span
          key={parts[0]?.index}
          class="aiw-token"
          role="button"
          data-shade={shadeOf(Math.min(...parts.map((token) => token.p)))}
          tabIndex={i === 0 ? 0 : -1}
          data-index={parts[0]?.index}
        >
          {parts.map((token) => token.text).join("")}
        </span>
      ))}
    </>
  );
}
