/** Line below the model's: the engine that runs in this page, and how far the kernel's record is behind. */
import { engineText } from "../page/engine-text";
import { type Delivery, MANY_BEHIND } from "./mirror";
import type { NotebookChannel } from "./notebook-channel";

export function EngineLine({ channel }: { channel: NotebookChannel }) {
  const { value } = channel.delivery;
  return (
    <p class="aiw-model" data-testid="engine">
      {engineText(channel)}{" "}
      <span
        data-testid="delivery"
        data-delivery={value.state}
        data-taken={value.taken}
        data-heard={value.chunks}
      >
        {deliveryText(value)}
      </span>
    </p>
  );
}

/** Say what the kernel has of the session. */
export function deliveryText({ state, chunks, taken }: Delivery): string {
  const has = `The kernel has ${taken} of ${chunks} chunks of this session`;
  if (state === "elsewhere") return "The kernel records another page.";
  if (state === "refused") return `${has}, and takes no more.`;
  if (state === "unconnected") return `${has}; no kernel answers.`;
  if (state === "idle") return "The kernel records what is heard here.";
  if (chunks - taken < MANY_BEHIND) return "The kernel’s record is up to date.";
  return `${has}; the rest follows when it is free.`;
}
