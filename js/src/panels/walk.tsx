/** Render two buttons that move between given chunks. */
import type { View } from "../view";
import { SmallButton } from "./small-button";

/** @param props.name - Beginning of the buttons' test ids. */
export function Walk({ view, name, chunks }: { view: View; name: string; chunks: readonly number[] }) {
  const at = view.selected.value ?? -1;
  const next = chunks.find((chunk) => chunk > at) ?? chunks[0];
  const before = chunks.filter((chunk) => chunk < at).at(-1) ?? chunks.at(-1);
  const go = (chunk: number | undefined) => chunk !== undefined && view.showChunk(chunk);
  return (
    <span class="aiw-what-if-walk">
      <SmallButton data-testid={`${name}-previous`} onClick={() => go(before)}>
        ‹ previous
      </SmallButton>
      <SmallButton data-testid={`${name}-next`} onClick={() => go(next)}>
        next ›
      </SmallButton>
    </span>
  );
}
