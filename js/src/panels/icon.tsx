/** Icons of buttons, each one path on a 16 × 16 grid; the button has the text. */
const PATHS = {
  copy: "M5.5 5.5V2.5h8v8h-3M2.5 5.5h8v8h-8z",
  speaker: "M2.5 6h2.5l3.5-3v10l-3.5-3h-2.5zM11 5.5q2 2.5 0 5M13 3.5q3.5 4.5 0 9",
  play: "M4.5 3v10l8-5z",
  pause: "M4.5 3v10M11.5 3v10",
  stop: "M4 4h8v8h-8z",
};

export function Icon({ name }: { name: keyof typeof PATHS }) {
  return (
    <svg class="aiw-icon" viewBox="0 0 16 16" width="14" height="14" aria-hidden="true">
      <path d={PATHS[name]} />
    </svg>
  );
}
