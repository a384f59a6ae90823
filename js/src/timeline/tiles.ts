/**
 * Still lanes are drawn once into tiles of the time axis and copied from there for each frame: panning copies a few
 * images, whatever they show. A tile is drawn anew only when one of its chunks has changed.
 */
import type { HiddenFrom } from "../hidden";
import type { Talk } from "../talk";
import type { LaneFrame } from "./lane";
import { type Layout, RULER_HEIGHT } from "./layout";
import type { Palette } from "./palette";
import { type Patterns, patternSide } from "./patterns";
import { pixelsPerSecond, type TimeAxis } from "./time-axis";
import { visibleChunks } from "./visible";

/** Patterns across a tile: patterns go on seamlessly from one tile to the next. */
const PATTERNS_WIDE = 48;
/** Tiles kept beside those in sight. */
const SPARE_TILES = 4;

/** What all tiles depend on; where any of it changes, all are drawn anew. */
export interface TileScene {
  talk: Talk;
  palette: Palette;
  patterns: Patterns;
  layout: Layout;
  hidden: HiddenFrom;
  /** Device pixels per CSS pixel. */
  scale: number;
}

interface Tile {
  canvas: HTMLCanvasElement;
  /** Newest change among its chunks when it was drawn, and how many chunks it has. */
  revision: number;
  chunks: number;
}

export class TileCache {
  #tiles = new Map<number, Tile>();
  #spare: HTMLCanvasElement[] = [];
  #scene: TileScene | null = null;
  #pace = 0;
  /** Tiles drawn so far: what a frame cost. */
  drawn = 0;

  /** Copies the tiles in sight onto `target`, drawing those that are new or out of date. */
  draw(target: CanvasRenderingContext2D, scene: TileScene, axis: TimeAxis): void {
    const pace = pixelsPerSecond(axis);
    if (pace !== this.#pace || !this.#scene || !isSame(scene, this.#scene)) this.clear();
    this.#pace = pace;
    this.#scene = scene;
    const width = tileWidth(scene.scale);
    const tall = scene.layout.height - RULER_HEIGHT;
    const origin = axis.start * pace;
    const [first, last] = [Math.floor(origin / width), Math.floor((origin + axis.width) / width)];
    this.#letGo(first, last);
    // Nothing lies before the beginning.
    for (let i = Math.max(0, first); i <= last; i++) {
      const tile = this.#tile(i, scene, width, tall);
      if (!tile) continue;
      target.drawImage(tile.canvas, axis.left + i * width - origin, RULER_HEIGHT, width, tall);
    }
  }

  clear(): void {
    for (const { canvas } of this.#tiles.values()) this.#spare.push(canvas);
    this.#tiles.clear();
  }

  get size(): number {
    return this.#tiles.size;
  }

  #tile(index: number, scene: TileScene, width: number, tall: number): Tile | null {
    const { talk } = scene;
    const pace = this.#pace;
    const axis: TimeAxis = { start: (index * width) / pace, span: width / pace, left: 0, width };
    const { first, last } = visibleChunks(talk, axis);
    const known = this.#tiles.get(index);
    if (last <= first && !known) return null;
    // Lines run on to the neighbours, so a neighbour's change counts.
    const revision = talk.revisions.range(first - 1, last + 1);
    if (known && known.revision === revision && known.chunks === last - first) return known;
    const canvas = known?.canvas ?? this.#spare.pop() ?? document.createElement("canvas");
    const context = canvas.getContext("2d");
    if (!context) return null;
    const tile = { canvas, revision, chunks: last - first };
    this.#tiles.set(index, tile);
    resize(canvas, Math.round(width * scene.scale), Math.round(tall * scene.scale));
    context.setTransform(scene.scale, 0, 0, scene.scale, 0, -RULER_HEIGHT * scene.scale);
    context.clearRect(0, RULER_HEIGHT, width, tall);
    this.#drawLanes(context, scene, axis, first, last);
    this.drawn += 1;
    return tile;
  }

  #drawLanes(
    context: CanvasRenderingContext2D,
    scene: TileScene,
    axis: TimeAxis,
    first: number,
    last: number,
  ): void {
    const { talk, palette, patterns, hidden } = scene;
    for (const { lane, top, height, folded } of scene.layout.places) {
      if (folded || !lane.still) continue;
      const frame: LaneFrame = {
        context,
        talk,
        axis,
        first,
        last,
        hidden,
        top,
        height,
        palette,
        patterns,
      };
      context.save();
      context.beginPath();
      context.rect(0, top, axis.width, height);
      context.clip();
      lane.draw(frame);
      context.restore();
    }
  }

  /** Tiles far out of sight are given up, so that memory stays the same however far one pans. */
  #letGo(first: number, last: number): void {
    for (const [index, { canvas }] of this.#tiles) {
      if (index >= first - SPARE_TILES / 2 && index <= last + SPARE_TILES / 2) continue;
      this.#tiles.delete(index);
      if (this.#spare.length < SPARE_TILES) this.#spare.push(canvas);
    }
  }
}

/** Width of a tile in CSS pixels; a whole number of device pixels and of patterns. */
export function tileWidth(scale: number): number {
  return (PATTERNS_WIDE * patternSide(scale)) / scale;
}

function isSame(a: TileScene, b: TileScene): boolean {
  return (
    a.talk === b.talk &&
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
