/** Latency of one chunk: a bar for each part, in sequence, below the deadline of one chunk's length. */

import { DEADLINE_MS, LATENCY_PARTS, type LatencyPart, type LatencyTable } from "../record/latency-table";
import { decimals } from "../text/exact";
import { ExactNumber } from "./exact-number";

const MEANINGS: Record<LatencyPart, string> = {
  capture: "from the last sample to the send",
  uplink: "from the page to the model",
  queue: "waiting for the model",
  network: "to the class server and back",
  features: "log-mel",
  tower: "audio tower",
  decide: "language model",
  downlink: "from the model to the page",
  paint: "until the picture shows it",
};

/** Return the parts of a chunk's way: the network only where the model is on a class server. */
function partsOf(latency: LatencyTable, chunk: number): LatencyPart[] {
  return LATENCY_PARTS.filter((part) => part !== "network" || latency.part(chunk, part) > 0);
}

interface Props {
  latency: LatencyTable;
  chunk: number;
  /** Duration of the reply in milliseconds; 0 without a reply. */
  reply_ms: number;
  exact: boolean;
}

const tenths = (ms: number) => decimals(ms, 1);

export function LatencyRows({ latency, chunk, reply_ms, exact }: Props) {
  const total = latency.part(chunk, "total");
  const scale = Math.max(DEADLINE_MS, total) * 1.04;
  const place = (ms: number) => `${(ms / scale) * 100}%`;
  let from = 0;
  const late = total > DEADLINE_MS;
  return (
    <table class="aiw-table aiw-latency-table" data-testid="latency">
      <thead class="aiw-hidden">
        <tr>
          <th scope="col">part</th>
          <th scope="col">share</th>
          <th scope="col">milliseconds</th>
        </tr>
      </thead>
      <tbody style={{ "--deadline": place(DEADLINE_MS) }}>
        {partsOf(latency, chunk).map((part) => {
          const ms = latency.part(chunk, part);
          const start = from;
          if (!Number.isNaN(ms)) from += ms;
          return (
            <tr key={part}>
              <th scope="row" title={MEANINGS[part]}>
                {part}
              </th>
              <td class="aiw-latency-way" aria-hidden="true">
                {!Number.isNaN(ms) && (
                  <span data-part={part} style={{ left: place(start), width: place(ms) }} />
                )}
              </td>
              <td>
                {Number.isNaN(ms) ? (
                  <span title="Known only for chunks recorded on this page">–</span>
                ) : (
                  <ExactNumber value={ms} exact={exact} format={tenths} />
                )}
              </td>
            </tr>
          );
        })}
        <tr class="aiw-latency-total" data-late={late}>
          <th scope="row">total</th>
          <td class="aiw-latency-way" aria-hidden="true">
            <span data-part="total" style={{ left: 0, width: place(total) }} />
          </td>
          <td>
            <ExactNumber value={total} exact={exact} format={tenths} />
          </td>
        </tr>
      </tbody>
      <caption>
        ms · deadline {DEADLINE_MS} ms, a chunk's length: {late ? "missed by " : "kept with "}
        {tenths(Math.abs(DEADLINE_MS - total))} ms {late ? "" : "to spare"}
        {reply_ms > 0 && (
          <>
            {" "}
            · reply afterwards <ExactNumber value={reply_ms} exact={exact} format={tenths} /> ms
          </>
        )}
      </caption>
    </table>
  );
}

/** Format the total for the closed panel: "63.4 of 400 ms". */
export function latencySummary(latency: LatencyTable, chunk: number): string {
  const total = latency.part(chunk, "total");
  return Number.isNaN(total) ? "not measured" : `${tenths(total)} of ${DEADLINE_MS} ms`;
}
