/** A canvas that draws nothing and remembers what it was asked to. */
import { vi } from "vitest";
import { applyEvent, emptyRecord, type SessionRecord } from "../src/record/record";
import { NOTHING_HIDDEN } from "../src/store/hidden";
import type { LaneFrame } from "../src/timeline/lane";
import type { Palette } from "../src/timeline/palette";
import { Patterns } from "../src/timeline/patterns";
import { visibleChunks } from "../src/timeline/visible";
import { chunk, decision, timing } from "./fakes";

export interface Call {
  name: string;
  args: unknown[];
  /** Fill style, direction and alignment at the time of the call. */
  fill: unknown;
  direction: unknown;
  align: unknown;
}

export class FakeCanvas {
  width = 0;
  height = 0;
  clientWidth = 0;
  readonly calls: Call[] = [];
  readonly context: CanvasRenderingContext2D;

  constructor() {
    const { calls } = this;
    const state: Record<string | symbol, unknown> = { canvas: this };
    this.context = new Proxy(state, {
      get(target, name) {
        if (name in target) return target[name];
        return (...args: unknown[]) => {
          const { fillStyle: fill, direction, textAlign: align } = target;
          calls.push({ name: String(name), args, fill, direction, align });
          if (name === "measureText") return { width: 6 * String(args[0]).length };
          if (name === "createPattern") return { setTransform: () => {} };
          if (name === "getImageData") return { data: [10, 20, 30, 255] };
          return undefined;
        };
      },
    }) as unknown as CanvasRenderingContext2D;
  }

  getContext(): CanvasRenderingContext2D {
    return this.context;
  }

  named(name: string): Call[] {
    return this.calls.filter((call) => call.name === name);
  }
}

/** What patterns and pictures are made of, which no test's page knows. */
export function stubPictures(): void {
  vi.stubGlobal(
    "DOMMatrix",
    class {
      scale() {
        return this;
      }
    },
  );
  vi.stubGlobal(
    "ImageData",
    class {
      readonly data: Uint8ClampedArray;
      constructor(
        readonly width: number,
        readonly height: number,
      ) {
        this.data = new Uint8ClampedArray(4 * width * height);
      }
    },
  );
}

/** The browser's drawing, as far as lanes use it. */
export function stubDrawing(): FakeCanvas[] {
  const made: FakeCanvas[] = [];
  vi.stubGlobal("document", {
    createElement: () => {
      const canvas = new FakeCanvas();
      made.push(canvas);
      return canvas;
    },
  });
  stubPictures();
  vi.stubGlobal("Path2D", class {});
  return made;
}

export const PALETTE = new Proxy({ font: "sans", mono: "mono" } as Palette, {
  get: (fonts, name) => Reflect.get(fonts, name) ?? `colour-${String(name)}`,
});

const records = new Map<number, SessionRecord>();

/** A record that tests only read; long ones take their time to make. */
export function sharedRecord(chunks: number): SessionRecord {
  const record = records.get(chunks) ?? longRecord(chunks);
  records.set(chunks, record);
  return record;
}

export function longRecord(chunks: number): SessionRecord {
  const record = emptyRecord();
  const mel = btoa("m".repeat(320));
  for (let k = 0; k < chunks; k++) {
    applyEvent(record, chunk(k, { mel }));
    applyEvent(
      record,
      decision(k, { choice: k % 25 === 24 ? "TEXT_BEGIN" : "KEEP_SILENCE", p_text: (k % 25) / 25 }),
    );
    applyEvent(record, timing(k, 0, { queue_ms: k % 100 === 50 ? 700 : 1 }));
  }
  return record;
}

/** A frame of `span` seconds from `start` on, 800 pixels wide. */
export function frameOf(
  record: SessionRecord,
  start: number,
  span: number,
  canvas = new FakeCanvas(),
): LaneFrame {
  const axis = { start, span, left: 0, width: 800 };
  const { context } = canvas;
  return {
    context,
    record,
    axis,
    ...visibleChunks(record, axis),
    hidden: NOTHING_HIDDEN,
    top: 100,
    height: 50,
    palette: PALETTE,
    patterns: new Patterns(context, PALETTE, 1),
  };
}
