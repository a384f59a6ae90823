/** A button that copies text and says whether that worked. */

import { useSignal } from "@preact/signals";
import { copyText } from "../host/clipboard";
import { Icon } from "./icon";
import { SmallButton } from "./small-button";

const SAID_MS = 2000;

interface Props {
  /** Made when it is asked for. */
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
