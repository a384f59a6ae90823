/** Heading of an exported page: title, date, model, settings, and the details that the page lacks. */

import type { RecordHeader } from "../channel/record-channel";

export function RecordHead({ header }: { header: RecordHeader }) {
  const { title, facts, settings, notes } = header;
  const named = Object.entries(settings);
  return (
    <header class="aiw-record-head">
      <h1 dir="auto">{title}</h1>
      <p class="aiw-facts" data-testid="facts">
        {facts.map((fact) => (
          <span key={fact} dir="auto">
            {fact}
          </span>
        ))}
      </p>
      {named.length > 0 && (
        <details class="aiw-fold" data-testid="record-settings">
          <summary>
            Settings <small>of the session, when it ended</small>
          </summary>
          <dl>
            {named.map(([name, value]) => (
              <div key={name}>
                <dt>{name.replaceAll("_", " ")}</dt>
                <dd dir="auto">{valueText(value)}</dd>
              </div>
            ))}
          </dl>
        </details>
      )}
      {notes.length > 0 && (
        <p class="aiw-record-notes" data-testid="record-notes">
          {notes.join(" ")}
        </p>
      )}
    </header>
  );
}

function valueText(value: unknown): string {
  if (value === null || value === "") return "–";
  if (value === true) return "on";
  if (value === false) return "off";
  return typeof value === "object" ? JSON.stringify(value) : String(value);
}
