/**
 * Random numbers of `numpy.random.default_rng(seed)`, bit for bit: SeedSequence and PCG64 (XSL-RR 128/64). The state is
 * an immutable value, so that a step that failed, or a fork, draws the same number again.
 *
 * Sources: NumPy's documentation of `SeedSequence` and `PCG64`; M. E. O'Neill, PCG: A Family of Simple Fast
 * Space-Efficient Statistically Good Algorithms for Random Number Generation, 2014.
 */

/** State of a generator: two 128-bit numbers. */
export interface RandomState {
  readonly state: bigint;
  readonly increment: bigint;
}

/** Number of 32-bit words in the entropy pool of a SeedSequence. */
const POOL_WORDS = 4;
/** Constants of SeedSequence's hash, for filling the pool (A) and for reading it (B), and of its mixing. */
const INIT_A = 0x43b0d7e5;
const MULT_A = 0x931e8875;
const INIT_B = 0x8b51f9dd;
const MULT_B = 0x58f38ded;
const MIX_LEFT = 0xca01f9dd;
const MIX_RIGHT = 0x4973f715;
/** Multiplier of PCG64's linear congruential generator. */
const PCG_MULTIPLIER = 0x2360ed051fc65da44385df649fccf645n;
const MASK_64 = (1n << 64n) - 1n;
const MASK_128 = (1n << 128n) - 1n;
/** Distance of two doubles that a draw can return: 53 random bits. */
const STEP = 2 ** -53;

/** Hash of SeedSequence, whose multiplier changes with every use. */
class Hash {
  constructor(
    private constant: number,
    private readonly multiplier: number,
  ) {}

  of(word: number): number {
    const mixed = word ^ this.constant;
    this.constant = Math.imul(this.constant, this.multiplier);
    const value = Math.imul(mixed, this.constant) >>> 0;
    return (value ^ (value >>> 16)) >>> 0;
  }
}

function mix(x: number, y: number): number {
  const value = (Math.imul(MIX_LEFT, x) - Math.imul(MIX_RIGHT, y)) >>> 0;
  return (value ^ (value >>> 16)) >>> 0;
}

/** Split a whole number into 32-bit words, the lowest first. */
function words(seed: number | bigint): number[] {
  const all: number[] = [];
  for (let rest = BigInt(seed); rest > 0n || all.length === 0; rest >>= 32n)
    all.push(Number(rest & 0xffffffffn));
  return all;
}

/** Fill the entropy pool of `SeedSequence(seed)`. */
function entropyPool(seed: number | bigint): number[] {
  const entropy = words(seed);
  const hash = new Hash(INIT_A, MULT_A);
  const pool = Array.from({ length: POOL_WORDS }, (_, i) => hash.of(entropy[i] ?? 0));
  for (let from = 0; from < POOL_WORDS; from++) {
    for (let to = 0; to < POOL_WORDS; to++) {
      if (from !== to) pool[to] = mix(pool[to] as number, hash.of(pool[from] as number));
    }
  }
  for (const word of entropy.slice(POOL_WORDS)) {
    for (let to = 0; to < POOL_WORDS; to++) pool[to] = mix(pool[to] as number, hash.of(word));
  }
  return pool;
}

/** Compute `SeedSequence(seed).generate_state(4, uint64)`. */
function seedWords(seed: number | bigint): readonly [bigint, bigint, bigint, bigint] {
  const pool = entropyPool(seed);
  const hash = new Hash(INIT_B, MULT_B);
  const halves = Array.from({ length: 8 }, (_, i) => BigInt(hash.of(pool[i % POOL_WORDS] as number)));
  const word = (i: number) => ((halves[2 * i + 1] as bigint) << 32n) | (halves[2 * i] as bigint);
  return [word(0), word(1), word(2), word(3)];
}

function advanced(state: bigint, increment: bigint): bigint {
  return (state * PCG_MULTIPLIER + increment) & MASK_128;
}

/**
 * Return the state of `numpy.random.default_rng(seed)`.
 *
 * @param seed Whole number from 0 on; one beyond 2^53 as a bigint.
 */
export function seeded(seed: number | bigint): RandomState {
  const [stateHigh, stateLow, sequenceHigh, sequenceLow] = seedWords(seed);
  const increment = ((((sequenceHigh << 64n) | sequenceLow) << 1n) | 1n) & MASK_128;
  const begun = (advanced(0n, increment) + ((stateHigh << 64n) | stateLow)) & MASK_128;
  return { state: advanced(begun, increment), increment };
}

/** Draw a uniform number in [0, 1), as `Generator.random()` does, and return it with the next state. */
export function random({ state, increment }: RandomState): readonly [number: number, next: RandomState] {
  const next = advanced(state, increment);
  const folded = (next >> 64n) ^ (next & MASK_64);
  const turn = next >> 122n;
  const bits = ((folded >> turn) | (folded << (64n - turn))) & MASK_64;
  return [Number(bits >> 11n) * STEP, { state: next, increment }];
}
