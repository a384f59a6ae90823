/**
 * Discrete Fourier transform of real blocks whose half length has only the factors 2 and 5: mixed radix, in order
 * (Stockham), with precomputed roots of unity. A block of n samples is transformed as n/2 complex numbers.
 */

const RADICES = [5, 4, 2] as const;

/** Return the factors of `length`, largest radix first. */
function factors(length: number): number[] {
  const found: number[] = [];
  let rest = length;
  for (const radix of RADICES) {
    for (; rest % radix === 0; rest /= radix) found.push(radix);
  }
  if (rest !== 1)
    throw new RangeError(`A transform of ${length} numbers must have the factors 2 and 5 only.`);
  return found;
}

/** Transform of real blocks of one length. */
export class RealFourier {
  private readonly half: number;
  private readonly factors: readonly number[];
  /** exp(−2πi k / half), and exp(−2πi k / length) for k ≤ half. */
  private readonly cos: Float64Array;
  private readonly sin: Float64Array;
  private readonly splitCos: Float64Array;
  private readonly splitSin: Float64Array;
  private from: readonly [re: Float64Array, im: Float64Array];
  private to: readonly [re: Float64Array, im: Float64Array];

  constructor(readonly length: number) {
    const half = length / 2;
    this.half = half;
    this.factors = factors(half);
    const angle = (k: number, n: number) => (-2 * Math.PI * k) / n;
    this.cos = Float64Array.from({ length: half }, (_, k) => Math.cos(angle(k, half)));
    this.sin = Float64Array.from({ length: half }, (_, k) => Math.sin(angle(k, half)));
    this.splitCos = Float64Array.from({ length: half + 1 }, (_, k) => Math.cos(angle(k, length)));
    this.splitSin = Float64Array.from({ length: half + 1 }, (_, k) => Math.sin(angle(k, length)));
    this.from = [new Float64Array(half), new Float64Array(half)];
    this.to = [new Float64Array(half), new Float64Array(half)];
  }

  /** Write the power |X[k]|² of a block, k = 0 … length / 2, to `power`. */
  power(block: Float64Array, power: Float64Array): void {
    const { half } = this;
    const [re, im] = this.from;
    for (let i = 0; i < half; i++) {
      re[i] = block[2 * i] as number;
      im[i] = block[2 * i + 1] as number;
    }
    let done = 1;
    for (const radix of this.factors) {
      this.stage(radix, done);
      done *= radix;
      [this.from, this.to] = [this.to, this.from];
    }
    this.split(power);
  }

  /** Join `radix` transforms of length `done` each to one: X[j] = Σ_r w^(r j) X_r[j mod done]. */
  private stage(radix: number, done: number): void {
    const { half, cos, sin } = this;
    const [fromRe, fromIm] = this.from;
    const [toRe, toIm] = this.to;
    const rest = half / (done * radix);
    for (let j = 0; j < done * radix; j++) {
      const source = rest * radix * (j % done);
      const target = rest * j;
      for (let k = 0; k < rest; k++) {
        let sumRe = fromRe[source + k] as number;
        let sumIm = fromIm[source + k] as number;
        for (let r = 1; r < radix; r++) {
          const at = (r * j * rest) % half;
          const c = cos[at] as number;
          const s = sin[at] as number;
          const xRe = fromRe[source + rest * r + k] as number;
          const xIm = fromIm[source + rest * r + k] as number;
          sumRe += xRe * c - xIm * s;
          sumIm += xRe * s + xIm * c;
        }
        toRe[target + k] = sumRe;
        toIm[target + k] = sumIm;
      }
    }
  }

  /** Separate the transforms of the even and the odd samples, and join them to that of the real block. */
  private split(power: Float64Array): void {
    const { half, splitCos, splitSin } = this;
    const [re, im] = this.from;
    for (let k = 0; k <= half; k++) {
      const at = k % half;
      const mirror = (half - k) % half;
      const evenRe = ((re[at] as number) + (re[mirror] as number)) / 2;
      const evenIm = ((im[at] as number) - (im[mirror] as number)) / 2;
      const oddRe = ((im[at] as number) + (im[mirror] as number)) / 2;
      const oddIm = ((re[mirror] as number) - (re[at] as number)) / 2;
      const c = splitCos[k] as number;
      const s = splitSin[k] as number;
      const x = evenRe + oddRe * c - oddIm * s;
      const y = evenIm + oddRe * s + oddIm * c;
      power[k] = x * x + y * y;
    }
  }
}
