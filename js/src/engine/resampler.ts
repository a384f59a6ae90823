/**
 * Streaming conversion of any sample rate to 16 kHz: a windowed-sinc low pass, evaluated only at the output's times.
 * Any split of a recording into blocks gives the same samples. The pass band and the length of the filter are those
 * measured of soxr's high quality, which the Python package uses.
 */

/** Sample rate of the model's input, in Hz. */
export const SAMPLE_RATE = 16_000;
/**
 * Edge of the low pass as a share of the lower of both Nyquist frequencies: half of the amplitude remains there. Nothing
 * is lost below 0.913, and nothing remains above 1.
 */
const CUTOFF = 0.9568718;
/** Half of the filter's length × that frequency / sample rate: 290.5 samples at 48 kHz. */
const HALF_LENGTH = 48.41675;
/** Shape of the Kaiser window: 130 dB of attenuation in the stop band. */
const BETA = 13.04;
/** Largest number of phases in the table. A rate with more is interpolated between two phases, to −115 dB. */
const MOST_PHASES = 1024;

export class Resampler {
  /** Output n is at input time n · step / phases. */
  private readonly up: number;
  private readonly step: number;
  /** Number of input samples on each side of an output sample. */
  private readonly half: number;
  private readonly rows: readonly Float64Array[];
  /** Input samples that later outputs need, and the index of the first of them. */
  private held = new Float32Array(0);
  private heldFrom: number;
  private taken = 0;
  private given = 0;

  constructor(rate: number) {
    const shared = greatestCommonDivisor(rate, SAMPLE_RATE);
    this.up = SAMPLE_RATE / shared;
    this.step = rate / shared;
    const nyquist = Math.min(rate, SAMPLE_RATE) / 2;
    const reach = (HALF_LENGTH * rate) / nyquist;
    this.half = Math.ceil(reach);
    const phases = Math.min(this.up, MOST_PHASES);
    this.rows = Array.from({ length: phases + 1 }, (_, phase) =>
      this.row(phase / phases, (CUTOFF * nyquist) / rate, reach),
    );
    this.heldFrom = -this.half + 1;
    this.held = new Float32Array(this.half - 1);
  }

  /** Resample the next block and return the samples that are complete. */
  push(block: Float32Array): Float32Array {
    this.taken += block.length;
    this.hold(block);
    const ready = Math.ceil(((this.taken - this.half) * this.up) / this.step);
    return this.until(Math.max(this.given, ready));
  }

  /** Return the rest, as if silence followed. */
  finish(): Float32Array {
    const all = Math.floor((this.taken * this.up) / this.step + 0.5);
    this.hold(new Float32Array(this.half + Math.ceil(this.step / this.up) + 1));
    return this.until(Math.max(this.given, all));
  }

  private hold(block: Float32Array): void {
    const joined = new Float32Array(this.held.length + block.length);
    joined.set(this.held);
    joined.set(block, this.held.length);
    this.held = joined;
  }

  /** Compute the output samples before index `end`, and drop the input that no later one needs. */
  private until(end: number): Float32Array {
    const out = new Float32Array(end - this.given);
    for (let i = 0; i < out.length; i++) out[i] = this.at((this.given + i) * this.step);
    this.given = end;
    const needed = Math.floor((end * this.step) / this.up) - this.half + 1;
    this.held = this.held.slice(Math.max(0, needed - this.heldFrom));
    this.heldFrom = Math.max(this.heldFrom, needed);
    return out;
  }

  /** Compute the sample at input time `time` / up. */
  private at(time: number): number {
    const before = Math.floor(time / this.up);
    const start = before - this.half + 1 - this.heldFrom;
    const phase = ((time - before * this.up) / this.up) * (this.rows.length - 1);
    const row = Math.floor(phase);
    const rest = phase - row;
    const value = this.product(this.rows[row] as Float64Array, start);
    if (this.up <= MOST_PHASES) return value;
    return value + rest * (this.product(this.rows[row + 1] as Float64Array, start) - value);
  }

  private product(row: Float64Array, start: number): number {
    const { held } = this;
    let sum = 0;
    for (let i = 0; i < row.length; i++) sum += (row[i] as number) * (held[start + i] as number);
    return sum;
  }

  /** Return the weights of the input samples around an output sample that is `rest` samples behind one of them. */
  private row(rest: number, cutoff: number, reach: number): Float64Array {
    const { half } = this;
    const scale = besselI0(BETA);
    return Float64Array.from({ length: 2 * half }, (_, i) => {
      const distance = i - half + 1 - rest;
      const x = distance / reach;
      if (Math.abs(x) >= 1) return 0;
      return (2 * cutoff * sinc(2 * cutoff * distance) * besselI0(BETA * Math.sqrt(1 - x * x))) / scale;
    });
  }
}

function sinc(x: number): number {
  return x === 0 ? 1 : Math.sin(Math.PI * x) / (Math.PI * x);
}

/** Compute the modified Bessel function of the first kind and order 0, by its series. */
function besselI0(x: number): number {
  let sum = 1;
  let term = 1;
  for (let k = 1; term > sum * 1e-17; k++) {
    term *= (x / (2 * k)) ** 2;
    sum += term;
  }
  return sum;
}

function greatestCommonDivisor(a: number, b: number): number {
  return b === 0 ? a : greatestCommonDivisor(b, a % b);
}
