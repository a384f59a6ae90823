/** Problems with sentence and remedy; the banner of a page without a kernel; and the line about the model. */
import type { ModelInfo } from "../channel/messages";
import { isPlaying } from "../store/playing";
import type { Problem } from "../store/problem";
import type { Store } from "../store/store";
import type { View } from "../view";

export function Banners({ view }: { view: View }) {
  const { channel, store } = view;
  // Not while connecting: a banner that the welcome removes at once would flicker.
  const saved = store.saved.value && store.line.value !== "connecting";
  return (
    <div class="aiw-banners">
      {saved && <Banner problem={SAVED} testid="saved" />}
      {store.problems.value.map((problem) => (
        <Banner
          key={problem.code}
          problem={problem}
          testid="problem"
          dismiss={() => channel.dismiss(problem)}
        />
      ))}
    </div>
  );
}

/** Banner of a saved notebook, or of a page whose kernel has not answered: why there are data but no controls. */
const SAVED: Problem = {
  code: "saved",
  sentence: "This is a saved session; the microphone is off because no kernel answers.",
  wayOut: "Run the cell to talk to the model again.",
  calm: true,
};

interface BannerProps {
  problem: Problem;
  testid: string;
  dismiss?: () => void;
}

function Banner({
  problem: { code, sentence, wayOut, detail, calm, times = 1 },
  testid,
  dismiss,
}: BannerProps) {
  return (
    <div
      class={calm ? "aiw-banner aiw-calm" : "aiw-banner"}
      role={calm ? "status" : "alert"}
      data-testid={testid}
      data-code={code}
    >
      <span class="aiw-banner-mark" aria-hidden="true">
        {calm ? "i" : "!"}
      </span>
      <div class="aiw-banner-text">
        <strong>{sentence}</strong> <span>{wayOut}</span>
        {times > 1 && (
          <span class="aiw-banner-times" data-testid="times" title={`Reported ${times} times`}>
            {" "}
            ×{times}
          </span>
        )}
        {detail && (
          <details>
            <summary>Details</summary>
            <pre>{detail}</pre>
          </details>
        )}
      </div>
      {dismiss && (
        <button type="button" class="aiw-dismiss" aria-label="Dismiss this message" onClick={dismiss}>
          ×
        </button>
      )}
    </div>
  );
}

export function ModelLine({ view }: { view: View }) {
  const { store } = view;
  const { model, line, saved } = store;
  const loaded = progressOf(model.value);
  const busy = busyText(store);
  return (
    <p class="aiw-model" data-testid="model" data-status={model.value.status} data-busy={busy !== ""}>
      {line.value === "waiting" && !saved.value
        ? "Waiting for the kernel, which is busy or not running."
        : busy || modelText(model.value)}
      {loaded !== null && (
        <progress class="aiw-progress" data-testid="loading" value={loaded} aria-label="Loading the model" />
      )}
    </p>
  );
}

/** Number of waiting chunks from which on a sentence reports them: two seconds of audio. */
const MANY_WAITING = 5;

/** Describe the waiting audio and the reason; empty below `MANY_WAITING`. */
export function busyText(store: Store): string {
  const { waiting, model, loop, speaking, file } = store;
  const chunks = waiting.value;
  if (chunks < MANY_WAITING) return "";
  const many = `${chunks} chunks (${(chunks * 0.4).toFixed(1)} s of audio) are waiting`;
  if (model.value.status === "loading") return `${many} until the model is loaded; none is lost.`;
  if (loop.value.mode !== "run") return `${many} because the loop is paused.`;
  // The kernel reads a file a few chunks ahead.
  if (isPlaying(file.value)) return "";
  if (speaking.value) return `${many} while the model speaks.`;
  return `The ${store.runsIn} is busy: ${many} and will be decided in order.`;
}

export function modelText({ status, name, detail }: ModelInfo): string {
  const more = detailText(detail);
  if (status === "failed") return `The model could not be loaded. ${more}`.trim();
  if (status === "loading") return `Loading the model${name ? ` ${name}` : ""}… ${more}`.trim();
  return [name, more].filter(Boolean).join(" · ");
}

/** Return the loaded part of the model, 0…1; null if unknown. */
export function progressOf({ status, detail }: ModelInfo): number | null {
  if (status !== "loading" || typeof detail !== "object" || detail === null) return null;
  const { done, total } = detail as Record<string, unknown>;
  if (typeof done !== "number" || typeof total !== "number" || !(total > 0)) return null;
  return Math.min(1, done / total);
}

/** Format the detail of a model: a text, or a table such as `{device, dtype}` or the progress of loading. */
function detailText(detail: unknown): string {
  if (typeof detail === "string") return detail;
  if (typeof detail !== "object" || detail === null) return "";
  const { done, total, ...others } = detail as Record<string, unknown>;
  const parts = Object.values(others).filter(
    (value) => typeof value === "string" || typeof value === "number",
  );
  if (typeof done === "number" && typeof total === "number" && total > 0) {
    parts.push(`${bytesText(done)} of ${bytesText(total)}`);
  }
  return parts.join(" · ");
}

function bytesText(bytes: number): string {
  return bytes >= 1e9 ? `${(bytes / 1e9).toFixed(1)} GB` : `${Math.round(bytes / 1e6)} MB`;
}
