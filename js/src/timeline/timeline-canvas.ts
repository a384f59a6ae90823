/** The canvas of one view: holds the time axis, follows the newest chunk, and redraws only when something changed. */
import { effect } from "@preact/signals";
import { CHUNK_SECONDS } from "../events";
import { chunkCount, chunkStart, talkEnd } from "../talk";
import type { View } from "../view";
import { gutterOf, TIMELINE_HEIGHT } from "./layout";
import { hatchPattern, paint } from "./painter";
import { type Palette, readPalette } from "./palette";
import * as time from "./time-axis";
import { chunkAt } from "./visible";

export class TimelineCanvas {
  axis: time.TimeAxis = { start: 0, span: time.DEFAULT_SPAN_S, left: 0, width: 1 };
  /** Pixel of the pointer's line. */
  crosshair: number | null = null;
  #context: CanvasRenderingContext2D | null;
  #palette: Palette;
  #hatch: CanvasPattern | null = null;
  #scale = 1;
  #frame = 0;
  #cleanups: (() => void)[] = [];

  constructor(
    private readonly canvas: HTMLCanvasElement,
    private readonly root: Element,
    private readonly view: View,
  ) {
    this.#context = canvas.getContext("2d");
    this.#palette = readPalette(root);
    const resize = new ResizeObserver(() => this.#resize());
    resize.observe(canvas);
    this.#cleanups.push(() => resize.disconnect());
    const { store, hovered, selected, following } = view;
    this.#cleanups.push(
      effect(() => {
        void [store.version.value, hovered.value, selected.value, following.value];
        this.invalidate();
      }),
    );
    view.showChunk = (chunk) => this.showChunk(chunk);
    this.#resize();
  }

  end(): void {
    cancelAnimationFrame(this.#frame);
    for (const cleanup of this.#cleanups) cleanup();
    this.view.showChunk = () => {};
  }

  /** Colours may have changed with the theme. */
  restyle(): void {
    this.#palette = readPalette(this.root);
    this.#hatch = null;
    this.invalidate();
  }

  invalidate(): void {
    if (this.#frame === 0) this.#frame = requestAnimationFrame(() => this.#draw());
  }

  /** Seconds from 0 to the end of the newest chunk. */
  get end_s(): number {
    return talkEnd(this.view.store.talk);
  }

  panBy(seconds: number): void {
    this.#move(time.pan(this.axis, seconds, this.end_s));
  }

  /** Magnifies around pixel `x`; while following, around the newest chunk. */
  zoomBy(factor: number, x = this.axis.left + this.axis.width / 2): void {
    const { following } = this.view;
    const keep = following.value;
    const fixed = keep ? time.xOf(this.axis, Math.max(this.end_s, this.axis.start)) : x;
    this.#move(time.zoom(this.axis, factor, fixed));
    if (keep) this.follow();
  }

  fit(): void {
    this.#move(time.fit(this.axis, this.end_s));
  }

  follow(): void {
    this.view.following.value = true;
    if (this.axis.span > 4 * time.DEFAULT_SPAN_S) this.axis = { ...this.axis, span: time.DEFAULT_SPAN_S };
    this.invalidate();
  }

  /** Shows the chunk and picks it. */
  showChunk(chunk: number): void {
    this.moveCursor(chunk);
    this.view.selected.value = chunk;
  }

  /** Puts the cursor on a chunk and brings it into sight. */
  moveCursor(chunk: number): void {
    const { store, hovered } = this.view;
    const count = chunkCount(store.talk);
    if (count === 0) return;
    const to = Math.min(count - 1, Math.max(0, chunk));
    hovered.value = to;
    this.crosshair = null;
    const from_s = chunkStart(store.talk, to);
    const moved = time.reveal(this.axis, from_s, from_s + CHUNK_SECONDS);
    if (moved !== this.axis) this.#move(moved);
    this.invalidate();
  }

  /** The chunk under pixel `x`, which becomes the hovered one; null leaves it. */
  pointAt(x: number | null): number | null {
    const chunk = x === null ? null : chunkAt(this.view.store.talk, this.axis, x);
    this.crosshair = x !== null && x >= this.axis.left ? x : null;
    this.view.hovered.value = chunk;
    this.invalidate();
    return chunk;
  }

  #move(axis: time.TimeAxis): void {
    this.axis = axis;
    this.view.following.value = false;
    this.invalidate();
  }

  #resize(): void {
    const width = this.canvas.clientWidth;
    if (width === 0) return;
    this.#scale = globalThis.devicePixelRatio || 1;
    this.canvas.width = Math.round(width * this.#scale);
    this.canvas.height = Math.round(TIMELINE_HEIGHT * this.#scale);
    const left = gutterOf(width);
    const before = this.axis.width;
    // Half as wide a cell shows half as many seconds: chunks keep their size.
    const span =
      before > 1
        ? this.axis.span
        : (time.DEFAULT_SPAN_S * Math.max(200, width - left)) / Math.max(700, width - left);
    this.axis = { ...this.axis, span, left, width: Math.max(1, width - left) };
    this.#hatch = null;
    this.invalidate();
  }

  #draw(): void {
    this.#frame = 0;
    const context = this.#context;
    if (!context || this.canvas.width === 0) return;
    this.#approachLive();
    context.setTransform(this.#scale, 0, 0, this.#scale, 0, 0);
    this.#hatch ??= hatchPattern(context, this.#palette, this.#scale);
    const { store, hovered, selected } = this.view;
    paint(context, {
      talk: store.talk,
      axis: this.axis,
      palette: this.#palette,
      hatch: this.#hatch,
      hovered: hovered.peek(),
      selected: selected.peek(),
      crosshair: this.crosshair,
    });
  }

  /** Glides to the newest chunk; jumps where the person asked for less motion or the way is far. */
  #approachLive(): void {
    if (!this.view.following.peek()) return;
    const target = time.liveStart(this.axis, this.end_s);
    const way = target - this.axis.start;
    if (Math.abs(way) < 0.005 || Math.abs(way) > 4 || reducedMotion()) {
      this.axis = { ...this.axis, start: target };
      return;
    }
    this.axis = { ...this.axis, start: this.axis.start + way * 0.2 };
    this.invalidate();
  }
}

function reducedMotion(): boolean {
  return globalThis.matchMedia?.("(prefers-reduced-motion: reduce)").matches ?? false;
}
