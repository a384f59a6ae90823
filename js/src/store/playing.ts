/** The audio file that plays: what the kernel says of its position, and what is read off that. */
import { FILE_STATES, type FileState } from "../channel/messages";
import { isObject } from "../text/json";

export interface PlayingFile {
  name: string;
  /** The page that holds it; empty where the kernel reads it from disk. */
  page: string;
  state: FileState;
  /** Seconds of it that are decided. */
  position_s: number;
  /** Its length in seconds, its speed (× real time) and the seconds left; null where that is not known. */
  seconds: number | null;
  speed: number | null;
  left_s: number | null;
}

/** What was just chosen, until the kernel says more of it. */
export function announced(name: string, page: string): PlayingFile {
  return { name, page, state: "opening", position_s: 0, seconds: null, speed: null, left_s: null };
}

/** A `playing` message, or `file` of a welcome; null where it tells of no file. */
export function readPlaying(value: unknown): PlayingFile | null {
  if (!isObject(value) || !FILE_STATES.includes(value.state as FileState)) return null;
  const number = (given: unknown) => (typeof given === "number" && Number.isFinite(given) ? given : null);
  return {
    name: String(value.name ?? ""),
    page: String(value.page ?? ""),
    state: value.state as FileState,
    position_s: number(value.position_s) ?? 0,
    seconds: number(value.seconds),
    speed: number(value.speed),
    left_s: number(value.left_s),
  };
}

/** Whether audio of it may still come. */
export function isPlaying(file: PlayingFile | null): file is PlayingFile {
  return file !== null && ["opening", "playing", "paused"].includes(file.state);
}
