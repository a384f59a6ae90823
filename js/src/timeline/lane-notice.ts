/** Notices as small flags: a limit, a reset, a violation. Their message appears under the pointer. */
import { chunkStart } from "../talk";
import type { Lane } from "./lane";
import { xOf } from "./time-axis";

export const noticeLane: Lane = {
  id: "notice",
  label: "notes",
  hint: "",
  height: 26,
  draw({ context, talk, axis, top, height, palette }) {
    context.font = `10px ${palette.font}`;
    context.textAlign = "left";
    context.textBaseline = "middle";
    let free = Number.NEGATIVE_INFINITY;
    for (const notice of talk.notices) {
      const x = xOf(axis, chunkStart(talk, Math.max(0, notice.chunk)));
      if (x < axis.left - 120 || x > axis.left + axis.width) continue;
      context.fillStyle = palette.colour.bad;
      context.fillRect(x, top + 3, 1.5, height - 6);
      context.beginPath();
      context.moveTo(x, top + 3);
      context.lineTo(x + 8, top + 6.5);
      context.lineTo(x, top + 10);
      context.fill();
      const word = notice.kind.replaceAll("_", " ");
      if (x < free) continue;
      context.fillStyle = palette.colour.muted;
      context.fillText(word, x + 11, top + height / 2);
      free = x + 20 + context.measureText(word).width;
    }
  },
};
