/** Events of a record in an exported page: compressed columns, written by `record/packed_events.py`. */

import { isObject } from "../text/json";
import {
  CHUNK_SECONDS,
  ENVELOPE_POINTS,
  EVENTS_VERSION,
  MEL_BANDS,
  MEL_FRAMES,
  type SessionEvent,
} from "./events";

/** Scale of the envelope values, which are stored as whole numbers. */
const PEAK_UNIT = 10_000;

type Column =
  | readonly unknown[]
  | { all: unknown }
  | { steps: number[] }
  | { single: number[] }
  | { values: unknown[]; at: Column };
interface Table {
  rows: number;
  columns: Record<string, Column>;
  alternatives?: { counts: Column } & Record<string, Column>;
  points?: Column;
  /** Number of envelope values that are merged to their maximum. */
  peak_points?: number;
  has_mel?: Column;
  /** Numbers of frames and bands that are averaged into one, and the quantisation step. */
  mel?: [frames: number, bands: number, step: number];
}

/**
 * Events of a page, and the log-mels of its chunks as bytes: decoding them from text would take longer than all the
 * rest.
 */
export interface Unpacked {
  events: SessionEvent[];
  /** By chunk, ten frames of 32 bands; the events' own `mel` is empty. */
  mels: ReadonlyMap<number, Uint8Array>;
}

/** In the order of a chunk's events. */
const TYPES = ["chunk", "decision", "token", "turn", "notice", "timing"] as const;

/** Decompress the data that `pack` wrote. */
export async function unpack(packed: Uint8Array<ArrayBuffer>): Promise<Unpacked> {
  const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("gzip"));
  return eventsOf(new Uint8Array(await new Response(stream).arrayBuffer()));
}

/** Return the events of decompressed data, table by table. */
export function eventsOf(bytes: Uint8Array<ArrayBuffer>): Unpacked {
  const length = new DataView(bytes.buffer, bytes.byteOffset).getUint32(0, true);
  const document: unknown = JSON.parse(new TextDecoder().decode(bytes.subarray(4, 4 + length)));
  if (!isObject(document) || !isObject(document.tables) || !(Number(document.version) <= EVENTS_VERSION)) {
    throw new Error("The record of this page is of a newer version than its viewer.");
  }
  const places = document.blobs as Record<string, [number, number]>;
  const blob = (name: string) => {
    const [start, size] = places[name] ?? [0, 0];
    return bytes.subarray(4 + length + start, 4 + length + start + size);
  };
  const tables = document.tables as Record<string, Table>;
  const events = TYPES.flatMap((type) => {
    const table = tables[type];
    return table ? rowsOf(type, table, blob) : [];
  });
  return { events, mels: tables.chunk ? melsOf(tables.chunk, blob("mel")) : new Map() };
}

function rowsOf(type: string, table: Table, blob: (name: string) => Uint8Array): SessionEvent[] {
  const { rows } = table;
  const columns = Object.entries(table.columns).map(
    ([name, column]) => [name, listOf(column, rows)] as const,
  );
  const others = table.alternatives ? alternativesOf(table.alternatives, rows) : null;
  const events: Record<string, unknown>[] = [];
  for (let i = 0; i < rows; i++) {
    const event: Record<string, unknown> = { type };
    for (const [name, values] of columns) event[name] = values[i];
    event.start_s ??=
      type === "chunk" || type === "decision" ? Number(event.chunk) * CHUNK_SECONDS : undefined;
    if (others) event.alternatives = others[i];
    events.push(event);
  }
  if (type === "chunk") addEnvelopes(events, table, blob("envelope"));
  return events as unknown as SessionEvent[];
}

/** Return the values of a column, one per row. */
export function listOf(column: Column, rows: number): readonly unknown[] {
  if (Array.isArray(column)) return column;
  if ("all" in column) return new Array(rows).fill(column.all);
  if ("steps" in column) {
    let sum = 0;
    return column.steps.map((step) => {
      sum += step;
      return sum;
    });
  }
  if ("single" in column) return column.single.map(Math.fround);
  const { values, at } = column as { values: unknown[]; at: Column };
  return listOf(at, rows).map((index) => values[index as number]);
}

function alternativesOf(table: { counts: Column } & Record<string, Column>, rows: number): unknown[][] {
  const { counts, ...columns } = table;
  const numbers = listOf(counts, rows) as number[];
  const total = numbers.reduce((sum, count) => sum + count, 0);
  const lists = Object.entries(columns).map(([name, column]) => [name, listOf(column, total)] as const);
  let at = 0;
  return numbers.map((count) => {
    const found: unknown[] = [];
    for (let i = 0; i < count; i++, at++) {
      found.push(Object.fromEntries(lists.map(([name, values]) => [name, values[at]])));
    }
    return found;
  });
}

function addEnvelopes(events: Record<string, unknown>[], table: Table, envelope: Uint8Array): void {
  const half = envelope.length / 2;
  const wide = table.peak_points ?? 1;
  const points = listOf(table.points ?? { all: ENVELOPE_POINTS }, events.length) as number[];
  events.forEach((event, i) => {
    event.envelope = Array.from({ length: Math.min(points[i] as number, ENVELOPE_POINTS) }, (_, point) => {
      const at = Math.floor((i * ENVELOPE_POINTS + point) / wide);
      return (((envelope[at] as number) << 8) | (envelope[half + at] as number)) / PEAK_UNIT;
    });
    event.mel = "";
  });
}

function melsOf(table: Table, differences: Uint8Array): Map<number, Uint8Array> {
  const chunks = listOf(table.columns.chunk ?? [], table.rows) as number[];
  const hasMel = listOf(table.has_mel ?? { all: 0 }, table.rows);
  const frames = melFrames(differences, table.mel ?? [1, 1, 1]);
  const size = MEL_BANDS * MEL_FRAMES;
  const mels = new Map<number, Uint8Array>();
  chunks.forEach((chunk, i) => {
    if (hasMel[i]) mels.set(chunk, frames.subarray(mels.size * size, (mels.size + 1) * size));
  });
  return mels;
}

/** Return all log-mels frame by frame, from differences in time that are stored band by band. */
function melFrames(differences: Uint8Array, [tall, wide, step]: [number, number, number]): Uint8Array {
  const bands = MEL_BANDS / wide;
  const count = differences.length / bands;
  const whole = new Uint8Array(differences.length * tall * wide);
  for (let band = 0; band < bands; band++) {
    let level = 0;
    for (let frame = 0; frame < count; frame++) {
      level = (level + (differences[band * count + frame] as number)) & 255;
      for (let i = 0; i < tall; i++) {
        const at = (frame * tall + i) * MEL_BANDS + band * wide;
        whole.fill(level * step, at, at + wide);
      }
    }
  }
  return whole;
}
