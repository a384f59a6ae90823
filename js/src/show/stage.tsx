/** Show view: state, decisions and replies large enough to be read from the last row of a room. */

import { Announcement } from "../panels/announcement";
import { EmotionSign } from "../panels/emotion-sign";
import { ReadingLine } from "../panels/reading-line";
import { clockTime } from "../panels/status";
import { chunkCount, type TurnRecord } from "../record/record";
import { isReplyHidden } from "../store/hidden";
import type { ShownState, Store } from "../store/store";
import type { SessionView } from "../view";
import { Decisions } from "./decisions";

/** Replies that fit a screen in large type: the newest, and two before it. */
const SHOWN_REPLIES = 3;

const STATES: Record<ShownState, string> = {
  idle: "Ready",
  asking: "Asking for the microphone",
  listening: "Listening",
  speaking: "Speaking",
  paused: "Paused",
  stopped: "Stopped",
  error: "Stopped by an error",
};

export function Stage({ view }: { view: SessionView }) {
  const { store } = view;
  void store.version.value;
  const { record } = store;
  const hidden = view.hiddenFrom.value;
  const heard = chunkCount(record) > 0;
  const replies = record.turns
    .filter((turn) => turn.text !== "" && !isReplyHidden(hidden, turn))
    .slice(-SHOWN_REPLIES);
  const state = store.shown.value;
  return (
    <section class="aiw-stage" aria-label="Show" data-testid="stage">
      <p class="aiw-show-state" data-testid="show-state" data-pill={state}>
        <span class="aiw-show-mark" aria-hidden="true" />
        <span role="status">{stateText(store)}</span>
        {heard && <span class="aiw-show-time">{clockTime(store.seconds.value)}</span>}
      </p>
      {heard ? <Decisions view={view} /> : <p class="aiw-show-hint">{emptyText(store)}</p>}
      {heard && replies.length === 0 && (
        <p class="aiw-show-hint">It decides every 0.4 s, and replies when someone has spoken to it.</p>
      )}
      {replies.length > 0 && (
        <ol class="aiw-show-replies" aria-label="Newest replies">
          {replies.map((turn) => (
            <Reply key={turn.turn} turn={turn} newest={turn === replies.at(-1)} />
          ))}
        </ol>
      )}
      <ReadingLine view={view} />
      <Announcement view={view} />
    </section>
  );
}

function Reply({ turn, newest }: { turn: TurnRecord; newest: boolean }) {
  return (
    <li class="aiw-show-reply" data-testid="show-reply" data-newest={newest}>
      {turn.emotion && <EmotionSign emotion={turn.emotion} />}
      <span dir="auto">
        {turn.text}
        {turn.ended === null && <span class="aiw-cursor" aria-hidden="true" />}
      </span>
    </li>
  );
}

function stateText(store: Store): string {
  const { shown, saved, model, line, file } = store;
  if (saved.value) return "Saved session";
  if (line.value === "waiting") return "Waiting for the kernel";
  if (shown.value === "asking" && file.value) return "Opening the file";
  const quiet = shown.value === "idle" || shown.value === "stopped";
  if (quiet && model.value.status === "loading") return "Loading the model";
  return STATES[shown.value];
}

function emptyText({ model, runsIn }: Store): string {
  if (model.value.status === "failed") return "The sentence above says why the model could not be loaded.";
  if (model.value.status !== "loading") return "Press Record and say something, or open a file.";
  return runsIn === "kernel"
    ? "You can record already: what is heard meanwhile is decided when the model is loaded."
    : "When the model is loaded into this page, press Record and say something, or play a clip.";
}
