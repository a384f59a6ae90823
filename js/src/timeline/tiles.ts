/**
 * Cached tiles of the still lanes on the time axis: panning copies a few images, independent of their content. A tile
 * is drawn again only after one of its chunks changed. During zooming, tiles of another magnification are scaled, and
 * new ones are drawn within the time budget of a frame; all are drawn once the zoom rests.
 */

import { recordEnd, type SessionRecord } from "../record/record";
import type { HiddenFrom } from "../store/hidden";
import { drawWithin } from "./layer";
import { type Layout, RULER_HEIGHT } from "./layout";
import type { Palette } from "./palette";
import { type Patterns, patternSide } from "./patterns";
import { pixelsPerSecond, type TimeAxis, xOf } from "./time-axis";
import { visibleChunks } from "./visible";

/** Number of pattern widths per tile: patterns continue seamlessly from one tile to the next. */
const PATTERNS_WIDE = 48;
/** Number of tiles kept on each side of the visible ones. */
const SPARE_TILES = 2;
/** Largest number of unused canvases that are kept for reuse. */
const MOST_SPARE = 16;
/** Time in a frame for new tiles while scaled tiles are shown, in milliseconds: a frame has 16 ms. */
const BUDGET_MS = 6;
/** Time without a change after which zooming is finished, in milliseconds. */
const REST_MS = 40;
/** Largest scale factor of a tile during zooming; beyond it the tile is drawn again. */
const MOST_STRETCHED = 1.5;

/** Inputs of all tiles; a change of any input invalidates all tiles. */
export interface TileScene {
  record: SessionRecord;
  palette: Palette;
  patterns: Patterns;
  layout: Layout;
  hidden: HiddenFrom;
  /** Device pixels per CSS pixel. */
  scale: number;
}

interface Tile {
  canvas: HTMLCanvasElement;
  /** Newest revision of the tile's chunks when it was drawn, and the number of chunks. */
  revision: number;
  chunks: number;
}

/** Tiles of one magnification, by their number on the time axis. */
interface Sheet {
  /** Pixels per second. */
  pace: number;
  tiles: Map<number, Tile>;
}

export class TileCache {
  /** Sheet that was complete last; it is shown scaled until the sheet of the present magnification is complete. */
  #whole: Sheet | null = null;
  #coming: Sheet | null = null;
  /** Magnification of the newest frame, and the time since when it has been the same. */
  #pace = 0;
  #since = 0;
  #spare: HTMLCanvasElement[] = [];
  #scene: TileScene | null = null;
  /** Number of tiles drawn so far, as a measure of the cost. */
  drawn = 0;

  /** @param now - A clock in milliseconds. */
  constructor(private readonly now: () => number = () => performance.now()) {}

  /**
   * Copy the visible tiles to `target`, and draw those that are new or outdated; during zooming only within the
   * budget of a frame. Return whether all visible tiles are up to date.
   */
  draw(target: CanvasRenderingContext2D, scene: TileScene, axis: TimeAxis): boolean {
    const pace = pixelsPerSecond(axis);
    if (!this.#scene || !isSame(scene, this.#scene)) this.clear();
    this.#scene = scene;
    if (pace !== this.#pace) this.#since = this.now();
    this.#pace = pace;
    const resting = this.now() - this.#since >= REST_MS;
    this.#whole ??= { pace, tiles: new Map() };
    // During zooming, any newer sheet is nearer to the present magnification than the one before.
    if (this.#whole.pace === pace || (resting && this.#coming?.pace !== pace)) this.#drop("coming");
    if (this.#whole.pace !== pace) this.#coming ??= { pace, tiles: new Map() };
    const sheet = this.#coming ?? this.#whole;
    const whole = this.#renew(sheet, scene, axis, resting);
    // A scaled picture is visible for a few frames only, and smoothing would take more time than everything else.
    target.imageSmoothingEnabled = false;
    this.#copy(target, sheet, scene, axis);
    if (!whole || sheet !== this.#coming) return whole;
    this.#drop("whole");
    this.#whole = sheet;
    this.#coming = null;
    return sheet.pace === pace;
  }

  clear(): void {
    this.#drop("whole");
    this.#drop("coming");
  }

  /** Number of cached tiles. */
  get size(): number {
    return (this.#whole?.tiles.size ?? 0) + (this.#coming?.tiles.size ?? 0);
  }

  /** Draw the missing visible tiles of a sheet; where scaled tiles are shown, only within the budget of a frame. */
  #renew(sheet: Sheet, scene: TileScene, axis: TimeAxis, resting: boolean): boolean {
    const [first, last] = tilesInSight(sheet, scene, axis);
    this.#evict(sheet, first, last);
    const numbers = Array.from({ length: Math.max(0, last - first + 1) }, (_, i) => first + i);
    if (sheet === this.#whole) {
      for (const number of numbers) this.#tile(sheet, number, scene);
      return true;
    }
    const until = this.now() + BUDGET_MS;
    const stretched = Math.abs(Math.log(this.#pace / (this.#whole?.pace ?? 1)));
    const one = stretched > Math.log(MOST_STRETCHED);
    // Tiles without a scaled substitute would be gaps: these first.
    const bare = (number: number) => !this.#standsIn(sheet, number);
    numbers.sort((a, b) => Number(bare(b)) - Number(bare(a)));
    const final = numbers.at(-1);
    for (const number of numbers) {
      const free = resting || bare(number);
      if (!free && !one) return false;
      if (!this.#tile(sheet, number, scene) || number === final) continue;
      if (this.now() > until || !free) return false;
    }
    return true;
  }

  /** Return whether the complete sheet covers the middle of a tile of another sheet. */
  #standsIn(sheet: Sheet, number: number): boolean {
    if (!this.#whole) return false;
    return this.#whole.tiles.has(Math.floor(((number + 0.5) * this.#whole.pace) / sheet.pace));
  }

  #copy(target: CanvasRenderingContext2D, sheet: Sheet, scene: TileScene, axis: TimeAxis): void {
    const [first, last] = tilesInSight(sheet, scene, axis);
    for (let number = first; number <= last; number++) {
      const tile = sheet.tiles.get(number);
      const place = placeOf(sheet, number, scene, axis);
      if (tile) {
        copyTile(target, tile, place, scene);
        continue;
      }
      while (number < last && !sheet.tiles.has(number + 1)) number += 1;
      const end = placeOf(sheet, number, scene, axis);
      this.#standIn(target, scene, axis, place.x, end.x + end.width);
    }
  }

  /** Draw the complete sheet, scaled, between two pixels. */
  #standIn(
    target: CanvasRenderingContext2D,
    scene: TileScene,
    axis: TimeAxis,
    from: number,
    to: number,
  ): void {
    const whole = this.#whole;
    if (!whole) return;
    const [left, right] = [Math.max(from, axis.left), Math.min(to, axis.left + axis.width)];
    drawWithin(target, [left, RULER_HEIGHT, right - left, scene.layout.height], () => {
      for (const [number, tile] of whole.tiles) {
        const place = placeOf(whole, number, scene, axis);
        if (place.x < right && place.x + place.width > left) copyTile(target, tile, place, scene);
      }
    });
  }

  /** Bring one tile up to date; return whether it was drawn. */
  #tile({ pace, tiles }: Sheet, number: number, scene: TileScene): boolean {
    const { record, scale } = scene;
    const width = tileWidth(scale);
    const tall = scene.layout.height - RULER_HEIGHT;
    const axis: TimeAxis = { start: (number * width) / pace, span: width / pace, left: 0, width };
    const { first, last } = visibleChunks(record, axis);
    const known = tiles.get(number);
    // Lines continue into the adjacent tiles, so a change of an adjacent chunk counts.
    const revision = record.revisions.range(first - 1, last + 1);
    if (known && known.revision === revision && known.chunks === last - first) return false;
    const canvas = known?.canvas ?? this.#spare.pop() ?? document.createElement("canvas");
    const context = canvas.getContext("2d");
    if (!context) return false;
    tiles.set(number, { canvas, revision, chunks: last - first });
    resize(canvas, Math.round(width * scale), Math.round(tall * scale));
    context.setTransform(scale, 0, 0, scale, 0, -RULER_HEIGHT * scale);
    context.clearRect(0, RULER_HEIGHT, width, tall);
    for (const { lane, top, height, folded } of scene.layout.places) {
      if (folded || !lane.still) continue;
      drawWithin(context, [0, top, width, height], () => {
        lane.draw({ ...scene, context, axis, first, last, top, height });
      });
    }
    this.drawn += 1;
    return true;
  }

  /** Evict the tiles far from the window, so that memory is bounded. */
  #evict({ tiles }: Sheet, first: number, last: number): void {
    for (const [number, { canvas }] of tiles) {
      if (number >= first - SPARE_TILES && number <= last + SPARE_TILES) continue;
      tiles.delete(number);
      this.#keep(canvas);
    }
  }

  #drop(which: "whole" | "coming"): void {
    const sheet = which === "whole" ? this.#whole : this.#coming;
    for (const { canvas } of sheet?.tiles.values() ?? []) this.#keep(canvas);
    if (which === "whole") this.#whole = null;
    else this.#coming = null;
  }

  /** Keep a canvas for reuse: allocating canvases for each step of a zoom would cause long garbage collections. */
  #keep(canvas: HTMLCanvasElement): void {
    if (this.#spare.length < MOST_SPARE) this.#spare.push(canvas);
  }
}

/** Return the numbers of the first and the last visible tile, within the record. */
function tilesInSight(
  { pace }: Sheet,
  { record, scale }: TileScene,
  { start, span }: TimeAxis,
): [number, number] {
  const seconds = tileWidth(scale) / pace;
  const end = Math.min(start + span, recordEnd(record));
  return [Math.max(0, Math.floor(start / seconds)), Math.ceil(end / seconds) - 1];
}

function placeOf({ pace }: Sheet, number: number, { scale }: TileScene, axis: TimeAxis) {
  const seconds = tileWidth(scale) / pace;
  return { x: xOf(axis, number * seconds), width: seconds * pixelsPerSecond(axis) };
}

function copyTile(
  target: CanvasRenderingContext2D,
  { canvas }: Tile,
  { x, width }: { x: number; width: number },
  { layout }: TileScene,
): void {
  target.drawImage(canvas, x, RULER_HEIGHT, width, layout.height - RULER_HEIGHT);
}

/** Compute the width of a tile in CSS pixels: a whole number of device pixels and of patterns. */
export function tileWidth(scale: number): number {
  return (PATTERNS_WIDE * patternSide(scale)) / scale;
}

function isSame(a: TileScene, b: TileScene): boolean {
  return (
    a.record === b.record &&
    a.palette === b.palette &&
    a.patterns === b.patterns &&
    a.layout === b.layout &&
    a.hidden === b.hidden &&
    a.scale === b.scale
  );
}

function resize(canvas: HTMLCanvasElement, width: number, height: number): void {
  if (canvas.width !== width) canvas.width = width;
  if (canvas.height !== height) canvas.height = height;
}
