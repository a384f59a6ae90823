/** The canvases of one view: holds the time axis, follows the newest chunk, and redraws only what has changed. */
import { effect, signal } from "@preact/signals";
import { CHUNK_SECONDS } from "../record/events";
import { chunkCount, chunkStart, recordEnd } from "../record/record";
import type { View } from "../view";
import { foldedLanes } from "./folding";
import { FrameRequests, SHARED_MS } from "./frame-requests";
import { Layer } from "./layer";
import { type Layout, layoutOf } from "./layout";
import { OVERVIEW_HEIGHT, overviewAxis, paintRecord, paintWindow, windowMark, windowStart } from "./overview";
import { paintLanes, paintMarks } from "./painter";
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

/** Milliseconds in which a glide to the newest chunk covers two thirds of the distance. */
const GLIDE_MS = 60;
/** Width for which the default span is made; a narrower one shows fewer seconds, not smaller chunks. */
const FULL_WIDTH = 700;

export class TimelineCanvas {
  axis: time.TimeAxis = { start: 0, span: time.DEFAULT_SPAN_S, left: 0, width: 1 };
  /** Counts moves of the window, for what hangs on a place in it. */
  readonly moves = signal(0);
  /** Pixel of the pointer's line. */
  crosshair: number | null = null;
  /** Frames drawn, and how many of them drew the lanes: nothing is drawn while nothing changes. */
  readonly frames = { all: 0, lanes: 0 };
  readonly #tiles = new TileCache();
  readonly #lanes: Layer;
  readonly #marks: Layer;
  readonly #overview: Layer;
  readonly #recordPicture = new Layer(document.createElement("canvas"));
  /** What the picture of the whole record was drawn from. */
  #drawnFrom: readonly unknown[] = [];
  /** Where the window's mark lies on the overview. */
  #drawnMark = "";
  #drawnAxis = this.axis;
  /** Whether nothing is marked: no chunk picked, no cursor. */
  #bare = true;
  #layout: Layout;
  #palette: Palette;
  #patterns: Patterns | null = null;
  readonly #requests = new FrameRequests(() => this.#draw());
  /** Decisions when the lanes were drawn last, and when a glide took its newest step. */
  #drawnDecisions = 0;
  #glided = 0;
  #stale: "lanes" | "marks" = "lanes";
  #cleanups: (() => void)[] = [];

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
        // A decision is shown at once; what goes before and comes after it shares a frame.
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

  /** Colours may have changed with the theme. */
  restyle(): void {
    this.#palette = readPalette(this.root);
    this.#patterns = null;
    this.invalidate();
  }

  /** Draws everything, or only what moves with the pointer: at the next frame, or at one that `mayWait`. */
  invalidate(what: "lanes" | "marks" = "lanes", mayWait = false): void {
    if (what === "lanes") this.#stale = "lanes";
    if (mayWait) this.#requests.soon();
    else this.#requests.next();
  }

  /** Left edge of a chunk, in pixels of the lanes. */
  xOfChunk(chunk: number): number {
    return time.xOf(this.axis, chunkStart(this.view.store.record, chunk));
  }

  get chunkWidth(): number {
    return CHUNK_SECONDS * time.pixelsPerSecond(this.axis);
  }

  /** Seconds from 0 to the end of the newest chunk. */
  get end_s(): number {
    return recordEnd(this.view.store.record);
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

  /** Brings the place at pixel `x` of the overview to the middle. */
  centreOn(x: number): void {
    const strip = overviewAxis(this.view.store.record, this.#overview.width);
    this.#move(time.pan(this.axis, windowStart(strip, this.axis, x) - this.axis.start, this.end_s));
  }

  /** Shows the chunk and picks it. */
  showChunk(chunk: number): void {
    this.moveCursor(chunk);
    this.view.selected.value = chunk;
  }

  /** Puts the cursor on a chunk and brings it into sight. */
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

  /** The chunk under pixel `x`, which becomes the hovered one; null leaves it. */
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
      // The lanes may have moved under a pointer that rests.
      if (this.crosshair !== null) this.pointAt(this.crosshair);
      this.#drawnAxis = this.axis;
      this.#drawnDecisions = this.view.store.record.decided;
      this.#drawLanes();
      this.#drawOverview();
      // The parts of the newest chunks' latency that end here are known only now.
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
    // To put an empty canvas on screen costs as much as a full one.
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

  /** Puts the window's edge on a whole device pixel: tiles are copied, not resampled. */
  #snap(): void {
    const pace = time.pixelsPerSecond(this.axis) * this.#lanes.scale;
    this.axis = { ...this.axis, start: Math.round(this.axis.start * pace) / pace };
  }

  /** Glides to the newest chunk; jumps where the person asked for less motion or the way is far. */
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
