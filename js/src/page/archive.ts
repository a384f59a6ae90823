/** Members of a recording's zip archive: read with a bound on what they unpack to, and written part by part. */
import { Unzip, UnzipInflate, unzipSync, Zip, ZipDeflate, ZipPassThrough } from "fflate";
import { RecordingError } from "./recording-header";

/** Unpacked size of a member in multiples of its packed size, and in bytes that any member may have (`archive.py`). */
const MAX_RATIO = 200;
const SMALL_BYTES = 64 * 2 ** 20;
/** Unpacked size of a member in bytes: nearly five hours of audio, which is what one array of a browser holds. */
const MAX_BYTES = 2 ** 30;
const MAGIC = [0x50, 0x4b, 0x03, 0x04];
/** Bytes that the reader of a cut archive takes at once. */
const PIECE = 2 ** 16;

export interface Members {
  readonly content: ReadonlyMap<string, Uint8Array>;
  /** What the archive lacks, each as a part of a sentence. */
  readonly lacks: readonly string[];
}

/**
 * Unpack the members of the given names. Other members are ignored, and no name is used as a path.
 *
 * @throws RecordingError if the bytes are no zip archive, or a member is larger than a recording can have.
 */
export function readArchive(bytes: Uint8Array, names: readonly string[], file: string): Members {
  if (MAGIC.some((value, place) => bytes[place] !== value)) {
    throw new RecordingError(
      `${file} is not a recording of ai_widgets. Audio files are played with Open, too.`,
    );
  }
  const content = new Map<string, Uint8Array>();
  const lacks: string[] = [];
  let listed: readonly string[];
  try {
    listed = listOf(bytes);
  } catch {
    return cutArchive(bytes, names, file);
  }
  for (const name of names) {
    if (!listed.includes(name)) continue;
    try {
      const unpacked = unzipSync(bytes, {
        filter: (member) => {
          if (member.name !== name || content.has(name)) return false;
          checkSize(member.originalSize, member.size, name, file);
          return true;
        },
      })[name];
      if (unpacked) content.set(name, unpacked);
    } catch (error) {
      if (error instanceof RecordingError) throw error;
      lacks.push(`its ${name} is damaged`);
    }
  }
  return { content, lacks };
}

/** Return the names in an archive's directory. Throws an error if it has none. */
function listOf(bytes: Uint8Array): string[] {
  const names: string[] = [];
  unzipSync(bytes, {
    filter: ({ name }) => {
      names.push(name);
      return false;
    },
  });
  return names;
}

function checkSize(unpacked: number, packed: number, name: string, file: string): void {
  const limit = Math.min(MAX_BYTES, Math.max(SMALL_BYTES, packed * MAX_RATIO));
  if (unpacked <= limit) return;
  throw new RecordingError(
    `${file} is refused: its ${name} unpacks to more than ${Math.round(limit / 1e6)} MB, which no recording of this size does.`,
  );
}

/** Read an archive without its directory, as after an incomplete transfer, member by member from its start. */
function cutArchive(bytes: Uint8Array, names: readonly string[], file: string): Members {
  const parts = new Map<string, Uint8Array[]>();
  const lacks = ["the file is cut off or altered and has no directory"];
  let damage: Error | null = null;
  const reader = new Unzip((member) => {
    if (!names.includes(member.name) || parts.has(member.name)) return;
    const found: Uint8Array[] = [];
    parts.set(member.name, found);
    let size = 0;
    member.ondata = (error, data) => {
      if (error) {
        lacks.push(`its ${member.name} is damaged`);
        return;
      }
      size += data.length;
      try {
        checkSize(size, bytes.length, member.name, file);
      } catch (refusal) {
        damage = refusal as Error;
        member.terminate();
        return;
      }
      found.push(data.slice());
    };
    member.start();
  });
  reader.register(UnzipInflate);
  try {
    for (let at = 0; at < bytes.length && !damage; at += PIECE) {
      reader.push(bytes.subarray(at, at + PIECE), at + PIECE >= bytes.length);
    }
  } catch {
    // What came before the damage is read.
  }
  if (damage) throw damage;
  return { content: new Map([...parts].map(([name, found]) => [name, joinedBytes(found)])), lacks };
}

/** Join parts of bytes. */
export function joinedBytes(parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const whole = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

/** One member to write: its name, whether it is deflated, and its bytes in parts. */
export interface Member {
  readonly name: string;
  readonly deflated: boolean;
  readonly parts: Iterable<Uint8Array> | AsyncIterable<Uint8Array>;
}

/** Write an archive, part by part, so that the page can paint between them. */
export async function writeArchive(members: readonly Member[], type: string): Promise<Blob> {
  const written: BlobPart[] = [];
  let failure: Error | null = null;
  const zip = new Zip((error, data) => {
    if (error) failure = error;
    else written.push(data.slice() as Uint8Array<ArrayBuffer>);
  });
  for (const { name, deflated, parts } of members) {
    const member = deflated ? new ZipDeflate(name) : new ZipPassThrough(name);
    zip.add(member);
    for await (const part of parts) member.push(part);
    member.push(new Uint8Array(0), true);
    if (failure) throw failure;
  }
  zip.end();
  if (failure) throw failure;
  return new Blob(written, { type });
}
