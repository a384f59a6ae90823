/** Numbers as Python writes them, so that displayed numbers equal `w.record` in every digit shown. */

/** Format `x` with `digits` decimals as Python's `f"{x:.4f}"`, which rounds the exact binary value and ties to even. */
export function decimals(x: number, digits = 4): string {
  const rounded = x.toFixed(digits);
  // JavaScript rounds ties up. 100 digits represent a tie exactly: its next digit is 5, followed by zeros.
  const [whole = "", fraction = ""] = Math.abs(x).toFixed(100).split(".");
  if (!/^50*$/.test(fraction.slice(digits))) return rounded;
  const kept = whole + fraction.slice(0, digits);
  if ("13579".includes(kept.at(-1) ?? "0")) return rounded;
  const even = digits ? `${whole}.${fraction.slice(0, digits)}` : whole;
  return x < 0 ? `-${even}` : even;
}

/** Format a probability: four decimals, or Python's `f"{p:.1e}"` if these would be zeros. */
export function probability(p: number): string {
  return p > 0 && p < 0.00005 ? exponent(p.toExponential(1)) : decimals(p);
}

/** Format `x` as Python's `repr(x)`: the shortest digits that read back as the same float. */
export function repr(x: number): string {
  if (!Number.isFinite(x)) return Number.isNaN(x) ? "nan" : x > 0 ? "inf" : "-inf";
  if (Object.is(x, -0)) return "-0.0";
  const power = Number(x.toExponential().split("e")[1]);
  if (power < -4 || power >= 16) return exponent(x.toExponential());
  // JavaScript writes numbers from 1e-6 to 1e21 without an exponent, which includes all that are left here.
  const plain = String(x);
  return plain.includes(".") ? plain : `${plain}.0`;
}

/** Pad the exponent: `1e-7` → `1e-07`. */
function exponent(written: string): string {
  return written.replace(/e([+-])(\d)$/, "e$10$2");
}
