/** Button that copies a text and reports whether copying succeeded. */

import { useSignal } from "@preact/signals";
import { copyText } from "../host/clipboard";
import { Icon } from "./icon";
import { SmallButton } from "./small-button";

/** Time that the result of copying is shown, in milliseconds. */
const SAID_MS = 2000;

interface Props {
  /** Creates the text when the button is pressed. */
  text: () => string;
  label: string;
}

export function CopyButton({ text, label }: Props) {
  const said = useSignal("");
  const copy = async () => {
    said.value = (await copyText(text())) ? "copied" : "not allowed";
    setTimeout(() => {
      said.value = "";
    }, SAID_MS);
  };
  return (
    <SmallButton label={label} onClick={() => void copy()}>
      <span aria-live="polite">{said.value || <Icon name="copy" />}</span>
    </SmallButton>
  );
}
