/** Check of events that were read from a file: their fields have the types of the schema that Python writes. */
import schema from "../../schema/events.json";
import type { SessionEvent } from "../record/events";
import { isObject } from "../text/json";

/** Part of a JSON Schema that the events use. */
interface Shape {
  readonly $ref?: string;
  readonly type?: string | readonly string[];
  readonly enum?: readonly unknown[];
  readonly anyOf?: readonly Shape[];
  readonly items?: Shape;
  readonly prefixItems?: readonly Shape[];
  readonly properties?: Readonly<Record<string, Shape>>;
}

const DEFINED = schema.$defs as unknown as Readonly<Record<string, Shape>>;
const EVENTS = new Map(
  ["Chunk", "Decision", "Token", "Turn", "Notice", "Timing"].map((name) => [
    name.toLowerCase(),
    DEFINED[name] as Shape,
  ]),
);
/** Largest index of a chunk that is read, 46 days of sound: tables are as long as the largest index. */
export const MAX_CHUNK = 10_000_000;

/** Return the event; null if its type is unknown. */
export function eventOf(value: unknown): SessionEvent | null | "damaged" {
  if (!isObject(value) || typeof value.type !== "string") return "damaged";
  const shape = EVENTS.get(value.type);
  if (!shape) return null;
  const { chunk } = value;
  const placed = Number.isInteger(chunk) && Number(chunk) >= -1 && Number(chunk) <= MAX_CHUNK;
  return placed && fits(value, shape) ? (value as unknown as SessionEvent) : "damaged";
}

/** Return whether a value has a shape. A missing field fits: an older version may not have written it. */
function fits(value: unknown, shape: Shape): boolean {
  if (shape.$ref) return fits(value, DEFINED[shape.$ref.split("/").at(-1) as string] ?? {});
  if (shape.anyOf) return shape.anyOf.some((each) => fits(value, each));
  if (shape.enum) return shape.enum.includes(value);
  if (shape.prefixItems) {
    return Array.isArray(value) && shape.prefixItems.every((each, i) => fits(value[i], each));
  }
  const types = typeof shape.type === "string" ? [shape.type] : (shape.type ?? []);
  if (types.length > 0 && !types.some((type) => isOf(type, value))) return false;
  if (Array.isArray(value)) return !shape.items || value.every((each) => fits(each, shape.items as Shape));
  if (isObject(value) && shape.properties) {
    return Object.entries(shape.properties).every(
      ([name, each]) => value[name] === undefined || fits(value[name], each),
    );
  }
  return true;
}

function isOf(type: string, value: unknown): boolean {
  switch (type) {
    // A number that is not finite is written as null.
    case "number":
      return typeof value === "number" || value === null;
    case "integer":
      return Number.isInteger(value);
    case "array":
      return Array.isArray(value);
    case "object":
      return isObject(value);
    case "null":
      return value === null;
    default:
      return typeof value === type;
  }
}
