/** Problems, each with its sentence and its way out; and the line that says how the model is. */
import type { ModelInfo } from "../messages";
import type { View } from "../view";

export function Banners({ view }: { view: View }) {
  const { conversation, store } = view;
  return (
    <div class="aiw-banners">
      {store.problems.value.map((problem) => (
        <div
          key={problem.code}
          class="aiw-banner"
          role="alert"
          data-testid="problem"
          data-code={problem.code}
        >
          <span class="aiw-banner-mark" aria-hidden="true">
            !
          </span>
          <div class="aiw-banner-text">
            <strong>{problem.sentence}</strong> <span>{problem.wayOut}</span>
            {problem.detail && (
              <details>
                <summary>Details</summary>
                <pre>{problem.detail}</pre>
              </details>
            )}
          </div>
          <button
            type="button"
            class="aiw-dismiss"
            aria-label="Dismiss this message"
            onClick={() => conversation.dismiss(problem)}
          >
            ×
          </button>
        </div>
      ))}
    </div>
  );
}

export function ModelLine({ view }: { view: View }) {
  const { model, line } = view.store;
  return (
    <p class="aiw-model" data-testid="model" data-status={model.value.status}>
      {line.value === "waiting"
        ? "Waiting for the kernel, which is busy or not running."
        : modelText(model.value)}
    </p>
  );
}

export function modelText({ status, name, detail }: ModelInfo): string {
  const more = detailText(detail);
  if (status === "failed") return `The model could not be loaded. ${more}`.trim();
  if (status === "loading") return `Loading the model${name ? ` ${name}` : ""}… ${more}`.trim();
  return [name, more].filter(Boolean).join(" · ");
}

/** The detail is text, or a table such as `{device, dtype}`. */
function detailText(detail: unknown): string {
  if (typeof detail === "string") return detail;
  if (typeof detail !== "object" || detail === null) return "";
  return Object.values(detail)
    .filter((value) => typeof value === "string" || typeof value === "number")
    .join(" · ");
}
