/** State of reading aloud: what the microphone does meanwhile, or why a reply could not be read. */

import type { Store } from "../store/store";
import type { View } from "../view";
import { Icon } from "./icon";
import { SmallButton } from "./small-button";

export function ReadingLine({ view }: { view: View }) {
  const { store, channel } = view;
  const { speech } = channel;
  const problem = speech.problem.value;
  const remark = speech.remark.value;
  if (speech.reading.value !== null) {
    return (
      <p class="aiw-reading" data-testid="reading">
        <Icon name="speaker" /> Reading aloud · {microphoneText(store)}{" "}
        <SmallButton onClick={() => speech.stop()}>stop</SmallButton>
        {remark && <span data-testid="reading-remark"> {remark}</span>}
      </p>
    );
  }
  if (!problem && remark) {
    return (
      <p class="aiw-reading" role="status" data-testid="reading-remark">
        {remark}
      </p>
    );
  }
  if (!problem) return null;
  return (
    <p class="aiw-reading" role="status" data-testid="reading-problem">
      {problem.sentence} {problem.wayOut}
    </p>
  );
}

function microphoneText({ micOpen, live, track }: Store): string {
  if (!micOpen.value) return "the microphone is off";
  const echo = track.value?.echoCancellation === true ? "echo cancellation is on" : "no echo cancellation";
  const policy =
    live.value.reading === "mute" ? "the microphone is muted meanwhile" : "the microphone stays on";
  return `${policy} · ${echo}`;
}
