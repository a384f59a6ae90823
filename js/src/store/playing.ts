/** Audio file that plays: its state from the kernel's messages, and values derived from it. */
import { FILE_STATES, type FileState } from "../channel/messages";
import { isObject } from "../text/json";

export interface PlayingFile {
  name: string;
  /** Page that has the file; empty if the kernel reads it from disk. */
  page: string;
  state: FileState;
  /** Decided seconds of the file. */
  position_s: number;
  /** Length in seconds, speed (× real time) and remaining seconds; null if unknown. */
  seconds: number | null;
  speed: number | null;
  left_s: number | null;
}

/** Return the state of a file that was just chosen, until the kernel reports it. */
export function announced(name: string, page: string): PlayingFile {
  return { name, page, state: "opening", position_s: 0, seconds: null, speed: null, left_s: null };
}

/** Read a `playing` message, or `file` of a welcome; null if there is no file. */
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

/** Return whether more audio of the file may arrive. */
export function isPlaying(file: PlayingFile | null): file is PlayingFile {
  return file !== null && ["opening", "playing", "paused"].includes(file.state);
}
