/** Small button, as in the heads of the panels. */
import type { ComponentProps } from "preact";

interface Props extends ComponentProps<"button"> {
  /** Accessible name if the button shows only an icon; also the tooltip, unless `title` is given. */
  label?: string;
}

export function SmallButton({ label, ...props }: Props) {
  return <button type="button" class="aiw-small" title={label} aria-label={label} {...props} />;
}
