/** Canvases of one view: owner of the time axis, which follows the newest chunk and redraws only what changed. */
import { effect, signal } from "@preact/signals";
import { CHUNK_SECONDS } from "../record/events";
import { chunkCount, chunkStart, recordEnd } from "../record/record";
import type { View } from "../view";
import { foldedLanes } from "./folding";
import { FrameRequests, SHARED_MS } from "./frame-requests";
import { Layer } from "./layer";
import { type Layout, layoutOf } from "./layout";
import { OVERVIEW_HEIGHT, overviewAxis, paintRecord, paintWindow, windowMark, windowStart } from "./overview";
import { paintLanes, paintMarks, type Scene } from "./painter";
import { type Palette, readPalette } from "./palette";
import { Patterns } from "./patterns";
import { followReplay } from "./replay-cursor";
import { paintFlips, paintPlayed, paintSpan } from "./replay-marks";
import { TileCache } from "./tiles";
import * as time from "./time-axis";
import { chunkAt } from "./visible";

export interface Canvases {
  lanes: HTMLCanvasElement;
  marks: HTMLCanvasElement;
  overview: HTMLCanvasElement;
}

/** Time constant of a glide to the newest chunk, in milliseconds: two thirds of the distance. */
const GLIDE_MS = 60;
/** Width for which the default span is made, in pixels; a narrower view shows fewer seconds, not smaller chunks. */
const FULL_WIDTH = 700;

export class TimelineCanvas {
  axis: time.TimeAxis = { start: 0, span: time.DEFAULT_SPAN_S, left: 0, width: 1 };
  /** Number of moves of the window, for elements with a place in it. */
  readonly moves = signal(0);
  /** Pixel of the pointer's line. */
  crosshair: number | null = null;
  /** Number of frames drawn, and of those that drew the lanes: without a change, none is drawn. */
  readonly frames = { all: 0, lanes: 0 };
  readonly #tiles = new TileCache();
  readonly #lanes: Layer;
  readonly #marks: Layer;
  readonly #overview: Layer;
  readonly #recordPicture = new Layer(document.createElement("canvas"));
  /** Inputs of the drawn picture of the whole record. */
  #drawnFrom: readonly unknown[] = [];
  /** Place of the window's mark that the overview shows. */
  #drawnMark = "";
  #drawnAxis = this.axis;
  /** Whether the layer of marks is empty. */
  #bare = true;
  #layout: Layout;
  #palette: Palette;
  #patterns: Patterns | null = null;
  readonly #requests = new FrameRequests(() => this.#draw());
  /** Number of decisions when the lanes were drawn last, and time of a glide's newest step. */
  #drawnDecisions = 0;
  #glided = 0;
  #stale: "lanes" | "marks" = "lanes";
  #cleanups: (() => void)[] = [];
  readonly #followers = new Set<(scene: Scene) => void>();

  constructor(
    canvases: Canvases,
    private readonly root: Element,
    private readonly view: View,
  ) {
    this.#lanes = new Layer(canvases.lanes);
    this.#marks = new Layer(canvases.marks);
    this.#overview = new Layer(canvases.overview);
    this.#palette = readPalette(root);
    this.#layout = layoutOf(foldedLanes(view).peek());
    const resize = new ResizeObserver(() => this.#resize());
    resize.observe(canvases.lanes);
    resize.observe(canvases.overview);
    this.#cleanups.push(() => resize.disconnect());
    this.#watch();
    view.showChunk = (chunk) => this.showChunk(chunk);
    this.#resize();
  }

  #watch(): void {
    const { store, hovered, selected, following, hiddenFrom, flips } = this.view;
    const folded = foldedLanes(this.view);
    this.#cleanups.push(
      followReplay(this, this.view),
      effect(() => {
        void [following.value, hiddenFrom.value];
        this.invalidate();
      }),
      effect(() => {
        void store.version.value;
        // A decision is drawn at the next frame; other events may share a later frame.
        this.invalidate("lanes", store.record.decided === this.#drawnDecisions);
      }),
      effect(() => {
        this.#layout = layoutOf(folded.value);
        this.invalidate();
      }),
      effect(() => {
        void [hovered.value, selected.value, flips.value];
        this.invalidate("marks");
      }),
    );
  }

  end(): void {
    this.#requests.end();
    for (const cleanup of this.#cleanups) cleanup();
    this.view.showChunk = () => {};
  }

  /** Read the colours again, after a change of the theme. */
  restyle(): void {
    this.#palette = readPalette(this.root);
    this.#patterns = null;
    this.invalidate();
  }

  /** Request a redraw of everything, or of the marks only: at the next frame, or at a shared one if it `mayWait`. */
  invalidate(what: "lanes" | "marks" = "lanes", mayWait = false): void {
    if (what === "lanes") this.#stale = "lanes";
    if (mayWait) this.#requests.soon();
    else this.#requests.next();
  }

  /** Call `paint` after each painting of the lanes. Return a function that ends it. */
  paintAlong(paint: (scene: Scene) => void): () => void {
    this.#followers.add(paint);
    this.invalidate();
    return () => this.#followers.delete(paint);
  }

  /** Return the left edge of a chunk, in pixels of the lanes. */
  xOfChunk(chunk: number): number {
    return time.xOf(this.axis, chunkStart(this.view.store.record, chunk));
  }

  get chunkWidth(): number {
    return CHUNK_SECONDS * time.pixelsPerSecond(this.axis);
  }

  /** End of the newest chunk, in seconds. */
  get end_s(): number {
    return recordEnd(this.view.store.record);
  }

  panBy(seconds: number): void {
    this.#move(time.pan(this.axis, seconds, this.end_s));
  }

  /** Magnify around pixel `x`; while following, around the newest chunk. */
  zoomBy(factor: number, x = this.axis.left + this.axis.width / 2): void {
    const { following } = this.view;
    const keep = following.value;
    const fixed = keep ? time.xOf(this.axis, Math.max(this.end_s, this.axis.start)) : x;
    this.#move(time.zoom(this.axis, factor, fixed));
    this.view.following.value = keep;
  }

  fit(): void {
    this.#move(time.fit(this.axis, this.end_s));
  }

  follow(): void {
    if (this.axis.span > 4 * time.DEFAULT_SPAN_S && !this.view.following.peek()) {
      this.axis = { ...this.axis, span: time.DEFAULT_SPAN_S };
    }
    this.view.following.value = true;
    this.invalidate();
  }

  /** Move the window so that its middle is at pixel `x` of the overview. */
  centreOn(x: number): void {
    const strip = overviewAxis(this.view.store.record, this.#overview.width);
    this.#move(time.pan(this.axis, windowStart(strip, this.axis, x) - this.axis.start, this.end_s));
  }

  /** Show a chunk and select it. */
  showChunk(chunk: number): void {
    this.moveCursor(chunk);
    this.view.selected.value = chunk;
  }

  /** Move the cursor to a chunk, and the window so that the chunk is visible. */
  moveCursor(chunk: number): void {
    const { store, hovered } = this.view;
    const count = chunkCount(store.record);
    if (count === 0) return;
    const to = Math.min(count - 1, Math.max(0, chunk));
    hovered.value = to;
    this.crosshair = null;
    const from_s = chunkStart(store.record, to);
    const moved = time.reveal(this.axis, from_s, from_s + CHUNK_SECONDS);
    if (moved !== this.axis) this.#move(moved);
    this.invalidate("marks");
  }

  /** Hover the chunk under pixel `x` and return it; null ends the hovering. */
  pointAt(x: number | null): number | null {
    const chunk = x === null ? null : chunkAt(this.view.store.record, this.axis, x);
    this.crosshair = x !== null && x >= this.axis.left ? x : null;
    this.view.hovered.value = chunk;
    this.invalidate("marks");
    return chunk;
  }

  #move(axis: time.TimeAxis): void {
    this.axis = axis;
    this.view.following.value = false;
    this.invalidate();
  }

  #resize(): void {
    const width = this.#lanes.measure();
    this.#marks.width = width;
    this.#overview.measure();
    if (width === 0) return;
    const before = this.axis.width;
    const span =
      before > 1
        ? (this.axis.span * width) / before
        : (time.DEFAULT_SPAN_S * width) / Math.max(FULL_WIDTH, width);
    this.axis = { ...this.axis, span, left: 0, width };
    this.invalidate();
  }

  #draw(): void {
    const { height } = this.#layout;
    if (!this.#lanes.width || !this.#lanes.context || !this.#marks.context) return;
    if (this.#lanes.fit(height)) this.#stale = "lanes";
    this.#marks.fit(height);
    this.frames.all += 1;
    if (this.#stale === "lanes") {
      this.#stale = "marks";
      this.frames.lanes += 1;
      const { start, span } = this.#drawnAxis;
      this.#approachLive();
      this.#snap();
      if (this.axis.start !== start || this.axis.span !== span) this.moves.value += 1;
      // The lanes may have moved under a resting pointer.
      if (this.crosshair !== null) this.pointAt(this.crosshair);
      this.#drawnAxis = this.axis;
      this.#drawnDecisions = this.view.store.record.decided;
      this.#drawLanes();
      this.#drawOverview();
      // This frame ends the latency of the newest chunks, so their last parts are known only now.
      if (this.view.store.latency.painted(Date.now())) this.invalidate("lanes", true);
    }
    this.#drawMarks(this.#marks.context);
  }

  #drawMarks(context: CanvasRenderingContext2D): void {
    const { replay } = this.view.channel;
    const over = {
      record: this.view.store.record,
      axis: this.axis,
      palette: this.#palette,
      patterns: this.#patterns as Patterns,
      layout: this.#layout,
      played: replay.position.peek(),
      span: replay.span.peek(),
      flips: this.view.flips.peek(),
    };
    const marks = {
      record: this.view.store.record,
      axis: this.axis,
      palette: this.#palette,
      layout: this.#layout,
      hovered: this.view.hovered.peek(),
      selected: this.view.selected.peek(),
      crosshair: this.crosshair,
    };
    const bare = [marks.hovered, marks.selected, marks.crosshair, over.played, over.span, over.flips].every(
      (mark) => mark === null,
    );
    // Compositing an empty canvas costs as much as a full one.
    if (!bare || !this.#bare) {
      paintMarks(context, marks);
      paintSpan(context, over);
      paintFlips(context, over);
      paintPlayed(context, over);
    }
    this.#bare = bare;
  }

  #drawLanes(): void {
    const { context, scale } = this.#lanes;
    if (!context) return;
    this.#patterns =
      this.#patterns?.scale === scale ? this.#patterns : new Patterns(context, this.#palette, scale);
    const { store, hiddenFrom } = this.view;
    const scene = {
      record: store.record,
      axis: this.axis,
      palette: this.#palette,
      patterns: this.#patterns,
      layout: this.#layout,
      hidden: hiddenFrom.peek(),
      scale,
    };
    for (const paint of this.#followers) paint(scene);
    if (!paintLanes(context, scene, this.#tiles)) this.invalidate();
  }

  #drawOverview(): void {
    const { context, width } = this.#overview;
    if (!width || !context || !this.#patterns) return;
    const cleared = this.#overview.fit(OVERVIEW_HEIGHT);
    const { scale } = this.#overview;
    const { record } = this.view.store;
    const hidden = this.view.hiddenFrom.peek();
    const strip = overviewAxis(record, width);
    const picture = this.#recordPicture;
    const from = [
      record,
      record.revisions.range(0, chunkCount(record)),
      this.#patterns,
      hidden,
      width,
      scale,
    ];
    const mark = windowMark(strip, this.axis, scale);
    const stale = from.some((value, i) => value !== this.#drawnFrom[i]);
    const place = `${mark.x} ${mark.width}`;
    if (!cleared && !stale && place === this.#drawnMark) return;
    this.#drawnMark = place;
    if (picture.context && stale) {
      this.#drawnFrom = from;
      picture.width = width;
      picture.fit(OVERVIEW_HEIGHT);
      const scene = { record, palette: this.#palette, patterns: this.#patterns, hidden };
      paintRecord(picture.context, scene, strip);
    }
    context.clearRect(0, 0, width, OVERVIEW_HEIGHT);
    context.drawImage(picture.canvas, 0, 0, width, OVERVIEW_HEIGHT);
    paintWindow(context, this.#palette, mark);
  }

  /** Align the window to a device pixel, so that tiles are copied without resampling. */
  #snap(): void {
    const pace = time.pixelsPerSecond(this.axis) * this.#lanes.scale;
    this.axis = { ...this.axis, start: Math.round(this.axis.start * pace) / pace };
  }

  /** Glide towards the newest chunk; jump if the person prefers reduced motion or the distance is large. */
  #approachLive(): void {
    if (!this.view.following.peek()) return;
    const target = time.followStart(this.axis, this.end_s);
    const way = target - this.axis.start;
    const pixel = 1 / time.pixelsPerSecond(this.axis);
    if (Math.abs(way) < pixel || Math.abs(way) > 4 || reducedMotion()) {
      this.axis = { ...this.axis, start: target };
      return;
    }
    const now = performance.now();
    const part = 1 - Math.exp(-Math.min(now - this.#glided, SHARED_MS) / GLIDE_MS);
    this.#glided = now;
    const step = Math.sign(way) * Math.max(Math.abs(way) * part, pixel);
    this.axis = { ...this.axis, start: this.axis.start + step };
    this.invalidate("lanes", true);
  }
}

function reducedMotion(): boolean {
  return globalThis.matchMedia?.("(prefers-reduced-motion: reduce)").matches ?? false;
}
