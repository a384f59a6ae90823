/** Values that recur in thousands of rows (flags, rules, words), stored once and referenced by number. */
export class Interned<T> {
  readonly #values: T[] = [];
  readonly #numbers = new Map<string, number>();

  constructor(private readonly keyOf: (value: T) => string = (value) => JSON.stringify(value)) {}

  /** Return the number of `value`, the same for all equal values. */
  number(value: T): number {
    const key = this.keyOf(value);
    let number = this.#numbers.get(key);
    if (number === undefined) {
      number = this.#values.length;
      this.#numbers.set(key, number);
      this.#values.push(value);
    }
    return number;
  }

  value(number: number): T {
    return this.#values[number] as T;
  }

  get size(): number {
    return this.#values.length;
  }
}
