/** A part of a JSON Schema. */
export type Part = Readonly<Record<string, unknown>>;
export interface SchemaFile {
  readonly constants?: Readonly<Record<string, unknown>>;
  readonly $defs: Readonly<Record<string, Part>>;
}

export function typeOf(part: Part): string;
export function typescript(
  schema: SchemaFile,
  name: string,
  imports?: Readonly<Record<string, string>>,
): string;
export function sources(): Promise<Map<string, string>>;
export function generate(): Promise<void>;
