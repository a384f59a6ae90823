/** A button that copies text and says whether that worked. */
import { useSignal } from "@preact/signals";
import { copyText } from "../clipboard";

const SAID_MS = 2000;

interface Props {
  /** Made when it is asked for. */
  text: () => string;
  label: string;
  /** Shown on the button. */
  children?: string;
}

export function CopyButton({ text, label, children = "copy" }: Props) {
  const said = useSignal("");
  const copy = async () => {
    said.value = (await copyText(text())) ? "copied" : "not allowed";
    setTimeout(() => {
      said.value = "";
    }, SAID_MS);
  };
  return (
    <button type="button" class="aiw-small" aria-label={label} title={label} onClick={() => void copy()}>
      <span aria-live="polite">{said.value || children}</span>
    </button>
  );
}
